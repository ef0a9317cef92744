/** Ends waits of clients: coarse buckets of time instead of one timer a request. */
import type { Cancel, Runtime } from '#shared/runtime/runtime.ts'

export type Expiring = { readonly over: boolean; expire(): void }

const BUCKET_MS = 250
const FILTERED_FROM = 1_024 // and at every doubling

export class Deadlines {
  readonly #runtime: Runtime
  readonly #buckets = new Map<number, Expiring[]>()
  #cancel: Cancel | null = null

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /** Calls `waiting.expire()` between `ms` and `ms` + 500 from now, unless it is over by then. */
  add(ms: number, waiting: Expiring): void {
    const bucket = Math.ceil((this.#runtime.clock.monotonicMs() + ms) / BUCKET_MS)
    const known = this.#buckets.get(bucket)
    if (known === undefined) this.#buckets.set(bucket, [waiting])
    else if (known.length < FILTERED_FROM || (known.length & (known.length - 1)) !== 0) known.push(waiting)
    // Most are over long before: let go of them, so that a bucket holds what waits and not what passed by.
    else this.#buckets.set(bucket, [...known.filter(({ over }) => !over), waiting])
    this.#cancel ??= this.#runtime.timer.after(BUCKET_MS, () => this.#tick())
  }

  #tick(): void {
    const now = Math.floor(this.#runtime.clock.monotonicMs() / BUCKET_MS)
    for (const [bucket, waiting] of this.#buckets) {
      if (bucket > now) continue
      this.#buckets.delete(bucket)
      for (const one of waiting) if (!one.over) one.expire()
    }
    this.#cancel = this.#buckets.size === 0 ? null : this.#runtime.timer.after(BUCKET_MS, () => this.#tick())
  }
}
