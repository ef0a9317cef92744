/**
 * Which gateway of a zone clients are told for a partition or a group: consistent hashing over the zone's gateways, so
 * that a gateway that comes or goes moves its own share only. Pure: control points follow from node ids alone (the
 * package draws random ones unless given them), so every node computes the same ring. Rings are built once a snapshot.
 */
import ConsistentHash from 'consistent-hash'
import { hashNumbers, hashText, hashTextAndNumber } from './hash.ts'
import type { ClusterSnapshot, NodeInfo } from './membership.ts'

/** What the operator decided, from the catalog. Keep one object a version: rings are kept by it. */
export type RingOverrides = {
  readonly weights: ReadonlyMap<number, number> // node id to its share relative to 1; 0: named for nothing
}

export const NO_OVERRIDES: RingOverrides = { weights: new Map() }

// The package hashes a name to 24 bits and shifts it by 5; a ring of 2^29 makes its modulo do nothing.
const RING = { hashBits: 24, range: 2 ** 29, pointsPerNode: 256, weightMax: 16 } as const

type Rings = Map<string, ConsistentHash<NodeInfo> | null> // by zone; null: no gateway to name

const ringsOf = new WeakMap<ClusterSnapshot, WeakMap<RingOverrides, Rings>>()
const gatewayLists = new WeakMap<ClusterSnapshot, Map<string, readonly NodeInfo[]>>()
const NONE: readonly NodeInfo[] = Object.freeze([])

/**
 * The live gateways of a zone, by node id. Those that drain are left out unless all of the zone do: then they serve on,
 * because clients are not sent to another zone while their own has somebody. Those that stop, and have clients awaited
 * elsewhere, are left out for good, unless there is no other gateway in any zone.
 */
export function gatewaysOf(snapshot: ClusterSnapshot, zone: string): readonly NodeInfo[] {
  let lists = gatewayLists.get(snapshot)
  if (lists === undefined) gatewayLists.set(snapshot, (lists = newGatewayLists(snapshot)))
  return lists.get(zone) ?? NONE
}

function newGatewayLists({ nodes }: ClusterSnapshot): Map<string, readonly NodeInfo[]> {
  const zones = Map.groupBy(nodes.filter(({ roles }) => roles.gateway), ({ zone }) => zone)
  const lists = mapValues(zones, (gateways) => {
    const staying = gateways.filter(({ draining = false }) => !draining)
    return staying.length > 0 ? staying : gateways.filter((node) => isListening(node) && node.stopping !== true)
  })
  const isAnyLeft = [...lists.values()].some(({ length }) => length > 0)
  return isAnyLeft ? lists : mapValues(zones, (gateways) => gateways.filter(isListening))
}

function isListening({ listeners }: NodeInfo): boolean {
  return listeners.length > 0
}

function mapValues<K, V, W>(map: ReadonlyMap<K, V>, change: (value: V) => W): Map<K, W> {
  return new Map([...map].map(([key, value]) => [key, change(value)]))
}

/** The gateway of `zone` that Metadata names as leader of a partition; null: the zone has none. */
export function gatewayOf(
  snapshot: ClusterSnapshot, zone: string, topicId: string, partition: number, overrides: RingOverrides = NO_OVERRIDES
): NodeInfo | null {
  return pick(snapshot, zone, hashTextAndNumber(topicId, partition), overrides)
}

/** The gateway of `zone` that FindCoordinator names for a group; null: the zone has none. */
export function gatewayForGroup(
  snapshot: ClusterSnapshot, zone: string, groupId: string, overrides: RingOverrides = NO_OVERRIDES
): NodeInfo | null {
  return pick(snapshot, zone, hashText(groupId), overrides)
}

/**
 * The zone whose gateways serve clients of `zone`: itself, or while it has no gateway another one, drawn by hash so
 * that all nodes say the same; null: no gateway is alive anywhere.
 */
export function servingZone(snapshot: ClusterSnapshot, zone: string): string | null {
  if (gatewaysOf(snapshot, zone).length > 0) return zone
  let best: { readonly zone: string; readonly rank: number } | null = null
  for (const node of snapshot.nodes) {
    if (gatewaysOf(snapshot, node.zone).length === 0) continue
    const rank = hashText(`${zone}\0${node.zone}`)
    if (best === null || rank > best.rank) best = { zone: node.zone, rank }
  }
  return best?.zone ?? null
}

function pick(snapshot: ClusterSnapshot, zone: string, hash: number, overrides: RingOverrides): NodeInfo | null {
  const gateways = gatewaysOf(snapshot, zone)
  if (gateways.length === 1 && overrides === NO_OVERRIDES) return gateways[0]!
  return ringOf(snapshot, zone, overrides)?.get(nameOf(hash >>> (32 - RING.hashBits))) ?? null
}

/**
 * A name that the package's own string hash (PJW: h * 16 + code) maps to `value` itself: six characters with the codes
 * 0-15. Its hash spreads similar names badly; ours has done the work before.
 */
function nameOf(value: number): string {
  return String.fromCharCode(
    value >>> 20, (value >>> 16) & 15, (value >>> 12) & 15, (value >>> 8) & 15, (value >>> 4) & 15, value & 15
  )
}

function ringOf(snapshot: ClusterSnapshot, zone: string, overrides: RingOverrides): ConsistentHash<NodeInfo> | null {
  let byOverrides = ringsOf.get(snapshot)
  if (byOverrides === undefined) ringsOf.set(snapshot, (byOverrides = new WeakMap()))
  let rings = byOverrides.get(overrides)
  if (rings === undefined) byOverrides.set(overrides, (rings = new Map()))
  let ring = rings.get(zone)
  if (ring === undefined) rings.set(zone, (ring = buildRing(gatewaysOf(snapshot, zone), overrides)))
  return ring
}

function buildRing(gateways: readonly NodeInfo[], overrides: RingOverrides): ConsistentHash<NodeInfo> | null {
  const ring = new ConsistentHash<NodeInfo>({ range: RING.range })
  for (const gateway of gateways) {
    const weight = Math.min(overrides.weights.get(gateway.nodeId) ?? 1, RING.weightMax)
    const count = Math.round(RING.pointsPerNode * weight)
    if (count > 0) ring.add(gateway, count, controlPoints(gateway.nodeId, count))
  }
  return ring.nodeCount === 0 ? null : ring
}

function controlPoints(nodeId: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => hashNumbers('ring', nodeId, i) % RING.range)
}
