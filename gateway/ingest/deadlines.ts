/** Ends waits of clients: coarse buckets of time instead of one timer a request. */
import type { Cancel, Runtime } from '#shared/runtime/runtime.ts'

export type Expiring = { readonly over: boolean; expire(): void }

const BUCKET_MS = 250

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
    else {
      // Most are over long before: let go of them, so that a bucket holds what waits and not what passed by.
      if (known.length >= 1_024 && (known.length & (known.length - 1)) === 0) known.splice(0, known.length, ...known.filter(({ over }) => !over))
      known.push(waiting)
    }
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
