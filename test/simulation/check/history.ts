/** What clients did and saw, in the order in which they knew it. The checker reads nothing else. */

/**
 * What a producer promises: `plain` sends one batch at a time until it is acked (duplicates are its own doing);
 * `pipelined` sends several on one connection and never again; `idempotent` sends several, again and again.
 */
export type ProducerKind = 'plain' | 'pipelined' | 'idempotent'

/** One record: counters of a producer rise by one in each partition. */
export type RecordId = { readonly producer: string; readonly counter: number }

export type Event =
  | { readonly kind: 'sent'; readonly partition: string; readonly record: RecordId }
  | { readonly kind: 'acked'; readonly partition: string; readonly record: RecordId; readonly offset: number }
  | { readonly kind: 'read'; readonly reader: string; readonly partition: string; readonly offset: number; readonly record: RecordId }
  /** The end of a partition was asked for; `askedAt` is the number of events known by then. */
  | { readonly kind: 'end'; readonly partition: string; readonly endOffset: number; readonly askedAt: number }
  | { readonly kind: 'committing'; readonly group: string; readonly value: number }
  | { readonly kind: 'committed'; readonly group: string; readonly value: number }
  | { readonly kind: 'offset-fetched'; readonly group: string; readonly value: number; readonly askedAt: number } // -1: none

/** One partition as somebody read it from its start to its end when all was quiet. */
export type FinalLog = { readonly reader: string; readonly partition: string; readonly records: readonly { readonly offset: number; readonly record: RecordId }[] }

export type Violation = { readonly rule: string; readonly what: string }

export class History {
  readonly producers = new Map<string, ProducerKind>()
  readonly events: Event[] = []
  readonly finals: FinalLog[] = []
  /** Seen by the clients themselves: an answer that may never be given. */
  readonly violations: Violation[] = []
  readonly #note: (line: string) => void

  /** `note` gets a line for all that is added. */
  constructor(note: (line: string) => void = () => {}) {
    this.#note = note
  }

  add(event: Event): void {
    this.events.push(event)
    this.#note(JSON.stringify(event))
  }

  violation(rule: string, what: string): void {
    this.violations.push({ rule, what })
    this.#note(`violation ${rule}: ${what}`)
  }
}

export function idOf({ producer, counter }: RecordId): string {
  return `${producer}:${counter}`
}
