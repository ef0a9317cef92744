/** What the nodes of all grounds are made of, whoever tells them of each other. */
import type { NodeParts } from '#cli/node/node.ts'
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import type { ListenerInfo, NodeInfo } from '#shared/cluster/membership.ts'
import type { Ledger } from '#shared/ledger/ledger.ts'
import type { Log } from '#shared/log/log.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import { MeasuredStore } from '#shared/store/measured-store.ts'
import type { InProcessNetwork } from '#shared/transport/in-process.ts'
import type { HostNetwork, SimNetwork } from '../engine/sim-network.ts'
import type { Footing } from './ground.ts'
import type { Life } from './life.ts'
import { hostOf, PORT, type Seams } from './machine.ts'
import type { Layout, NodeLayout } from './settings.ts'

export type NodeMakerParts = {
  readonly layout: Layout
  readonly network: SimNetwork
  readonly hub: InProcessNetwork
  readonly ledger: Ledger
  readonly seams: Seams
  /** Takes what a handler threw by a bug. */
  readonly onBug: (error: unknown) => void
  readonly logOf: (node: string, life: Life) => Log
}

type Common = Omit<NodeParts, 'info' | 'membership' | 'leases' | 'transport' | 'onFatal' | 'network'>

const MEMORY_REGION_BYTES = 4 * 2 ** 20 // of a small node

/** A node of a life, its network included. */
export function commonParts(
  { layout, network, ledger, seams, logOf }: NodeMakerParts, { nodeId, nodeEpoch, zone }: NodeInfo,
  footing: Footing, life: Life
): Common & { readonly network: HostNetwork } {
  const host = network.host(hostOf(nodeId))
  host.frozenMs = () => life.frozenMs
  life.onEnd(() => { host.kill() })
  const store = new MeasuredStore(footing.store, { ledger, zone, clock: life.runtime.clock })
  return {
    memory: new MemoryPool({ regionBytes: MEMORY_REGION_BYTES, poison: true }),
    network: host, ledger, runtime: life.runtime, log: logOf(`n${nodeId}.${nodeEpoch}`, life), metrics: new Metrics(),
    journal: seams.journal?.(footing.journal, life) ?? footing.journal, store: seams.store?.(store, life) ?? store,
    gatewaySettings: layout.gateway, brokerSettings: layout.broker
  }
}

/** Where clients find the node. */
export function listenersOf({ nodeId, zone, roles }: NodeLayout): readonly ListenerInfo[] {
  const address = hostOf(nodeId)
  const listener = { name: 'client', zone, host: address, port: PORT, advertisedHost: address, advertisedPort: PORT }
  return roles.gateway ? [listener] : []
}
