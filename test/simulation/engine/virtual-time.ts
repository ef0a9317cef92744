/**
 * Time that moves only when everything at hand is done: timers fire one by one in order of their time, then of their
 * making, and all promises settle before the next.
 */
import type { Cancel, Timer } from '#shared/runtime/runtime.ts'

type Waiting = { readonly atMs: number; readonly order: number; fn: (() => void) | null }

/** Work of one instant: more means that something calls itself for ever. */
const TURNS_MAX = 100_000

export class VirtualTime implements Timer {
  #nowMs = 0
  #order = 0
  #turns = 0
  #soon: (() => void)[] = []
  readonly #heap: Waiting[] = []
  firedCount = 0

  get nowMs(): number {
    return this.#nowMs
  }

  after(ms: number, fn: () => void): Cancel {
    return this.at(this.#nowMs + Math.max(0, ms), fn)
  }

  /** As `after`, but without the rounding of a sum: what is due at one time keeps the order of its making. */
  at(atMs: number, fn: () => void): Cancel {
    const waiting: Waiting = { atMs, order: this.#order++, fn }
    push(this.#heap, waiting)
    return () => { waiting.fn = null }
  }

  soon(fn: () => void): void {
    this.#soon.push(fn)
  }

  /** Runs until `done` says so or virtual time would pass `untilMs`; `done` is asked between events. */
  async run(untilMs: number, done: () => boolean = () => false): Promise<void> {
    for (;;) {
      await turnOfPromises()
      if (this.#soon.length > 0) {
        this.#countTurn()
        const due = this.#soon
        this.#soon = []
        for (const fn of due) fn()
        continue
      }
      if (done()) return
      const next = this.#heap[0]
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs)
        return
      }
      pop(this.#heap)
      if (next.fn === null) continue
      if (next.atMs > this.#nowMs) this.#turns = 0
      this.#countTurn()
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      this.firedCount += 1
      next.fn()
    }
  }

  #countTurn(): void {
    this.#turns += 1
    if (this.#turns > TURNS_MAX) throw new Error('virtual-time: the work of one instant never ends')
  }
}

/** One real turn of the event loop: every promise job that is ready has run after it. */
function turnOfPromises(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}

function isBefore(a: Waiting, b: Waiting): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

function push(heap: Waiting[], waiting: Waiting): void {
  let at = heap.length
  heap.push(waiting)
  while (at > 0) {
    const parent = (at - 1) >>> 1
    if (!isBefore(waiting, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = waiting
}

function pop(heap: Waiting[]): void {
  const last = heap.pop()!
  if (heap.length === 0) return
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
    if (!isBefore(heap[child]!, last)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
}
