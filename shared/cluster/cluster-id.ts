/** The cluster's id: written once to the store and once to the journal, so that nobody mixes two clusters. */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { Journal } from '../journal/journal.ts'
import type { ObjectStore } from '../store/object-store.ts'

const KEY = 'meta/cluster'

/**
 * The id that store and journal agree on; where neither has one, `created` becomes it.
 * @throws ZonewiseError CLUSTER_MISMATCH; JOURNAL_MISSING: the store belongs to a cluster, but the journal is empty
 */
export async function agreeOnClusterId(store: ObjectStore, journal: Journal, created: string): Promise<string> {
  const journalId = await journal.clusterId()
  let storeId = await readId(store)
  if (storeId === null && journalId !== null)
    throw new ZonewiseError('CLUSTER_MISMATCH', 'the journal belongs to a cluster, the store to none', { journal: journalId })
  if (storeId === null) storeId = await createId(store, created)
  // An unnamed journal beside a named store: a crash between the two writes of a new cluster, or a lost journal. Only
  // in the first case is there nothing in the store that the journal must continue.
  if (journalId === null) {
    if ((await store.list('snapshots/', { max: 1 })).length > 0 || (await store.list('chunks/', { max: 1 })).length > 0)
      throw new ZonewiseError('JOURNAL_MISSING', 'the store holds data, but its journal is empty', { store: storeId })
    await journal.setClusterId(storeId)
    return storeId
  }
  if (journalId !== storeId)
    throw new ZonewiseError('CLUSTER_MISMATCH', 'store and journal belong to different clusters', { store: storeId, journal: journalId })
  return storeId
}

async function readId(store: ObjectStore): Promise<string | null> {
  try {
    return new TextDecoder().decode(await store.get(KEY))
  } catch (error) {
    if (error instanceof ZonewiseError && error.code === 'OBJECT_MISSING') return null
    throw error
  }
}

async function createId(store: ObjectStore, created: string): Promise<string> {
  try {
    await store.putIfAbsent(KEY, [new TextEncoder().encode(created)])
    return created
  } catch (error) {
    if (!(error instanceof ZonewiseError) || error.code !== 'OBJECT_EXISTS') throw error
    return (await readId(store))!
  }
}
