/**
 * The life number of a node: rises at every start, and is durable in the object store before its first use, so that
 * two lives of one node never share a source or an epoch.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { ObjectStore } from '../store/object-store.ts'

export const NODES_PREFIX = 'meta/nodes/'
const DIGITS = 12
const KEPT = 2 // newest ones; older ones say nothing more

/**
 * Takes the next epoch of `nodeId`: one above the newest, 1 at first.
 * @throws ZonewiseError STORE_*
 */
export async function nextNodeEpoch(store: ObjectStore, nodeId: number): Promise<number> {
  const prefix = `${NODES_PREFIX}${nodeId}/`
  for (;;) {
    const epochs = await listEpochs(store, prefix)
    const epoch = (epochs.at(-1) ?? 0) + 1
    try {
      await store.putIfAbsent(keyOf(prefix, epoch), [])
    } catch (error) {
      if (error instanceof ZonewiseError && error.code === 'OBJECT_EXISTS') continue // another start was faster
      throw error
    }
    for (const old of epochs.slice(0, 1 - KEPT)) await store.delete(keyOf(prefix, old))
    return epoch
  }
}

function keyOf(prefix: string, epoch: number): string {
  return `${prefix}${String(epoch).padStart(DIGITS, '0')}`
}

async function listEpochs(store: ObjectStore, prefix: string): Promise<number[]> {
  const epochs: number[] = []
  for (let after = ''; ;) {
    const page = await store.list(prefix, { after })
    if (page.length === 0) return epochs
    after = page.at(-1)!.key
    for (const { key } of page) epochs.push(Number(key.slice(prefix.length)))
  }
}
