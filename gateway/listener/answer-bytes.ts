/**
 * Bytes of answers of a node that clients have yet to read, and room for more. Who asks gets at most half of what is
 * left: clients that read nothing leave room for small answers to the end. Where none is left one waits.
 */
import type { Gauge } from '#shared/metrics/metrics.ts'

const GRANT_BYTES_MIN = 64 * 1_024

type Waiter = { readonly wanted: number; readonly granted: (bytes: number) => void }

export class AnswerBytes {
  readonly #bytesMax: number
  readonly #gauge: Gauge
  #bytes = 0
  #waiters: Waiter[] = []

  constructor(bytesMax: number, gauge: Gauge) {
    this.#bytesMax = bytesMax
    this.#gauge = gauge
  }

  get bytes(): number {
    return this.#bytes
  }

  /** There is so little room that clients who read nothing must give way. */
  get isTight(): boolean {
    return this.#waiters.length > 0 || this.#left < this.#bytesMax / 4
  }

  /** Counts bytes that were queued, or (negative) read or dropped. */
  add(bytes: number): void {
    this.#bytes += bytes
    this.#gauge.add(bytes)
    while (this.#waiters.length > 0 && this.#left >= GRANT_BYTES_MIN) {
      const { wanted, granted } = this.#waiters.shift()!
      granted(this.#grant(wanted))
    }
  }

  /**
   * Takes room for up to `wanted` bytes of an answer that is being made; the caller counts it back by `add`.
   * @throws the signal's reason
   */
  async take(wanted: number, signal: AbortSignal): Promise<number> {
    if (this.#waiters.length === 0 && this.#left >= GRANT_BYTES_MIN) return this.#grant(wanted)
    signal.throwIfAborted()
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters = this.#waiters.filter((one) => one !== waiter)
        reject(signal.reason as Error)
      }
      const granted = (bytes: number): void => {
        signal.removeEventListener('abort', onAbort)
        resolve(bytes)
      }
      const waiter = { wanted, granted }
      this.#waiters.push(waiter)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  get #left(): number {
    return this.#bytesMax - this.#bytes
  }

  #grant(wanted: number): number {
    const bytes = Math.min(wanted, Math.max(GRANT_BYTES_MIN, Math.floor(this.#left / 2)))
    this.#bytes += bytes
    this.#gauge.add(bytes)
    return bytes
  }
}
