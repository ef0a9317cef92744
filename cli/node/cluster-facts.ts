/** What is decided once, when a cluster is made, and asked at each start of a node. */
import { uuidFromBytes } from '#shared/binary/uuid.ts'
import { agreeOnClusterId } from '#shared/cluster/cluster-id.ts'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Journal } from '#shared/journal/journal.ts'
import type { Chance } from '#shared/runtime/runtime.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'

/** The number of shards stands beside the cluster's id. */
const SHARDS_KEY = 'meta/shards'

export type ClusterFacts = { readonly clusterId: string; readonly shardCount: number }

/**
 * The id and the number of shards that store and journal agree on; where there are none, a cluster is made.
 * @throws ZonewiseError of store and journal; CLUSTER_MISMATCH, JOURNAL_MISSING
 */
export async function agreeOnCluster(
  store: ObjectStore, journal: Journal, chance: Chance, shardsWanted: number
): Promise<ClusterFacts> {
  const clusterId = await agreeOnClusterId(store, journal, uuidFromBytes(chance.bytes(16)))
  const shardCount = await agreeOnShards(store, shardsWanted)
  await Promise.all([...Array(shardCount).keys(), CATALOG_SHARD].map((shard) => journal.create(shard)))
  return { clusterId, shardCount }
}

async function agreeOnShards(store: ObjectStore, wanted: number): Promise<number> {
  try {
    await store.putIfAbsent(SHARDS_KEY, [new TextEncoder().encode(String(wanted))])
    return wanted
  } catch (error) {
    if (!(error instanceof ZonewiseError) || error.code !== 'OBJECT_EXISTS') throw error
    return Number(new TextDecoder().decode(await store.get(SHARDS_KEY)))
  }
}

/** What a gateway needs: a PUT that lasts. The object is deleted again. */
export async function proveStore(store: ObjectStore, id: string): Promise<void> {
  const key = `meta/probe/${id}`
  await store.put(key, [new Uint8Array(0)])
  await store.delete(key)
}

export function shardName(shard: number): string {
  return shard === CATALOG_SHARD ? 'the catalog' : `shard ${shard}`
}
