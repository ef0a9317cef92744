/**
 * Contract of a journal: one durable, fenced log per shard. Every implementation passes test/conformance/journal.
 * Positions are ordered by (epoch, seq); seq is dense inside an epoch; (epoch, 0) is written by `lead`.
 * Each group carries a running CRC over its predecessor's, so that a reader accepts only the exact successor.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'

export type Position = { readonly epoch: number; readonly seq: number }

export const POSITION_NONE: Position = { epoch: 0, seq: 0 }

export type JournalGroup = {
  readonly position: Position
  /** The group before it, and that group's running CRC: (0,0) and 0 for the first of a journal. */
  readonly after: Position
  readonly afterCrc: number
  /** Running CRC of this group. */
  readonly crc: number
  /** What was appended; empty for the group that `lead` wrote (seq 0), which carries a random nonce instead. */
  readonly body: Uint8Array
}

export type JournalEnd = { readonly position: Position; readonly crc: number }

/** A third outcome, not settled, is thrown as JOURNAL_UNSETTLED: repeat the same position with the same bytes. */
export type AppendOutcome =
  | { readonly kind: 'durable'; readonly position: Position; readonly crc: number }
  | { readonly kind: 'fenced'; readonly end: JournalEnd }

export type ShardJournal = {
  /**
   * Takes over: writes (epoch, 0), epoch above `above` and the journal's newest, and fences every older epoch.
   * `known` is the newest position the caller holds for durable, by default none.
   * @throws ZonewiseError JOURNAL_MISSING: the journal ends below `known`. It lost what it acknowledged, and nothing
   * was written. JOURNAL_UNSETTLED: call again, with the same `above` or a higher one.
   */
  lead(above: number, known?: Position): Promise<JournalEnd>
  /**
   * Appends `body` (referenced until settled) behind `after`; at most one append of a shard is in flight (asserted).
   * Repeating an append whose position holds the same bytes is durable, other bytes: fenced. Fenced by an end that is
   * below `after`: the journal lost what it acknowledged, the caller quarantines the shard.
   * @throws ZonewiseError JOURNAL_UNSETTLED, JOURNAL_FAILED, JOURNAL_MISSING (the whole log is gone)
   */
  append(epoch: number, after: Position, body: readonly Uint8Array[]): Promise<AppendOutcome>
  /**
   * The newest durable group (linearizable); (0,0) and crc 0 when there is none. An end below a position that the
   * caller held for durable before the call: the journal lost what it acknowledged.
   * @throws ZonewiseError JOURNAL_UNSETTLED, JOURNAL_MISSING (the whole log is gone)
   */
  end(): Promise<JournalEnd>
  /**
   * Durable groups after `after` (exclusive), in order, within both bounds but at least one if there is one.
   * Where `after` is older than what was trimmed, the first group returned names another predecessor: a gap.
   */
  read(after: Position, bounds: { readonly groupsMax: number; readonly bytesMax: number }): Promise<JournalGroup[]>
  /**
   * Calls `onGroup` for every group that becomes durable from now on, in order and each once, but maybe later than its
   * append is answered; some that were durable shortly before may come first. What was trimmed before it was delivered
   * shows as a gap. Returns the way to stop.
   */
  tail(onGroup: (group: JournalGroup) => void): () => void
  /** Lets go of groups up to `to` inclusive; always leaves the newest. A call with a fenced epoch does nothing. */
  trim(epoch: number, to: Position): Promise<void>
}

export type Journal = {
  /** @throws ZonewiseError JOURNAL_MISSING where `create` was never called for it. */
  shard(shard: number): Promise<ShardJournal>
  /**
   * Creates the empty log of a shard; cluster creation only. Idempotent.
   * @throws ZonewiseError JOURNAL_MISSING: it was created before and is gone
   */
  create(shard: number): Promise<void>
  /** The cluster that owns the journal, or null. */
  clusterId(): Promise<string | null>
  /** Written once. @throws ZonewiseError CLUSTER_MISMATCH: the journal belongs to another cluster */
  setClusterId(clusterId: string): Promise<void>
  close(): Promise<void>
}

export function comparePositions(a: Position, b: Position): number {
  return a.epoch - b.epoch || a.seq - b.seq
}

/** As positions are said in log lines, and as Redis has them. */
export function positionText({ epoch, seq }: Position): string {
  return `${epoch}-${seq}`
}

/** The journal ends below what was durable: nobody may go on from there. */
export function tailLost(shard: number, end: Position, known: Position): ZonewiseError {
  return new ZonewiseError('JOURNAL_MISSING', 'the journal lost what it acknowledged', {
    shard, journal: positionText(end), known: positionText(known)
  })
}

/** @throws ZonewiseError CLUSTER_MISMATCH */
export function assertSameCluster(held: string | null, clusterId: string): void {
  if (held !== null && held !== clusterId)
    throw new ZonewiseError('CLUSTER_MISMATCH', 'the journal belongs to another cluster', { journal: held, clusterId })
}
