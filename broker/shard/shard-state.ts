/**
 * The state of a shard, changed by `applyEntry` only: on the leader (speculative), on views and in recovery (durable).
 * Pure. The index of where bytes lie is not here: views have it (broker/shard/shard-index.ts).
 */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { applyCatalogEntry, newCatalogState, type CatalogState } from '../catalog/catalog-state.ts'
import { applyGroupEntry, newGroupsState, type GroupsState } from '../group/groups-state.ts'
import { applyPartitionEntry, newPartitionsState, type PartitionsState } from '../partition/partitions-state.ts'
import { ENTRY_KIND, type Entry } from './entry.ts'

export type ShardState = {
  timeMs: number // newest entry's
  readonly partitions: PartitionsState
  readonly groups: GroupsState
  readonly catalog: CatalogState // empty on data shards
}

export function newShardState(): ShardState {
  return { timeMs: 0, partitions: newPartitionsState(), groups: newGroupsState(), catalog: newCatalogState() }
}

/** @throws ZonewiseError FORMAT_TOO_NEW: unknown kind, the shard must be quarantined. */
export function applyEntry(state: ShardState, entry: Entry, timeMs: number): void {
  if (timeMs > state.timeMs) state.timeMs = timeMs
  const { kind } = entry
  if (kind < ENTRY_KIND.groupGeneration) applyPartitionEntry(state.partitions, entry, timeMs)
  else if (kind < ENTRY_KIND.cluster) applyGroupEntry(state.groups, entry, timeMs)
  else if (kind <= ENTRY_KIND.nodeLife) applyCatalogEntry(state.catalog, entry, timeMs)
  else throw new ZonewiseError('FORMAT_TOO_NEW', 'journal entry of an unknown kind', { kind })
}
