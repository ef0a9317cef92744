/** Says how it stands with each peer when that changes, and not again: a peer may be tried for days. */
import type { Log, LogFields } from '#shared/log/log.ts'
import { type Refusal, REFUSALS } from './handshake-messages.ts'

const KEYS_MAX = 1_024 // what does not prove who it is could be anybody

export class PeerLog {
  readonly #log: Log
  readonly #states = new Map<string, string>()

  constructor(log: Log) {
    this.#log = log
  }

  /** `key` names the peer and the side; `state` is what the line says, whatever the fields. */
  info(key: string, state: string, fields: LogFields): void {
    if (this.#changes(key, state)) this.#log.info(state, fields)
  }

  /** `reason` is part of the state. */
  warn(key: string, state: string, fields: LogFields & { readonly reason: string }): void {
    if (this.#changes(key, `${state}: ${fields.reason}`)) this.#log.warn(state, fields)
  }

  /** A node was refused, by this one or by the peer. */
  refused(key: string, state: string, refusal: Refusal, fields: LogFields): void {
    const { sentence: reason, isPassing } = REFUSALS[refusal]
    if (isPassing) this.info(key, state, { ...fields, reason })
    else this.warn(key, state, { ...fields, reason })
  }

  #changes(key: string, state: string): boolean {
    if (this.#states.get(key) === state) return false
    this.#states.delete(key)
    this.#states.set(key, state)
    if (this.#states.size > KEYS_MAX) this.#states.delete(this.#states.keys().next().value!)
    return true
  }
}
