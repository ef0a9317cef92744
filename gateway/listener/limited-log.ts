/** A log line that a client can provoke at will is written at most once a second; the next one says how many were left out. */
import type { Log, LogFields } from '#shared/log/log.ts'
import type { Clock } from '#shared/runtime/runtime.ts'

const EVERY_MS = 1_000

export class LimitedLog {
  readonly #log: Log
  readonly #clock: Clock
  readonly #written = new Map<string, { atMs: number; leftOut: number }>() // by message: as many as the code has

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** `message` is a constant. */
  warn(message: string, fields: LogFields): void {
    const nowMs = this.#clock.monotonicMs()
    const last = this.#written.get(message)
    if (last !== undefined && nowMs - last.atMs < EVERY_MS) {
      last.leftOut += 1
      return
    }
    this.#log.warn(message, last === undefined || last.leftOut === 0 ? fields : { ...fields, leftOut: last.leftOut })
    this.#written.set(message, { atMs: nowMs, leftOut: 0 })
  }
}
