/** Ends waits of clients and peers: coarse buckets of time, not one timer a request. Holds only what still waits. */
import type { Cancel, Runtime } from './runtime.ts'

export type Expiring = { expire(): void }

export class Deadlines {
  readonly #runtime: Runtime
  readonly #bucketMs: number
  readonly #buckets = new Map<number, Set<Expiring>>()
  #cancel: Cancel | null = null

  constructor(runtime: Runtime, bucketMs: number) {
    this.#runtime = runtime
    this.#bucketMs = bucketMs
  }

  /** Waits that have neither ended nor expired. */
  get size(): number {
    return [...this.#buckets.values()].reduce((sum, { size }) => sum + size, 0)
  }

  /**
   * Calls `waiting.expire()` between `ms` and `ms` + two buckets from now, unless it is removed before.
   * @returns what `remove` is to be given.
   */
  add(ms: number, waiting: Expiring): number {
    const bucket = Math.ceil((this.#runtime.clock.monotonicMs() + ms) / this.#bucketMs)
    const known = this.#buckets.get(bucket)
    if (known === undefined) this.#buckets.set(bucket, new Set([waiting]))
    else known.add(waiting)
    this.#cancel ??= this.#runtime.timer.after(this.#bucketMs, () => { this.#tick() })
    return bucket
  }

  /** What is left until the time of what `add` returned, give or take a bucket; not above 0: it is over. */
  leftMs(bucket: number): number {
    return bucket * this.#bucketMs - this.#runtime.clock.monotonicMs()
  }

  /** Forgets a wait that is over: most are, long before their time, and would fill the memory until then. */
  remove(bucket: number, waiting: Expiring): void {
    const known = this.#buckets.get(bucket)
    if (known !== undefined && known.delete(waiting) && known.size === 0) this.#buckets.delete(bucket)
  }

  #tick(): void {
    const now = Math.floor(this.#runtime.clock.monotonicMs() / this.#bucketMs)
    for (const [bucket, waiting] of this.#buckets) {
      if (bucket > now) continue
      this.#buckets.delete(bucket)
      for (const one of waiting) one.expire()
    }
    this.#cancel = this.#buckets.size === 0 ? null : this.#runtime.timer.after(this.#bucketMs, () => { this.#tick() })
  }
}
