/** What the commands of a shard (commit, groups, catalog) see of its leadership. Built by shard-host. */
import type { Entry } from './entry.ts'
import type { ShardState } from './shard-state.ts'

export type ShardLeader = {
  readonly shard: number
  readonly epoch: number
  /** Speculative: holds entries that are not durable yet. Only a decision may look at it; read and append in one go. */
  readonly state: ShardState
  /** The leader's time for a command: max(newest entry, clock), ms. */
  nowMs(): number
  /**
   * Applies `entries` to the speculative state at once, and appends them with the open group. Resolves when durable.
   * @throws ZonewiseError JOURNAL_UNSETTLED: the leadership ended meanwhile, the outcome is unknown.
   */
  append(entries: readonly Entry[]): Promise<void>
  /**
   * Resolves when all that was decided before the call is durable, and a journal read begun after the call shows no
   * newer epoch: for replies without an entry of their own. @throws as append
   */
  proof(): Promise<void>
  /** Resolves if leadership was proven within the last `maxAgeMs`, else as `proof`. */
  recentProof(maxAgeMs: number): Promise<void>
  /** Aborted when the leadership ends. */
  readonly ended: AbortSignal
}

/** Answers which shards this node leads now. */
export type ShardLeaders = {
  leader(shard: number): ShardLeader | null
  /** Calls at every begin of a leadership (state recovered, serving), and for those that lead already. */
  onLead(fn: (leader: ShardLeader) => void): void
}
