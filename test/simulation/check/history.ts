/** What clients did and saw, in the order in which they knew it. The checker reads nothing else. */

/**
 * What a producer promises: `plain` sends one batch at a time until it is acked (duplicates are its own doing);
 * `pipelined` sends several on one connection and never again; `idempotent` sends several, again and again.
 */
export type ProducerKind = 'plain' | 'pipelined' | 'idempotent'

/** One record: counters of a producer rise by one in each partition. */
export type RecordId = { readonly producer: string; readonly counter: number }

/** Partitions are named `topic/partition`; `askedAt` is the number of events known when the question was asked. */
export type Event =
  | { readonly kind: 'sent'; readonly partition: string; readonly record: RecordId }
  | { readonly kind: 'acked'; readonly partition: string; readonly record: RecordId; readonly offset: number }
  /**
   * Acked without an offset: the batch's own answer was lost or came too late, but a later one of the idempotent
   * producer was taken, which proves that this one was (librdkafka: implicitly acked).
   */
  | { readonly kind: 'acked unplaced'; readonly partition: string; readonly record: RecordId }
  /** Refused: with a chunk that was given up, or otherwise (it may be there yet). Told of pipelined producers. */
  | { readonly kind: 'given up' | 'failed'; readonly partition: string; readonly record: RecordId }
  | {
    readonly kind: 'read'; readonly reader: string; readonly partition: string; readonly offset: number;
    readonly record: RecordId
  }
  /** The end of a partition was asked for. */
  | { readonly kind: 'end'; readonly partition: string; readonly endOffset: number; readonly askedAt: number }
  | GroupEvent

export type GroupEvent =
  /** A member was given a generation; `members` only if it leads it. */
  | {
    readonly kind: 'joined'; readonly group: string; readonly member: string; readonly generation: number;
    readonly leader: string; readonly members: readonly string[]
  }
  /** A member was given its partitions. */
  | {
    readonly kind: 'assigned'; readonly group: string; readonly member: string; readonly generation: number;
    readonly partitions: readonly string[]; readonly askedAt: number
  }
  /** A heartbeat found the generation current. */
  | {
    readonly kind: 'beat'; readonly group: string; readonly member: string; readonly generation: number;
    readonly askedMs: number
  }
  | { readonly kind: 'consumed'; readonly group: string; readonly partition: string; readonly offset: number }
  /** `generation` -1: of a consumer without a group's members. */
  | {
    readonly kind: 'committing'; readonly group: string; readonly partition: string; readonly offset: number;
    readonly generation: number
  }
  | {
    readonly kind: 'committed'; readonly group: string; readonly partition: string; readonly offset: number;
    readonly generation: number; readonly askedAt: number
  }
  /** `offset` -1: there is none. */
  | {
    readonly kind: 'offset-fetched'; readonly group: string; readonly partition: string; readonly offset: number;
    readonly askedAt: number
  }

/** One partition as somebody read it from its start to its end when all was quiet. */
export type FinalLog = {
  readonly reader: string; readonly partition: string;
  readonly records: readonly { readonly offset: number; readonly record: RecordId }[]
}

export type Violation = { readonly rule: string; readonly what: string; readonly atMs: number } // atMs: when it showed

export class History {
  readonly producers = new Map<string, ProducerKind>()
  readonly events: Event[] = []
  readonly timesMs: number[] = [] // of the events
  readonly finals: FinalLog[] = []
  /** Seen by the clients themselves: an answer that may never be given. */
  readonly violations: Violation[] = []
  /** When machines stood still. */
  readonly freezes: { readonly fromMs: number; readonly toMs: number }[] = []
  /** How long a gateway tries to write a chunk before it gives it up; 0: it may give up at once. */
  giveUpMs = 0
  readonly #note: (line: string) => void
  readonly #nowMs: () => number

  /** `note` gets a line for all that is added. */
  constructor(note: (line: string) => void = () => {}, nowMs: () => number = () => 0) {
    this.#note = note
    this.#nowMs = nowMs
  }

  add(event: Event): void {
    this.events.push(event)
    this.timesMs.push(this.#nowMs())
    this.#note(JSON.stringify(event))
  }

  violation(rule: string, what: string): void {
    this.violations.push({ rule, what, atMs: this.#nowMs() })
    this.#note(`violation ${rule}: ${what}`)
  }

  get nowMs(): number {
    return this.#nowMs()
  }
}

/** What a violation says. */
export function unlike(expected: string, seen: string): string {
  return `expected ${expected}; saw ${seen}`
}

export function idOf({ producer, counter }: RecordId): string {
  return `${producer}:${counter}`
}
