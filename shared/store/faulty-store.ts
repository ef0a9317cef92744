/**
 * A store with faults, for simulation: delays, errors before the call (nothing happened) and after it (the reply is
 * lost). Driven by a Chance and a Timer, so that the same seed gives the same faults.
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
}

export const NO_STORE_FAULTS: Readonly<StoreFaults> =
  { delayMsMin: 0, delayMsMax: 0, errorBeforePerMille: 0, errorAfterPerMille: 0 }

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
    return this.#call('putIfAbsent', key, () => this.#inner.putIfAbsent(key, chunks))
  }

  put(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#call('put', key, () => this.#inner.put(key, chunks))
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
    return this.#call('delete', key, () => this.#inner.delete(key))
  }

  freeBytes(): Promise<number | null> {
    return this.#inner.freeBytes()
  }

  close(): Promise<void> {
    return this.#inner.close()
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
