/**
 * Sends a request a second time when the first takes longer than 99 of 100 of its kind; the first answer wins, the
 * loser is cancelled. Bounded to a share of all requests, so that a store that is slow as a whole is not asked twice.
 */
import type { Clock, Timer } from '../../runtime/runtime.ts'
import { HedgeBudget, type LatencyWindow } from './latency-state.ts'

/** One attempt. `outcome` never rejects. */
export type Try<T> = { readonly outcome: Promise<T>; cancel(): void }

export type HedgerOptions = {
  readonly timer: Timer
  readonly clock: Clock
  readonly percentMax: number
  readonly afterMsMin: number
  readonly hedgesMax: number // under way at a time: each takes a connection more
}

export type Hedged<T> = {
  readonly window: LatencyWindow
  readonly start: () => Try<T>
  /** Whether an outcome ends the matter; of the others, the last is returned. */
  readonly isAnswer: (outcome: T) => boolean
  /** Told of each outcome that nobody gets. */
  readonly discard: (outcome: T) => void
}

export class Hedger {
  readonly #options: HedgerOptions
  readonly #budget: HedgeBudget
  #underWay = 0
  #hedgeCount = 0

  constructor(options: HedgerOptions) {
    this.#options = options
    this.#budget = new HedgeBudget(options.percentMax)
  }

  /** Requests sent a second time so far. */
  get hedgeCount(): number {
    return this.#hedgeCount
  }

  /** @returns the attempt as a whole: cancelling it cancels what runs of it. */
  run<T>({ window, start, isAnswer, discard }: Hedged<T>): Try<T> {
    const { timer, clock, afterMsMin, hedgesMax } = this.#options
    const startMs = clock.monotonicMs()
    const { promise, resolve } = Promise.withResolvers<T>()
    const running = new Set<Try<T>>()
    let done = false
    const settled = (one: Try<T>, outcome: T): void => {
      running.delete(one)
      const answered = isAnswer(outcome)
      if (done || (!answered && running.size > 0)) { // a late one; or the other may do better
        discard(outcome)
        return
      }
      done = true
      cancelTimer()
      if (answered) window.record(clock.monotonicMs() - startMs)
      for (const loser of running) loser.cancel()
      resolve(outcome)
    }
    const begin = (): Try<T> => {
      const one = start()
      running.add(one)
      one.outcome.then((outcome) => { settled(one, outcome) }, () => {}) // never rejects
      return one
    }
    const hedge = (): void => {
      if (this.#underWay >= hedgesMax || !this.#budget.spend()) return
      this.#underWay += 1
      this.#hedgeCount += 1
      begin().outcome.then(() => { this.#underWay -= 1 }, () => {})
    }
    this.#budget.earn()
    const p99Ms = window.p99Ms
    begin()
    const cancelTimer = p99Ms === null ? (): void => {} : timer.after(Math.max(afterMsMin, p99Ms), hedge)
    const cancel = (): void => { for (const one of running) one.cancel() }
    return { outcome: promise, cancel }
  }
}
