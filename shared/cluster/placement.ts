/**
 * Where things live, as pure functions of a membership snapshot: every node computes the same. Partitions and groups
 * hash to shards (fixed for ever); shards go to brokers by rendezvous hashing with bounded load, so that nodes and zones
 * get even shares and a node that comes or goes moves little more than its own.
 * Tables are computed once a snapshot and kept as long as it.
 */
import { hashNumbers, hashText, hashTextAndNumber } from './hash.ts'
import { CATALOG_SHARD, type ClusterSnapshot, type NodeInfo } from './membership.ts'

/** No broker is alive: a call to this node fails as to any dead one. */
export const NO_NODE = -1
const NOBODY: ReadonlySet<number> = new Set()

type Placement = {
  readonly leaders: ReadonlyMap<number, number> // shard to node id
  readonly readers: Map<string, ReadonlyMap<number, number>> // zone to (shard to node id), filled on demand
  readonly zoneBrokers: ReadonlyMap<string, readonly NodeInfo[]> // those that read for a zone
}

const placements = new WeakMap<ClusterSnapshot, Placement>()

/** The shard of a partition, in [0, shardCount). */
export function shardOfPartition(topicId: string, partition: number, shardCount: number): number {
  return hashTextAndNumber(topicId, partition) % shardCount
}

/** The shard of a consumer group or a transactional id, in [0, shardCount). */
export function shardOfGroup(groupId: string, shardCount: number): number {
  return hashText(groupId) % shardCount
}

/** The node id of the broker that should lead `shard` (CATALOG_SHARD too), or NO_NODE. */
export function targetOf(snapshot: ClusterSnapshot, shard: number): number {
  return placementOf(snapshot).leaders.get(shard) ?? NO_NODE
}

/** The node id to ask for `shard`: the broker that lists it as led, else the one that should lead it; or NO_NODE. */
export function leaderOf(snapshot: ClusterSnapshot, shard: number): number {
  return snapshot.leases?.get(shard)?.nodeId ?? targetOf(snapshot, shard)
}

/** Whether a zone has a broker: nobody else reads for its clients. */
export function hasReader(snapshot: ClusterSnapshot, zone: string): boolean {
  return readingFor(snapshot, zone).length > 0
}

/**
 * The node id of the broker that reads `shard` for `zone`, or null: the zone has no broker. In the leader's zone it is
 * the leader itself, which has a view anyway. Instead of one that is `unreachable` it is the one that comes next.
 */
export function zoneReaderOf(
  snapshot: ClusterSnapshot, zone: string, shard: number, unreachable: ReadonlySet<number> = NOBODY
): number | null {
  const reader = readersOf(snapshot, zone).get(shard) ?? null
  if (reader === null || !unreachable.has(reader)) return reader
  return highest('reader', shard, readingFor(snapshot, zone), unreachable)
}

function readersOf(snapshot: ClusterSnapshot, zone: string): ReadonlyMap<number, number> {
  const { readers } = placementOf(snapshot)
  let table = readers.get(zone)
  if (table === undefined) {
    const brokers = readingFor(snapshot, zone)
    const shards = shardsOf(snapshot)
    const leaders = new Map(shards.map((shard) => [shard, leaderOf(snapshot, shard)]))
    readers.set(zone, (table = assign('reader', shards, brokers, leaders)))
  }
  return table
}

/**
 * The node id of the broker that owns a chunk (by its name) in the caches of `zone`, or null: none is there. A broker
 * that comes or goes, or is `unreachable`, moves the chunks of its own share only: what the others have cached stays of
 * use.
 */
export function readerOfChunk(
  snapshot: ClusterSnapshot, zone: string, chunk: string, unreachable: ReadonlySet<number> = NOBODY
): number | null {
  return highest('chunk', hashText(chunk), readingFor(snapshot, zone), unreachable)
}

/** The broker that ranks highest for a key. */
function highest(
  use: string, key: number, brokers: readonly NodeInfo[], unreachable: ReadonlySet<number>
): number | null {
  let [owner, ownerRank]: [number | null, number] = [null, -1]
  for (const { nodeId } of brokers) {
    if (unreachable.has(nodeId)) continue
    const rank = hashNumbers(use, nodeId, key)
    if (rank > ownerRank) [owner, ownerRank] = [nodeId, rank]
  }
  return owner
}

function placementOf(snapshot: ClusterSnapshot): Placement {
  let found = placements.get(snapshot)
  if (found === undefined) {
    const brokers = brokersOf(snapshot)
    const leaders = assign('leader', shardsOf(snapshot), brokers, new Map())
    const byZone = Map.groupBy(snapshot.nodes.filter((node) => node.roles.broker), ({ zone }) => zone)
    const zoneBrokers = new Map([...byZone].map(([zone, own]) => [zone, staying(own)]))
    placements.set(snapshot, (found = { leaders, readers: new Map(), zoneBrokers }))
  }
  return found
}

/** The brokers that read for a zone: where all of its own drain, these go on until they end. */
function readingFor(snapshot: ClusterSnapshot, zone: string): readonly NodeInfo[] {
  return placementOf(snapshot).zoneBrokers.get(zone) ?? []
}

/** Brokers to place on. */
function brokersOf(snapshot: ClusterSnapshot): readonly NodeInfo[] {
  return staying(snapshot.nodes.filter((node) => node.roles.broker))
}

/** Those that drain get nothing, unless all do. */
function staying(nodes: readonly NodeInfo[]): readonly NodeInfo[] {
  const rest = nodes.filter(({ draining = false }) => !draining)
  return rest.length > 0 ? rest : nodes
}

function shardsOf(snapshot: ClusterSnapshot): number[] {
  return [CATALOG_SHARD, ...Array.from({ length: snapshot.shardCount }, (_, shard) => shard)]
}

/**
 * Gives each shard to the node that ranks highest for it and is not full; `fixed` ones (if their node is among
 * `nodes`) are given first. Full means the fair share rounded up, of the node and of its zone (by its count of nodes):
 * the bounds always leave room, because a zone below its bound has a node below its own.
 */
function assign(use: string, shards: readonly number[], nodes: readonly NodeInfo[], fixed: ReadonlyMap<number, number>): Map<number, number> {
  const assigned = new Map<number, number>()
  if (nodes.length === 0) return assigned
  const zoneNodes = new Map<string, number>()
  for (const { zone } of nodes) zoneNodes.set(zone, (zoneNodes.get(zone) ?? 0) + 1)
  const nodeLoadMax = Math.ceil(shards.length / nodes.length)
  const zoneLoadMax = (zone: string): number => Math.ceil((shards.length * zoneNodes.get(zone)!) / nodes.length)
  const nodeLoads = new Map<number, number>()
  const zoneLoads = new Map<string, number>()
  const give = (shard: number, { nodeId, zone }: NodeInfo): void => {
    assigned.set(shard, nodeId)
    nodeLoads.set(nodeId, (nodeLoads.get(nodeId) ?? 0) + 1)
    zoneLoads.set(zone, (zoneLoads.get(zone) ?? 0) + 1)
  }
  const isFull = ({ nodeId, zone }: NodeInfo): boolean =>
    (nodeLoads.get(nodeId) ?? 0) >= nodeLoadMax || (zoneLoads.get(zone) ?? 0) >= zoneLoadMax(zone)
  for (const shard of shards) {
    const node = nodes.find(({ nodeId }) => nodeId === fixed.get(shard))
    if (node !== undefined) give(shard, node)
  }
  for (const shard of shards) {
    if (assigned.has(shard)) continue
    const ranked = nodes
      .map((node) => ({ node, rank: hashNumbers(use, node.nodeId, shard) }))
      .sort((a, b) => b.rank - a.rank || a.node.nodeId - b.node.nodeId)
    give(shard, (ranked.find(({ node }) => !isFull(node)) ?? ranked[0]!).node)
  }
  return assigned
}
