/** What varies between runs: drawn from the seed, small enough that every bound is met within seconds. */
import { brokerSettings, type BrokerSettings } from '#broker/config.ts'
import { gatewaySettings, type GatewaySettings } from '#gateway/config.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import { transportSettings, type TransportSettings } from '#shared/transport/config.ts'

export type NodeLayout = {
  readonly nodeId: number; readonly zone: string;
  readonly roles: { readonly gateway: boolean; readonly broker: boolean }
}

export type FaultKind =
  'crash' | 'crash all' | 'expel' | 'store' | 'journal' | 'rpc' | 'cut' | 'reset' | 'network' | 'freeze' | 'skew' |
  'news' | 'disk' | 'full disk' | 'partition' | 'pause' | 'redis' | 'restart' | 'clock'

export type Layout = {
  /**
   * `remote` and `local`: nodes are told who lives, and stand on a store and a journal in memory, or on files of one
   * disk. `cluster`: they find out by leases in a Redis, as the nodes of a real cluster do.
   */
  readonly ground: 'remote' | 'local' | 'cluster'
  /** What carries the calls of nodes: the carrier of one process, or on `cluster` ground streams over sockets. */
  readonly carrier: 'in-process' | 'network'
  /** What may go wrong: few kinds together show what all at once would hide. */
  readonly faults: readonly FaultKind[]
  readonly quietMs: number // mean of the pauses between two faults
  readonly nodes: readonly NodeLayout[] // by id, from 1; each zone has at least one with both roles
  readonly shardCount: number
  readonly topics: readonly { readonly name: string; readonly partitionCount: number }[]
  /** Members of the consumer group; 0: there is none. */
  readonly memberCount: number
  /** Whether a topic gets more partitions, and others come and go. */
  readonly topicsChange: boolean
  /** Batches in a thousand that streams cut into frames, where there are streams. */
  readonly bigPerMille: number
  readonly gateway: GatewaySettings
  readonly broker: BrokerSettings
  readonly transport: TransportSettings
  readonly lease: { readonly leaseMs: number; readonly leaseRenewMs: number }
}

const KiB = 1_024
const MiB = 1_024 * KiB
export const ZONES = ['a', 'b', 'c'] as const
const BOTH = { gateway: true, broker: true } as const

const LEASES = [{ leaseMs: 3_000, leaseRenewMs: 1_000 }, { leaseMs: 1_200, leaseRenewMs: 400 }] as const

const EVERYWHERE = ['crash all', 'expel', 'store', 'rpc', 'cut', 'reset', 'network', 'skew', 'news'] as const
export const FAULTS: Readonly<Record<Layout['ground'], readonly FaultKind[]>> = {
  remote: [...EVERYWHERE, 'crash', 'journal', 'freeze'],
  local: [...EVERYWHERE, 'disk', 'full disk'],
  cluster: [
    'crash', 'crash all', 'restart', 'store', 'rpc', 'reset', 'network', 'partition', 'pause', 'redis', 'clock'
  ]
}

/** A layout on another ground, or with another carrier, and what goes wrong there. */
export function placed(layout: Layout, place: Pick<Layout, 'ground' | 'carrier'>): Layout {
  return { ...layout, ...place, faults: faultsOf(place, FAULTS[place.ground]) }
}

/** Calls get lost, late and twice only where no stream carries them; streams break and are held. */
function faultsOf({ carrier }: Pick<Layout, 'carrier'>, faults: readonly FaultKind[]): readonly FaultKind[] {
  return carrier === 'in-process' ? faults : faults.map((kind) => (kind === 'rpc' ? 'cut' : kind))
}

export function drawLayout(rng: Rng): Layout {
  const roles = [BOTH, { gateway: true, broker: false }, { gateway: false, broker: true }]
  const extra = Array.from({ length: rng.below(3) }, () => ({ zone: rng.pick(ZONES), roles: rng.pick(roles) }))
  const all = [...ZONES.map((zone) => ({ zone, roles: BOTH })), ...extra]
  const ground = rng.below(3) === 0 ? 'local' : 'remote'
  const faults = drawFaults(ground, rng)
  const drawn = {
    ground, carrier: 'in-process', faults, quietMs: rng.pick([300, 900, 900, 2_000]),
    nodes: all.map((node, i) => ({ nodeId: i + 1, ...node })), shardCount: 1 + rng.below(6),
    topics: [{ name: 'orders', partitionCount: 3 }, { name: 'clicks', partitionCount: 1 }],
    memberCount: rng.pick([0, 2, 4]), topicsChange: rng.below(2) === 0,
    gateway: drawGateway(rng), broker: drawBroker(rng)
  } as const
  const lease = rng.pick(LEASES)
  if (rng.below(2) === 0) return { ...drawn, lease, transport: drawTransport(rng), bigPerMille: 0 }
  const ofCluster = drawFaults('cluster', rng)
  const carrier = rng.pick(['in-process', 'network'] as const)
  return {
    ...drawn, lease, ground: 'cluster', carrier, faults: faultsOf({ carrier }, ofCluster),
    transport: drawTransport(rng), bigPerMille: rng.pick([0, 20])
  }
}

function drawFaults(ground: Layout['ground'], rng: Rng): readonly FaultKind[] {
  const faults = FAULTS[ground].filter(() => rng.below(2) === 0)
  return faults.length === 0 ? FAULTS[ground] : faults
}

function drawGateway(rng: Rng): GatewaySettings {
  return {
    ...gatewaySettings.defaults(),
    lingerMs: rng.pick([0, 5, 20]), putsMax: rng.pick([1, 2, 4]), chunkGiveUpMs: rng.pick([300, 2_000]),
    commitWindow: rng.pick([1, 3, 8]), commitDeadlineMs: rng.pick([500, 2_000]),
    logCacheBytesMax: rng.pick([0, 16 * KiB, MiB]), readDeadlineMs: 2_000, producerIdBlock: 2,
    adminForwardTimeoutMs: 3_000, groupForwardTimeoutMs: 1_500, stopDrainMs: 1_000
  }
}

function drawBroker(rng: Rng): BrokerSettings {
  return {
    ...brokerSettings.defaults(),
    journalSettleMs: rng.pick([1_000, 3_000]), snapshotJournalBytes: rng.pick([2, 16, 256]) * KiB,
    groupBytesMax: rng.pick([2 * KiB, 4 * MiB]), viewIdleMs: rng.pick([1_000, 60_000]),
    feedQueueBytesMax: rng.pick([KiB, 64 * KiB, MiB]), feedDeadlineMs: 500,
    readCacheBytesMax: rng.pick([16 * KiB, MiB]), readsMax: rng.pick([2, 64]), readAheadBytes: rng.pick([0, 0, KiB]),
    readAheadBytesMax: 64 * KiB, planRunsMax: rng.pick([4, 16, 64]), catalogStepTimeoutMs: 2_000,
    groupInitialRebalanceDelayMs: rng.pick([0, 200]), groupMinSessionTimeoutMs: 500
  }
}

function drawTransport(rng: Rng): TransportSettings {
  return {
    ...transportSettings.defaults(),
    rpcSecret: 'what all simulated nodes know', rpcCallsMax: rng.pick([64, 4_096]),
    rpcWindowBytes: rng.pick([1, MiB]), rpcAnswerBytesMax: rng.pick([1, MiB]),
    rpcDialTimeoutMs: rng.pick([500, 3_000]), rpcReconnectMaxMs: rng.pick([100, 1_000]),
    ...rng.pick([{ rpcPingMs: 100, rpcSilenceMs: 400 }, { rpcPingMs: 500, rpcSilenceMs: 3_000 }])
  }
}
