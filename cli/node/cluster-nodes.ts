/** The nodes of a cluster as any of them knows them, and telling one of them to drain. */
import { decodeAnnouncement } from '#shared/cluster/announcement.ts'
import { CATALOG_SHARD, type ListenerInfo, type Membership, type NodeInfo } from '#shared/cluster/membership.ts'
import type { Registry } from '#shared/cluster/registry.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Log } from '#shared/log/log.ts'
import { drainCall } from '#shared/rpc/node.ts'
import type { Transport } from '#shared/transport/transport.ts'

const DEADLINE_MS = 5_000
const ROLES = ['gateway', 'broker'] as const

export type NodeState = 'starting' | 'serving' | 'draining' | 'stopping'

export type NodeRow = {
  readonly nodeId: number
  readonly nodeEpoch: number // rises at each start
  readonly zone: string
  readonly roles: readonly string[]
  readonly state: NodeState
  readonly kafka: readonly string[] // as clients reach it
  readonly http: string | null // as other nodes reach it; null inside one process
  readonly shards: readonly number[] // led by it, without the catalog
  readonly leadsCatalog: boolean
  readonly version: string
  readonly load: number | null // share of the time that its event loop works, 0 to 1; null: it did not say
}

/** What of the membership of a cluster this needs. */
export type DrainableMembership = Membership & {
  announce(change: { readonly draining: boolean }): Promise<void>
}

/** All nodes that live, by id. @throws ZonewiseError REGISTRY_UNAVAILABLE, REGISTRY_CORRUPT */
export async function listNodes(registry: Registry, clusterId: string): Promise<readonly NodeRow[]> {
  const { entries, vitals } = await registry.read()
  return entries.map(decodeAnnouncement).filter((announcement) => announcement.clusterId === clusterId)
    .map(({ info, software, led }) => nodeRow(info, {
      version: software, led: led.map(([shard]) => shard), load: vitals.get(info.nodeId)?.load ?? null
    }))
}

export function nodeRow(
  info: NodeInfo, { version, led, load }: Pick<NodeRow, 'version' | 'load'> & { readonly led: readonly number[] }
): NodeRow {
  const { nodeId, nodeEpoch, zone, roles, listeners, rpc } = info
  return {
    nodeId, nodeEpoch, zone, roles: ROLES.filter((role) => roles[role]), state: stateOf(info),
    kafka: listeners.map(advertisedOf), http: rpc === undefined ? null : `${rpc.host}:${rpc.port}`,
    shards: led.filter((shard) => shard !== CATALOG_SHARD).sort((a, b) => a - b),
    leadsCatalog: led.includes(CATALOG_SHARD), version, load
  }
}

/** A node announces itself as draining until it serves; a gateway that drains listens. */
function stateOf({ draining = false, stopping = false, roles, listeners }: NodeInfo): NodeState {
  if (!draining) return 'serving'
  if (stopping) return 'stopping'
  return roles.gateway && listeners.length === 0 ? 'starting' : 'draining'
}

function advertisedOf({ advertisedHost: host, advertisedPort: port }: ListenerInfo): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

export function serveDrain(transport: Transport, membership: DrainableMembership, log: Log): void {
  transport.serve(drainCall, async ({ draining }, { fromNode }) => {
    await membership.announce({ draining })
    log.info(draining ? 'told to drain' : 'told to serve again', { fromNode })
    return {}
  })
}

/**
 * Resolves when the node has announced it; its shards go elsewhere from then on.
 * @throws ZonewiseError REQUEST_REFUSED: there is no such node, or nobody to take its shards; RPC_*: it does not answer
 */
export async function drainNode(
  transport: Transport, membership: Membership, nodeId: number, draining: boolean
): Promise<void> {
  const { nodes } = membership.current()
  const node = nodes.find((one) => one.nodeId === nodeId)
  const refuse = (reason: string): never => {
    throw new ZonewiseError('REQUEST_REFUSED', 'the node cannot be drained', { nodeId, reason })
  }
  if (node === undefined) return refuse(`no node has this id; there are ${nodes.map((one) => one.nodeId).join(', ')}`)
  const takers = nodes.filter((one) => one.nodeId !== nodeId && one.roles.broker && one.draining !== true)
  if (draining && node.roles.broker && takers.length === 0) refuse('no other broker serves that could take its shards')
  await transport.call(nodeId, drainCall, { draining }, { deadlineMs: DEADLINE_MS })
}
