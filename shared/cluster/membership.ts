/** Immutable, versioned snapshots of who is in the cluster. Static in one process for now, Redis later. */

export type ListenerInfo = {
  readonly name: string; readonly zone: string
  readonly host: string; readonly port: number
  readonly advertisedHost: string; readonly advertisedPort: number
}

/** The wall clock of a node as it announced it, and our own monotonic clock when we heard it. */
export type AnnouncedClock = { readonly wallMs: number; readonly heardMs: number }

export type NodeInfo = {
  readonly nodeId: number
  readonly nodeEpoch: number
  readonly zone: string
  readonly roles: { readonly gateway: boolean; readonly broker: boolean }
  readonly listeners: readonly ListenerInfo[] // empty for a broker-only node
  readonly clock?: AnnouncedClock // none where all nodes share one, which proves nothing
}

export type ClusterSnapshot = {
  readonly version: number
  readonly clusterId: string
  readonly shardCount: number // data shards 0..shardCount-1; the catalog is CATALOG_SHARD
  readonly nodes: readonly NodeInfo[] // ascending nodeId; live ones only
}

export const CATALOG_SHARD = 0xffff

export type Membership = {
  current(): ClusterSnapshot
  /** Calls `fn` at every change, with the new snapshot; returns the way to stop. */
  watch(fn: (snapshot: ClusterSnapshot) => void): () => void
}
