/** The log of simulated nodes: every line is part of the trace; a line that must never be written is a violation. */
import type { Log, LogFields } from '#shared/log/log.ts'
import { REFUSALS } from '#shared/transport/handshake-messages.ts'
import { unlike, type History } from '../check/history.ts'
import type { Trace } from '../engine/trace.ts'
import type { VirtualTime } from '../engine/virtual-time.ts'

/** Nothing here damages what was written, so nothing may be found damaged; and nobody uses another's names. */
const NEVER = new Set([
  'shard quarantined', 'chunk cannot be read', 'bytes of a chunk are not what the index says',
  'leader answered other batches than were sent',
  'the catalog belongs to another cluster', 'a topic is left unfinished', 'a peer breaks the rules of frames'
])
const REFUSALS_NEVER = new Set<unknown>(['another nonce in one life', 'another checksum'])
const SHAKING = new Set([
  'a peer is refused', 'a peer refuses this node', 'a node that calls is refused', 'a node that calls refuses this node'
])
const OF_STRANGERS = new Set<unknown>(
  (['garbage', 'version', 'cluster', 'secret', 'insecure', 'identity'] as const).map((one) => REFUSALS[one].sentence)
)

export type SimLogParts = {
  readonly node: string; readonly time: VirtualTime; readonly trace: Trace; readonly history: History;
  readonly alive: () => boolean
}

export class SimLog implements Log {
  readonly #parts: SimLogParts

  constructor(parts: SimLogParts) {
    this.#parts = parts
  }

  error(message: string, fields: LogFields = {}): void {
    const isRefusal = message === 'chunk refused' && REFUSALS_NEVER.has(fields['reason'])
    if (isRefusal || NEVER.has(message)) this.#damaged(message, fields)
    this.#line('error', message, fields)
  }

  warn(message: string, fields: LogFields = {}): void {
    if (SHAKING.has(message) && OF_STRANGERS.has(fields['reason'])) this.#damaged(message, fields)
    this.#line('warn', message, fields)
  }

  info(message: string, fields: LogFields = {}): void { this.#line('info', message, fields) }
  debug(message: string, fields: LogFields = {}): void { this.#line('debug', message, fields) }
  child(): Log { return this }
  flush(): void {}

  #damaged(message: string, fields: LogFields): void {
    const { node, history, alive } = this.#parts
    const seen = `${message} ${JSON.stringify(fields)}`
    if (alive()) history.violation('nothing is damaged', unlike(`nothing of the kind from ${node}`, seen))
  }

  #line(level: string, message: string, fields: LogFields): void {
    const { time, trace, node, alive } = this.#parts
    if (alive()) trace.add(`${time.nowMs} ${node} ${level} ${message} ${JSON.stringify(fields)}`)
  }
}
