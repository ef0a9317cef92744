/**
 * Contract of a journal: one durable, fenced log per shard. Every implementation passes test/conformance/journal.
 * Positions are ordered by (epoch, seq); seq is dense inside an epoch; (epoch, 0) is written by `lead`.
 * Each group carries a running CRC over its predecessor's, so that a reader accepts only the exact successor.
 */
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
  /** Takes over: writes (epoch, 0), epoch above `above` and the journal's newest, and fences every older epoch. */
  lead(above: number): Promise<JournalEnd>
  /**
   * Appends `body` (referenced until settled) behind `after`; at most one append of a shard is in flight (asserted).
   * Repeating an append whose position holds the same bytes is durable, other bytes: fenced.
   * @throws ZonewiseError JOURNAL_UNSETTLED, JOURNAL_FAILED
   */
  append(epoch: number, after: Position, body: readonly Uint8Array[]): Promise<AppendOutcome>
  /** The newest durable group (linearizable); (0,0) and crc 0 when there is none. */
  end(): Promise<JournalEnd>
  /**
   * Durable groups after `after` (exclusive), in order, within both bounds but at least one if there is one.
   * Where `after` is older than what was trimmed, the first group returned names another predecessor: a gap.
   */
  read(after: Position, bounds: { readonly groupsMax: number; readonly bytesMax: number }): Promise<JournalGroup[]>
  /** Calls `onGroup` for every group that becomes durable from now on, in order; returns the way to stop. */
  tail(onGroup: (group: JournalGroup) => void): () => void
  /** Lets go of groups up to `to` inclusive; always leaves the newest. A call with a fenced epoch does nothing. */
  trim(epoch: number, to: Position): Promise<void>
}

export type Journal = {
  /** @throws ZonewiseError JOURNAL_MISSING where `create` was never called for it. */
  shard(shard: number): Promise<ShardJournal>
  /** Creates the empty log of a shard; cluster creation only. Idempotent. */
  create(shard: number): Promise<void>
  /** The cluster that owns the journal, or null. */
  clusterId(): Promise<string | null>
  setClusterId(clusterId: string): Promise<void>
  close(): Promise<void>
}

export function comparePositions(a: Position, b: Position): number {
  return a.epoch - b.epoch || a.seq - b.seq
}
