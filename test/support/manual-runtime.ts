/**
 * A runtime whose time stands still until a test moves it. Timers fire in order of their time, then of their making;
 * `soon` calls run at the next `settle` or `advance`.
 */
import type { Cancel, Chance, Clock, Runtime, Timer } from '#shared/runtime/runtime.ts'
import { Rng } from '#shared/runtime/rng.ts'

type Waiting = { readonly atMs: number; readonly order: number; readonly fn: () => void }

const TURNS_MAX = 10_000 // of `soon` calls that make `soon` calls: beyond it a test loops for ever

export class ManualRuntime implements Runtime {
  readonly clock: Clock
  readonly timer: Timer
  readonly chance: Chance
  #startMs: number
  #elapsedMs = 0
  #order = 0
  readonly #waiting = new Set<Waiting>()
  #soon: (() => void)[] = []

  constructor(options: { readonly seed?: number; readonly nowMs?: number } = {}) {
    this.#startMs = options.nowMs ?? 1_700_000_000_000
    this.clock = { nowMs: () => this.#startMs + this.#elapsedMs, monotonicMs: () => this.#elapsedMs }
    this.timer = { after: (ms, fn) => this.#after(ms, fn), soon: (fn) => { this.#soon.push(fn) } }
    this.chance = new Rng(options.seed ?? 1)
  }

  /** Timers and `soon` calls that wait. */
  get pendingCount(): number {
    return this.#waiting.size + this.#soon.length
  }

  /** Moves the wall clock alone, as an operator or NTP may do. */
  jumpWallClock(ms: number): void {
    this.#startMs += ms
  }

  /** Runs what is due now, `soon` calls and the promises between them, until nothing is left. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      await turnOfPromises()
      const due = this.#soon
      this.#soon = []
      for (const fn of due) fn()
      if (due.length === 0 && !this.#fireNext(this.#elapsedMs)) {
        await turnOfPromises()
        if (this.#soon.length === 0) return
      }
    }
    throw new Error('manual-runtime: the work never settles')
  }

  /** Moves time on by `ms`, firing each timer at its own time, with its promises settled before the next. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#elapsedMs + ms
    await this.settle()
    while (this.#fireNext(untilMs)) await this.settle()
    this.#elapsedMs = untilMs
    await this.settle()
  }

  #after(ms: number, fn: () => void): Cancel {
    const waiting: Waiting = { atMs: this.#elapsedMs + Math.max(0, ms), order: this.#order++, fn }
    this.#waiting.add(waiting)
    return () => { this.#waiting.delete(waiting) }
  }

  #fireNext(untilMs: number): boolean {
    let next: Waiting | null = null
    for (const waiting of this.#waiting) {
      if (waiting.atMs > untilMs) continue
      if (next === null || waiting.atMs < next.atMs || (waiting.atMs === next.atMs && waiting.order < next.order)) {
        next = waiting
      }
    }
    if (next === null) return false
    this.#waiting.delete(next)
    this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs)
    next.fn()
    return true
  }
}

/** One real turn of the event loop: every promise job that is ready has run after it. */
function turnOfPromises(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}
