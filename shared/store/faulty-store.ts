/**
 * A store with faults, for simulation: delays, errors before the call (nothing happened) and after it (the reply is
 * lost), and errors of calls that happen later all the same. Driven by a Chance and a Timer, so that the same seed
 * gives the same faults.
 */
import { release, type MemoryPool } from '../binary/memory-pool.ts'
import { ZonewiseError } from '../errors/zonewise-error.ts'
import { type Chance, sleep, type Timer } from '../runtime/runtime.ts'
import type { ByteRange, ObjectInfo, ObjectStore } from './object-store.ts'

export type StoreFaults = {
  delayMsMin: number
  delayMsMax: number // inclusive; 0: no delay
  errorBeforePerMille: number
  errorAfterPerMille: number
  latePerMille: number // changes only: an error, and within LATE_MS_MAX the change
}

export const NO_STORE_FAULTS: Readonly<StoreFaults> =
  { delayMsMin: 0, delayMsMax: 0, errorBeforePerMille: 0, errorAfterPerMille: 0, latePerMille: 0 }

const LATE_MS_MAX = 2_000

export class FaultyStore implements ObjectStore {
  /** May be changed at any time: the next call follows it. */
  readonly faults: StoreFaults
  readonly #inner: ObjectStore
  readonly #timer: Timer
  readonly #chance: Chance

  constructor(inner: ObjectStore, timer: Timer, chance: Chance, faults: Readonly<StoreFaults> = NO_STORE_FAULTS) {
    this.#inner = inner
    this.#timer = timer
    this.#chance = chance
    this.faults = { ...faults }
  }

  putIfAbsent(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#change('putIfAbsent', key, chunks, (bytes) => this.#inner.putIfAbsent(key, bytes))
  }

  put(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#change('put', key, chunks, (bytes) => this.#inner.put(key, bytes))
  }

  get(key: string, range?: ByteRange, memory?: MemoryPool): Promise<Uint8Array> {
    return this.#call('get', key, () => this.#inner.get(key, range, memory), release)
  }

  head(key: string): Promise<ObjectInfo | null> {
    return this.#call('head', key, () => this.#inner.head(key))
  }

  list(prefix: string, options?: { readonly after?: string; readonly max?: number }): Promise<ObjectInfo[]> {
    return this.#call('list', prefix, () => this.#inner.list(prefix, options))
  }

  delete(key: string): Promise<void> {
    return this.#change('delete', key, [], () => this.#inner.delete(key))
  }

  freeBytes(): Promise<number | null> {
    return this.#inner.freeBytes()
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  #change(
    call: string, key: string, chunks: readonly Uint8Array[], run: (chunks: readonly Uint8Array[]) => Promise<void>
  ): Promise<void> {
    if (!this.#happens(this.faults.latePerMille)) return this.#call(call, key, () => run(chunks))
    const sent = [Buffer.concat(chunks)] // the caller may change its own from now on
    this.#timer.after(1 + this.#chance.below(LATE_MS_MAX), () => { run(sent).catch(() => {}) }) // nobody waits for it
    return Promise.reject(
      new ZonewiseError('STORE_UNAVAILABLE', 'injected error of a call that happens later', { call, key })
    )
  }

  /** Half of the delay comes before the effect, half after: a crash may fall on either side. */
  async #call<T>(call: string, key: string, run: () => Promise<T>, lose: (result: T) => void = () => {}): Promise<T> {
    await this.#delay()
    if (this.#happens(this.faults.errorBeforePerMille))
      throw new ZonewiseError('STORE_UNAVAILABLE', 'injected error before the call', { call, key })
    const result = await run()
    await this.#delay()
    if (!this.#happens(this.faults.errorAfterPerMille)) return result
    lose(result)
    throw new ZonewiseError('STORE_UNAVAILABLE', 'injected loss of the reply', { call, key })
  }

  async #delay(): Promise<void> {
    const { delayMsMin, delayMsMax } = this.faults
    if (delayMsMax === 0) return
    await sleep(this.#timer, (delayMsMin + this.#chance.below(delayMsMax - delayMsMin + 1)) / 2)
  }

  #happens(perMille: number): boolean {
    return perMille > 0 && this.#chance.below(1_000) < perMille
  }
}
