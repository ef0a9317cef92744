/** Checks of the cluster: that store and Redis are of the same one, and that its nodes would take this one. */
import { readClusterId } from '#shared/cluster/cluster-id.ts'
import type { Registry } from '#shared/cluster/registry.ts'
import type { Journal } from '#shared/journal/journal.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { askPeers, type PeerCheckParts } from '../node/peer-check.ts'
import { fail, failure, type Finding, ok, warn } from './finding.ts'

const CHECK = 'cluster'

/** @returns the id, where both have the same; null: another finding says why not, or there is no cluster yet. */
export async function checkClusterId(
  store: ObjectStore, journal: Journal
): Promise<{ readonly clusterId: string | null; readonly finding: Finding }> {
  const none = (finding: Finding): { clusterId: null; finding: Finding } => ({ clusterId: null, finding })
  const why = 'a node writes to one cluster only'
  try {
    const [inStore, inJournal] = [await readClusterId(store), await journal.clusterId()]
    if (inStore === inJournal) {
      const found = inStore === null ? 'store and Redis are empty: the first start makes a cluster'
        : `store and Redis are of cluster ${inStore}`
      return { clusterId: inStore, finding: ok(CHECK, found) }
    }
    if (inJournal === null) {
      return none(fail(CHECK, {
        found: `the store is of cluster ${inStore}, Redis has no journals of it`, why: 'nothing goes on from nothing',
        cure: 'restore Redis from its append-only file or a backup, or correct --journal (address and prefix)'
      }))
    }
    const found = inStore === null ? `Redis is of cluster ${inJournal}, the store of none`
      : `the store is of cluster ${inStore}, Redis of ${inJournal}`
    const cure = 'point --store and --journal at the same cluster, or give a new one a prefix of its own'
    return none(fail(CHECK, { found, why, cure }))
  } catch (error) {
    return none(failure(CHECK, error, why))
  }
}

/** Whether a live process has this node id. */
export async function isNodeLive(registry: Registry, nodeId: number): Promise<boolean> {
  return await registry.holder(nodeId) !== null
}

export async function checkPeers(parts: PeerCheckParts): Promise<readonly Finding[]> {
  const why = 'nodes pass each other what clients ask'
  try {
    const answers = await askPeers(parts)
    if (answers.length === 0) return [ok('nodes', 'no other node lives')]
    return answers.map(({ peer: { nodeId, zone, rpc }, refusal, isReached }) => {
      const who = `node ${nodeId} (${zone}) at ${rpc === undefined ? 'no address' : `${rpc.host}:${rpc.port}`}`
      if (refusal !== null) {
        const cure = 'give this node the version, cluster and secret of the others'
        return fail('nodes', { found: `${who} refuses this node: ${refusal}`, why, cure })
      }
      if (isReached) return ok('nodes', `${who} takes this node`)
      const cure = 'look at the network between the nodes, and at --http-advertised of that node'
      return warn('nodes', { found: `${who} cannot be reached from here`, why, cure })
    })
  } catch (error) {
    return [failure('nodes', error, why)]
  }
}
