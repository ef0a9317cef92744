/**
 * A line that a client, or a fault that lasts, can provoke at will is written at most once a second; the next one says
 * how many were left out.
 */
import type { Clock } from '../runtime/runtime.ts'
import type { Log, LogFields } from './log.ts'

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
    const all = this.#admit(message, fields)
    if (all !== null) this.#log.warn(message, all)
  }

  error(message: string, fields: LogFields): void {
    const all = this.#admit(message, fields)
    if (all !== null) this.#log.error(message, all)
  }

  /** What to write with the line, or null: it is left out. */
  #admit(message: string, fields: LogFields): LogFields | null {
    const nowMs = this.#clock.monotonicMs()
    const last = this.#written.get(message)
    if (last !== undefined && nowMs - last.atMs < EVERY_MS) {
      last.leftOut += 1
      return null
    }
    this.#written.set(message, { atMs: nowMs, leftOut: 0 })
    return last === undefined || last.leftOut === 0 ? fields : { ...fields, leftOut: last.leftOut }
  }
}
