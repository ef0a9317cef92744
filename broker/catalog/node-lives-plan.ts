/**
 * Which lives of nodes the catalog takes down, and which are dead and to be closed in every shard, so that nothing of
 * them is ever decided again (DESIGN section 4, 5). Pure. A life is dead when a newer one of its node was seen, or when
 * the node was away for so long that whoever runs it knows.
 */
import type { ClosedLives } from '../partition/partition-entries.ts'
import type { NodeLife } from './catalog-entries.ts'

type Node = { readonly nodeId: number; readonly nodeEpoch: number }

export type LivesPlan = {
  readonly seen: readonly NodeLife[] // to be journaled: newer than what the catalog knows
  readonly close: readonly ClosedLives[] // in every shard, then to be journaled as closed
}

/** `isGone` answers for a node that is not alive whether it was away for long enough. */
export function planLives(
  lives: ReadonlyMap<number, NodeLife>, alive: readonly Node[], isGone: (nodeId: number) => boolean
): LivesPlan {
  const seen = alive.filter(({ nodeId, nodeEpoch }) => nodeEpoch > (lives.get(nodeId)?.nodeEpoch ?? 0))
    .map(({ nodeId, nodeEpoch }) => ({ nodeId, nodeEpoch, closedEpoch: lives.get(nodeId)?.closedEpoch ?? 0 }))
  const living = new Map(alive.map(({ nodeId, nodeEpoch }) => [nodeId, nodeEpoch]))
  const close: ClosedLives[] = []
  for (const { nodeId, nodeEpoch, closedEpoch } of [...lives.values()]) {
    const newest = living.get(nodeId)
    const dead = newest === undefined ? (isGone(nodeId) ? nodeEpoch : nodeEpoch - 1) : Math.max(newest, nodeEpoch) - 1
    if (dead > closedEpoch) close.push({ nodeId, nodeEpoch: dead })
  }
  return { seen, close }
}
