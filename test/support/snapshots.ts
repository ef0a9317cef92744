/** Membership snapshots of made-up nodes. */
import type { ClusterSnapshot, NodeInfo } from '#shared/cluster/membership.ts'

export function nodeOf(nodeId: number, zone: string, roles = { gateway: true, broker: true }): NodeInfo {
  return { nodeId, nodeEpoch: 1, zone, roles, listeners: [] }
}

/** Nodes in ascending order of their ids, in `zoneCount` zones by turns. */
export function snapshotOf(
  nodeIds: readonly number[],
  options: { readonly zoneCount?: number; readonly shardCount?: number; readonly version?: number } = {}
): ClusterSnapshot {
  const { zoneCount = 3, shardCount = 16, version = 1 } = options
  return { version, clusterId: 'test-cluster', shardCount, nodes: nodeIds.map(
    (nodeId) => nodeOf(nodeId, `az${nodeId % zoneCount}`)
  ) }
}
