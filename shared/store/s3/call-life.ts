/** How long one call may live, with all its waiting and attempts. What it waits for is told when the time is over. */
import type { Timer } from '../../runtime/runtime.ts'

export class CallLife {
  readonly #listeners = new Set<() => void>()
  readonly #cancelTimer: () => void
  #over = false

  constructor(timer: Timer, lifeMs: number) {
    this.#cancelTimer = timer.after(lifeMs, () => { this.end() })
  }

  /** true: nothing more is to be begun. */
  get over(): boolean {
    return this.#over
  }

  /** Calls `fn` once when the life ends, unless the returned function is called before. */
  onEnd(fn: () => void): () => void {
    this.#listeners.add(fn)
    return () => { this.#listeners.delete(fn) }
  }

  /** Ends the life early: the store closes. */
  end(): void {
    if (this.#over) return
    this.#over = true
    this.#cancelTimer()
    for (const fn of this.#listeners) fn()
    this.#listeners.clear()
  }

  /** The call is answered: nobody is told anything any more. */
  done(): void {
    this.#listeners.clear()
    this.#cancelTimer()
  }
}

/** Resolves after `ms`, or at once when the life ends. */
export function pause(timer: Timer, ms: number, life: CallLife): Promise<void> {
  return new Promise((resolve) => {
    const cancel = timer.after(ms, () => { forget(); resolve() })
    const forget = life.onEnd(() => { cancel(); resolve() })
  })
}
