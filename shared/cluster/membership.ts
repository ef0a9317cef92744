/** Immutable, versioned snapshots of who is in the cluster: set by the composer of one process, or by the registry. */
import type { VersionRange } from './cluster-version.ts'

export type NodeAddress = { readonly host: string; readonly port: number }

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
  readonly rpc?: NodeAddress // where other nodes reach it; absent inside one process
  readonly draining?: boolean // starts or stops just now: serves, but is placed and named for nothing new
  readonly stopping?: boolean // draining, and its clients are awaited in another zone if theirs has no other gateway
}

/** Who lists a shard as led, and since which epoch of its journal. */
export type ShardLease = { readonly nodeId: number; readonly epoch: number }

export type ClusterSnapshot = {
  readonly version: number
  readonly clusterId: string
  readonly shardCount: number // data shards 0..shardCount-1; the catalog is CATALOG_SHARD
  readonly nodes: readonly NodeInfo[] // ascending nodeId; live ones only
  /** Shards that a live node lists as led by itself. Absent inside one process: there placement alone decides. */
  readonly leases?: ReadonlyMap<number, ShardLease>
}

export const CATALOG_SHARD = 0xffff

export type Membership = {
  current(): ClusterSnapshot
  /** What the software of each live node reads and writes. */
  versions(): readonly VersionRange[]
  /** Clocks of other live nodes by node id; empty where all nodes share one, which proves nothing. */
  clocks(): ReadonlyMap<number, AnnouncedClock>
  /** Calls `fn` at every change, with the new snapshot; returns the way to stop. */
  watch(fn: (snapshot: ClusterSnapshot) => void): () => void
}

/** A node's side of leases: they say who leads, for liveness and routing only; safety is the journal's. */
export type Leases = {
  /** Whether this node's lease is valid, as far as it knows: without it nothing is taken up. */
  readonly isHeld: boolean
  /** Lists a shard that this node leads from `epoch` on. */
  list(shard: number, epoch: number): void
  /** Takes it off the list; resolves when the registry knows, or cannot be told. Before that nobody else takes it. */
  unlist(shard: number): Promise<void>
  /** Calls `fn` when the lease ran out without having been renewed; returns the way to stop. */
  onLost(fn: () => void): () => void
  /** Calls `fn` when the registry lost what it knew: what else lies where it does may be gone, too. As onLost. */
  onForgotten(fn: () => void): () => void
}

/** Leases of a process that is the whole cluster. */
export const NO_LEASES: Leases = {
  isHeld: true, list() {}, unlist: () => Promise.resolve(), onLost: () => () => {}, onForgotten: () => () => {}
}
