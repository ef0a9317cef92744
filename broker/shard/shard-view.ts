/** What readers see of a shard: its durable state and index, followed from the leader's feed or the journal. */
import type { ShardIndex } from './shard-index.ts'
import type { ShardState } from './shard-state.ts'

export type ShardView = {
  readonly shard: number
  /** Durable: PartitionState.nextOffset is the high watermark here. */
  readonly state: ShardState
  readonly index: ShardIndex
  /** How long ago it was last proven to hold all that was durable then. */
  readonly ageMs: number
  /**
   * Resolves when the view has reached the journal's end, asked for after the call.
   * @throws ZonewiseError SHARD_QUARANTINED, JOURNAL_UNSETTLED, STOPPING
   */
  barrier(): Promise<void>
  /** Somebody reads, or waits for news for `aheadMs`: keeps the view following for another `viewIdleMs` after that. */
  touch(aheadMs?: number): void
  /** Calls `fn` after each applied group with the local ids of the partitions that changed; returns the way to stop. */
  onAdvance(fn: (localIds: ReadonlySet<number>) => void): () => void
}

export type ShardViews = {
  /** The view of a shard on this node, started on demand; its first answer comes after a barrier. @throws as barrier */
  view(shard: number): Promise<ShardView>
}
