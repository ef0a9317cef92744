/**
 * Bounds the reads of the store under way, by count and by bytes. What is above waits its turn, in order; what would
 * wait behind too many is refused.
 */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

export type ReadQueueSettings = {
  readonly readsMax: number
  readonly readBytesMax: number // a single read may be larger: it runs alone
  readonly readsWaitingMax: number
}

type Waiting = { readonly bytes: number; readonly start: () => void }

export class ReadQueue {
  readonly #settings: ReadQueueSettings
  #waiting: Waiting[] = []
  #reads = 0
  #bytes = 0

  constructor(settings: ReadQueueSettings) {
    this.#settings = settings
  }

  get running(): number {
    return this.#reads
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Whether a read of `bytes` would start at once. */
  isFree(bytes: number): boolean {
    return this.#waiting.length === 0 && this.#fits(bytes)
  }

  /**
   * Runs `read`, which brings at most `bytes`, when there is room.
   * @throws ZonewiseError OVERLOADED, and what it throws
   */
  async run<T>(bytes: number, read: () => Promise<T>): Promise<T> {
    await this.#room(bytes)
    try {
      return await read()
    } finally {
      this.#reads -= 1
      this.#bytes -= bytes
      this.#startWaiting()
    }
  }

  #room(bytes: number): Promise<void> | null {
    const { readsWaitingMax } = this.#settings
    if (this.isFree(bytes)) {
      this.#take(bytes)
      return null
    }
    if (this.#waiting.length >= readsWaitingMax)
      throw new ZonewiseError(
        'OVERLOADED', 'too many reads of the store', { setting: 'readsWaitingMax', max: readsWaitingMax }
      )
    return new Promise((resolve) => { this.#waiting.push({ bytes, start: resolve }) })
  }

  #fits(bytes: number): boolean {
    const { readsMax, readBytesMax } = this.#settings
    return this.#reads === 0 || (this.#reads < readsMax && this.#bytes + bytes <= readBytesMax)
  }

  #take(bytes: number): void {
    this.#reads += 1
    this.#bytes += bytes
  }

  #startWaiting(): void {
    let started = 0
    for (const { bytes, start } of this.#waiting) {
      if (!this.#fits(bytes)) break
      this.#take(bytes)
      start()
      started += 1
    }
    if (started > 0) this.#waiting = this.#waiting.slice(started)
  }
}
