/** The number of data shards, fixed when a cluster is made; it stands in the store beside the cluster's id. */
import { sealJson } from '../binary/sealed-json.ts'
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { readMeta } from './store-meta.ts'

const KEY = 'meta/shards'
const FORMAT = 1

/**
 * The number that the cluster has; a new one takes `wanted`.
 * @throws ZonewiseError OBJECT_CORRUPT, FORMAT_TOO_NEW, STORE_*
 */
export async function agreeOnShardCount(store: ObjectStore, wanted: number): Promise<number> {
  try {
    await store.putIfAbsent(KEY, [sealJson({ format: FORMAT, shardCount: wanted })])
    return wanted
  } catch (error) {
    if (!(error instanceof ZonewiseError) || error.code !== 'OBJECT_EXISTS') throw error
  }
  return Number((await readMeta(store, KEY, FORMAT))?.['shardCount'])
}
