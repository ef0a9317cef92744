/**
 * What a node tells the others of itself, as JSON: its place, roles and addresses, and the shards that it lists as led
 * with the epoch since when. Fields that this version does not know are left alone: a newer node may say more.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { VersionRange } from './cluster-version.ts'
import type { ListenerInfo, NodeAddress, NodeInfo } from './membership.ts'
import type { NodeEntry } from './registry.ts'

const FORMAT = 1

export type Announcement = {
  readonly info: NodeInfo
  readonly clusterId: string
  readonly software: string // version of the product
  readonly formats: VersionRange // of `cluster.version`
  readonly led: readonly (readonly [shard: number, epoch: number])[]
}

type Content = {
  readonly format: number; readonly clusterId: string; readonly software: string; readonly formats: VersionRange
  readonly zone: string; readonly gateway: boolean; readonly broker: boolean; readonly draining: boolean
  readonly stopping: boolean
  readonly listeners: readonly ListenerInfo[]; readonly rpc: NodeAddress | null
  readonly led: readonly (readonly [number, number])[]
}

export function encodeAnnouncement({ info, clusterId, software, formats, led }: Announcement): NodeEntry {
  const { nodeId, nodeEpoch, zone, roles: { gateway, broker }, listeners, rpc = null } = info
  const { draining = false, stopping = false } = info
  const content: Content = {
    format: FORMAT, clusterId, software, formats, zone, gateway, broker, draining, stopping, listeners, rpc, led
  }
  return { nodeId, nodeEpoch, content: JSON.stringify(content) }
}

/** @throws ZonewiseError REGISTRY_CORRUPT: the entry is none of ours */
export function decodeAnnouncement({ nodeId, nodeEpoch, content }: NodeEntry): Announcement {
  let read: Partial<Content>
  try {
    read = JSON.parse(content) as Partial<Content>
  } catch (cause) {
    throw new ZonewiseError('REGISTRY_CORRUPT', 'a node\'s entry in the registry is no JSON', { nodeId }, cause)
  }
  const { clusterId, software = '', formats, zone, gateway, broker, listeners, rpc = null, led } = read
  const { draining = false, stopping = false } = read
  if (clusterId === undefined || zone === undefined || !Array.isArray(listeners) || !Array.isArray(led) || formats === undefined)
    throw new ZonewiseError('REGISTRY_CORRUPT', 'a node\'s entry in the registry lacks fields', { nodeId })
  const info: NodeInfo = {
    nodeId, nodeEpoch, zone, roles: { gateway: gateway === true, broker: broker === true }, listeners,
    ...(draining ? { draining } : {}), ...(stopping ? { stopping } : {}), ...(rpc === null ? {} : { rpc })
  }
  return { info, clusterId, software, formats, led }
}
