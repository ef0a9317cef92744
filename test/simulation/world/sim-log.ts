/** The log of simulated nodes: every line is part of the trace; a line that must never be written is a violation. */
import type { Log, LogFields } from '#shared/log/log.ts'
import type { History } from '../check/history.ts'
import type { Trace } from '../engine/trace.ts'
import type { VirtualTime } from '../engine/virtual-time.ts'

/** Nothing here damages what was written, so nothing may be found damaged. */
const NEVER = new Set(['shard quarantined', 'chunk cannot be read'])

export type SimLogParts = { readonly node: string; readonly time: VirtualTime; readonly trace: Trace; readonly history: History; readonly alive: () => boolean }

export class SimLog implements Log {
  readonly #parts: SimLogParts

  constructor(parts: SimLogParts) {
    this.#parts = parts
  }

  error(message: string, fields: LogFields = {}): void {
    if (NEVER.has(message) && this.#parts.alive()) this.#parts.history.violation('nothing is damaged', `${this.#parts.node}: ${message} ${JSON.stringify(fields)}`)
    this.#line('error', message, fields)
  }

  warn(message: string, fields: LogFields = {}): void { this.#line('warn', message, fields) }
  info(message: string, fields: LogFields = {}): void { this.#line('info', message, fields) }
  debug(message: string, fields: LogFields = {}): void { this.#line('debug', message, fields) }
  child(): Log { return this }
  flush(): void {}

  #line(level: string, message: string, fields: LogFields): void {
    const { time, trace, node, alive } = this.#parts
    if (alive()) trace.add(`${time.nowMs} ${node} ${level} ${message} ${JSON.stringify(fields)}`)
  }
}
