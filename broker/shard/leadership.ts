/**
 * One leadership of one shard: decides against a speculative state, appends in groups, one append in flight.
 * Invariants: nobody is answered before what the answer rests on is durable; a position is never used for other bytes;
 * fenced or not settled means the leadership ends and its state is dropped, never undone.
 */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import {
  comparePositions, type JournalEnd, type JournalGroup, type Position, type ShardJournal, tailLost
} from '#shared/journal/journal.ts'
import type { Log } from '#shared/log/log.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import { sleep, type Runtime } from '#shared/runtime/runtime.ts'
import { encodeGroup, type Entry } from './entry.ts'
import { ShardMetrics } from './metrics.ts'
import type { ShardLeader } from './shard-leader.ts'
import { applyEntry, type ShardState } from './shard-state.ts'

export type LeadershipSettings = {
  readonly journalSettleMs: number // how long an append of unknown outcome is repeated
  readonly groupBytesMax: number // open group above it: commits are not decided
}

const RETRY_MS = 20

type Group = { readonly timeMs: number; readonly entries: Entry[]; bytes: number; readonly durable: PromiseWithResolvers<void> }
type Proof = { readonly done: PromiseWithResolvers<void> }

export type LeadershipParts = {
  readonly shard: number
  readonly led: JournalEnd // what `lead` returned
  readonly ledMs: number // monotonic, when it was called: proves leadership from then on
  readonly state: ShardState // as of `led`, owned from here on
  readonly journal: ShardJournal
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics?: ShardMetrics
  readonly settings: LeadershipSettings
  /** Called for each durable group, in order, before anyone is answered. */
  readonly onDurable: (group: JournalGroup) => void
  readonly onEnd: (error: ZonewiseError) => void
  /** The journal has no room: called at each refusal. */
  readonly onFull?: () => void
}

export class Leadership implements ShardLeader {
  readonly shard: number
  readonly epoch: number
  readonly state: ShardState
  readonly #parts: LeadershipParts
  readonly #metrics: ShardMetrics
  readonly #end = new AbortController()
  #position: Position
  #crc: number
  #open: Group | null = null
  #inFlight: Group | null = null
  #flushDue = false
  #proof: Proof | null = null // begins after the one that runs now
  #proving = false
  #provenMs: number

  constructor(parts: LeadershipParts) {
    this.#parts = parts
    this.#metrics = parts.metrics ?? new ShardMetrics(new Metrics(), '')
    this.shard = parts.shard
    this.epoch = parts.led.position.epoch
    this.state = parts.state
    this.#position = parts.led.position
    this.#crc = parts.led.crc
    this.#provenMs = parts.ledMs
  }

  /** The newest durable group. */
  get position(): Position {
    return this.#position
  }

  get ended(): AbortSignal {
    return this.#end.signal
  }

  /** True while the open group is full: what comes is "not decided". */
  get overloaded(): boolean {
    return this.#open !== null && this.#open.bytes >= this.#parts.settings.groupBytesMax
  }

  nowMs(): number {
    return this.#open?.timeMs ?? Math.max(this.state.timeMs, this.#parts.runtime.clock.nowMs())
  }

  append(entries: readonly Entry[]): Promise<void> {
    if (this.ended.aborted) return Promise.reject(this.ended.reason as Error)
    const group = (this.#open ??= { timeMs: this.nowMs(), entries: [], bytes: 0, durable: newSettler() })
    for (const entry of entries) {
      applyEntry(this.state, entry, group.timeMs)
      group.entries.push(entry)
      group.bytes += entry.body.byteLength
    }
    this.#flushSoon()
    return group.durable.promise
  }

  proof(): Promise<void> {
    if (this.ended.aborted) return Promise.reject(this.ended.reason as Error)
    const newest = this.#open ?? this.#inFlight
    const proof = (this.#proof ??= { done: newSettler() })
    this.#prove()
    return newest === null ? proof.done.promise : Promise.all([newest.durable.promise, proof.done.promise]).then(() => {})
  }

  recentProof(maxAgeMs: number): Promise<void> {
    if (this.ended.aborted) return Promise.reject(this.ended.reason as Error)
    return this.#parts.runtime.clock.monotonicMs() - this.#provenMs <= maxAgeMs ? Promise.resolve() : this.proof()
  }

  /** Resolves when all that was decided before the call is durable: enough for a repeated answer. @throws as append */
  settled(): Promise<void> {
    if (this.ended.aborted) return Promise.reject(this.ended.reason as Error)
    return (this.#open ?? this.#inFlight)?.durable.promise ?? Promise.resolve()
  }

  /** Resolves when nothing is open or in flight any more. */
  async drained(): Promise<void> {
    while (!this.ended.aborted) {
      const group = this.#open ?? this.#inFlight
      if (group === null) return
      await group.durable.promise.catch(() => {})
    }
  }

  /** Ends the leadership; whoever waits is told that the outcome is unknown. */
  end(error: ZonewiseError): void {
    if (this.ended.aborted) return
    this.#end.abort(error)
    for (const group of [this.#inFlight, this.#open]) group?.durable.reject(error)
    this.#proof?.done.reject(error)
    this.#open = this.#inFlight = this.#proof = null
    this.#parts.onEnd(error)
  }

  #flushSoon(): void {
    if (this.#flushDue || this.#inFlight !== null) return
    this.#flushDue = true
    this.#parts.runtime.timer.soon(() => {
      this.#flushDue = false
      if (this.#inFlight === null && this.#open !== null && !this.ended.aborted) void this.#flush(this.#open)
    })
  }

  async #flush(group: Group): Promise<void> {
    this.#open = null
    this.#inFlight = group
    const body = Buffer.concat(encodeGroup(group.timeMs, group.entries))
    const { clock } = this.#parts.runtime
    const begunMs = clock.monotonicMs()
    const end = await this.#appendUntilSettled(body)
    if (end === null || this.ended.aborted) return
    const durable: JournalGroup = { position: end.position, after: this.#position, afterCrc: this.#crc, crc: end.crc, body }
    this.#position = end.position
    this.#crc = end.crc
    this.#provenMs = clock.monotonicMs()
    this.#metrics.groupSeconds.observe((this.#provenMs - begunMs) / 1_000)
    this.#metrics.groupBytes.observe(body.byteLength)
    this.#metrics.groupEntries.observe(group.entries.length)
    this.#inFlight = null
    this.#parts.onDurable(durable)
    group.durable.resolve()
    if (this.#open !== null) this.#flushSoon()
  }

  /** Repeats the same position with the same bytes until durable; null: fenced or given up, the leadership has ended. */
  async #appendUntilSettled(body: Uint8Array): Promise<JournalEnd | null> {
    const { journal, runtime, settings, shard } = this.#parts
    const giveUpMs = runtime.clock.monotonicMs() + settings.journalSettleMs
    while (!this.ended.aborted) {
      try {
        const outcome = await journal.append(this.epoch, this.#position, [body])
        if (outcome.kind === 'durable') return outcome
        this.#endBehind(outcome.end.position, this.#position)
      } catch (error) {
        if (isFull(error)) this.#parts.onFull?.()
        if (!isUnsettled(error) || runtime.clock.monotonicMs() >= giveUpMs) this.end(asUnknown(error, shard))
        else await sleep(runtime.timer, RETRY_MS)
      }
    }
    return null
  }

  #prove(): void {
    if (this.#proving || this.#proof === null) return
    const proof = this.#proof
    this.#proof = null
    this.#proving = true
    const { journal, runtime, shard } = this.#parts
    const begunMs = runtime.clock.monotonicMs()
    const known = this.#position
    journal.end().then((end) => {
      this.#proving = false
      if (end.position.epoch > this.epoch || comparePositions(end.position, known) < 0) {
        this.#endBehind(end.position, known)
        proof.done.reject(this.ended.reason as Error)
        return
      }
      this.#provenMs = begunMs
      proof.done.resolve()
      this.#prove()
    }, (error: unknown) => {
      this.#proving = false
      if (!isUnsettled(error)) this.end(asUnknown(error, shard))
      proof.done.reject(error as Error)
      this.#prove()
    })
  }

  /** The journal refused or disproved this leadership: a newer one is there, or the tail that was durable is gone. */
  #endBehind(end: Position, known: Position): void {
    const { shard } = this.#parts
    this.end(comparePositions(end, known) < 0 ? tailLost(shard, end, known)
      : new ZonewiseError('JOURNAL_UNSETTLED', 'another leader took the shard', { shard, epoch: end.epoch }))
  }
}

function isUnsettled(error: unknown): error is ZonewiseError {
  return error instanceof ZonewiseError && error.code === 'JOURNAL_UNSETTLED'
}

/** Refused for want of room in the journal. */
function isFull(error: unknown): boolean {
  return isUnsettled(error) && error.cause instanceof ZonewiseError && error.cause.code === 'JOURNAL_FULL'
}

function asUnknown(error: unknown, shard: number): ZonewiseError {
  if (error instanceof ZonewiseError && !isUnsettled(error)) return error
  const reason = isUnsettled(error) ? error.context['reason'] : undefined
  return new ZonewiseError('JOURNAL_UNSETTLED', 'journal append was not settled', { shard, reason }, error)
}

/** A promise that may be rejected while nobody waits for it. */
function newSettler(): PromiseWithResolvers<void> {
  const settler = Promise.withResolvers<void>()
  settler.promise.catch(() => {})
  return settler
}
