/** From what nodes announce to a snapshot of the cluster. Pure. */
import type { Announcement } from './announcement.ts'
import type { ClusterSnapshot, NodeInfo, ShardLease } from './membership.ts'

export type SnapshotOptions = {
  readonly version: number
  readonly clusterId: string
  readonly shardCount: number
  /** Nodes to take for alive even where they announce nothing, without leases. */
  readonly kept: readonly NodeInfo[]
}

/** Where two nodes list one shard, the newer epoch is right: the journal has fenced the other. */
export function snapshotOf(announced: readonly Announcement[], options: SnapshotOptions): ClusterSnapshot {
  const { version, clusterId, shardCount, kept } = options
  const nodes = new Map<number, NodeInfo>()
  for (const node of kept) nodes.set(node.nodeId, node)
  const leases = new Map<number, ShardLease>()
  for (const { info, led } of announced) {
    nodes.set(info.nodeId, info)
    for (const [shard, epoch] of led)
      if (epoch > (leases.get(shard)?.epoch ?? -1)) leases.set(shard, { nodeId: info.nodeId, epoch })
  }
  return {
    version, clusterId, shardCount, leases,
    nodes: [...nodes.values()].sort((a, b) => a.nodeId - b.nodeId)
  }
}
