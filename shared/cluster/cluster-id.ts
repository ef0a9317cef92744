/** The cluster's id: written once to the store and once to the journal, so that nobody mixes two clusters. */
import { sealJson } from '../binary/sealed-json.ts'
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { Journal } from '../journal/journal.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { NODES_PREFIX } from './node-epoch.ts'
import { readMeta } from './store-meta.ts'

const KEY = 'meta/cluster'
const FORMAT = 1
/** What is there only once a cluster was made: nodes take their epochs when all else is done. */
const SIGNS_OF_LIFE = [NODES_PREFIX, 'snapshots/', 'chunks/']

/**
 * The id that store and journal agree on; where neither has one, `created` becomes it.
 * @throws ZonewiseError CLUSTER_MISMATCH; JOURNAL_MISSING: the store belongs to a cluster, but the journal is empty;
 * OBJECT_CORRUPT, FORMAT_TOO_NEW
 */
export async function agreeOnClusterId(store: ObjectStore, journal: Journal, created: string): Promise<string> {
  let journalId = await journal.clusterId()
  let storeId = await readClusterId(store)
  if (storeId === null && journalId !== null)
    throw new ZonewiseError('CLUSTER_MISMATCH', 'the journal belongs to a cluster, the store to none', { journal: journalId })
  if (storeId === null) storeId = await createId(store, created)
  // An unnamed journal beside a named store: a crash between the two writes of a new cluster, or a lost journal. Only
  // in the first case is there nothing in the store that the journal must continue.
  if (journalId === null) {
    if (!await hasLived(store)) {
      await journal.setClusterId(storeId)
      return storeId
    }
    journalId = await journal.clusterId() // others may have made the cluster, and lived, since it was asked
    if (journalId === null) throw new ZonewiseError('JOURNAL_MISSING', 'the store is in use, but its journal is empty', { store: storeId })
  }
  if (journalId !== storeId)
    throw new ZonewiseError('CLUSTER_MISMATCH', 'store and journal belong to different clusters', { store: storeId, journal: journalId })
  return storeId
}

/** Whether the cluster was made: a node of it has started. */
export async function hasLived(store: ObjectStore): Promise<boolean> {
  for (const prefix of SIGNS_OF_LIFE) if ((await store.list(prefix, { max: 1 })).length > 0) return true
  return false
}

/** What the store says; null: it is of no cluster yet. @throws ZonewiseError OBJECT_CORRUPT, FORMAT_TOO_NEW, STORE_* */
export async function readClusterId(store: ObjectStore): Promise<string | null> {
  const meta = await readMeta(store, KEY, FORMAT)
  return meta === null ? null : String(meta['clusterId'])
}

async function createId(store: ObjectStore, created: string): Promise<string> {
  try {
    await store.putIfAbsent(KEY, [sealJson({ format: FORMAT, clusterId: created })])
    return created
  } catch (error) {
    if (!(error instanceof ZonewiseError) || error.code !== 'OBJECT_EXISTS') throw error
    return (await readClusterId(store))!
  }
}
