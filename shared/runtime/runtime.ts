/** The outside world as arguments: time and chance. Production, tests and simulation each pass their own. */

export type Clock = {
  /** Wall clock, ms since 1970. May jump. */
  nowMs(): number
  /** Never goes back; ms, fractions allowed. */
  monotonicMs(): number
}

export type Cancel = () => void

export type Timer = {
  /** Calls `fn` once after `ms`. Cancel is idempotent. Does not keep the process alive by itself. */
  after(ms: number, fn: () => void): Cancel
  /** Calls `fn` soon, after the events at hand: the place to batch work. */
  soon(fn: () => void): void
}

export type Chance = {
  /** A whole number in [0, below). */
  below(below: number): number
  bytes(count: number): Uint8Array
  uuid(): string
}

export type Runtime = { readonly clock: Clock; readonly timer: Timer; readonly chance: Chance }

/** Resolves after `ms`, or rejects with the signal's reason. */
export function sleep(timer: Timer, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason as Error)
    const onAbort = (): void => { cancel(); reject(signal?.reason as Error) }
    const cancel = timer.after(ms, () => { signal?.removeEventListener('abort', onAbort); resolve() })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
