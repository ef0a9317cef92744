/** What is decided once, when a cluster is made, and asked at each start of a node. */
import { uuidFromBytes } from '#shared/binary/uuid.ts'
import { agreeOnClusterId, hasLived } from '#shared/cluster/cluster-id.ts'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { agreeOnShardCount } from '#shared/cluster/shard-count.ts'
import type { Journal } from '#shared/journal/journal.ts'
import type { Chance } from '#shared/runtime/runtime.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'

export type ClusterFacts = { readonly clusterId: string; readonly shardCount: number }

/**
 * The id and the number of shards that store and journal agree on; where there are none, a cluster is made.
 * @throws ZonewiseError of store and journal; CLUSTER_MISMATCH, JOURNAL_MISSING
 */
export async function agreeOnCluster(
  store: ObjectStore, journal: Journal, chance: Chance, shardsWanted: number
): Promise<ClusterFacts> {
  const clusterId = await agreeOnClusterId(store, journal, uuidFromBytes(chance.bytes(16)))
  const shardCount = await agreeOnShardCount(store, shardsWanted)
  // Only a cluster that is just being made gets new journals: one that lost a journal must not go on from nothing.
  const isMade = await hasLived(store)
  const shards = [...Array(shardCount).keys(), CATALOG_SHARD]
  await Promise.all(shards.map((shard) => (isMade ? journal.shard(shard) : journal.create(shard))))
  return { clusterId, shardCount }
}

export function shardName(shard: number): string {
  return shard === CATALOG_SHARD ? 'the catalog' : `shard ${shard}`
}
