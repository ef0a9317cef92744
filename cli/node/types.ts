/** What starting a node in this process needs, and what a running one offers. */
import type { BrokerSettings } from '#broker/config.ts'
import type { GatewaySettings } from '#gateway/config.ts'
import type { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { MemoryPool } from '#shared/binary/memory-pool.ts'
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import type { Log } from '#shared/log/log.ts'
import type { Metrics } from '#shared/metrics/metrics.ts'
import type { Network } from '#shared/runtime/network.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { ClusterLedger } from './cluster-ledger.ts'
import type { NodeRow } from './cluster-nodes.ts'
import type { StoreSettings } from '#shared/store/config.ts'
import type { Env } from './open-store.ts'

/** One listener, as `--listener` gave it: each zone's listener makes a node of its own (ids 1, 2, 3 in their order). */
export type ListenerSpec = {
  readonly name: string
  readonly zone: string
  readonly host: string
  readonly port: number // 0: any free port
  readonly advertisedHost: string
  readonly advertisedPort: number // 0: the port that was bound
}

export type StartOptions = {
  readonly data: string // folder of the journal, and of the store unless `store` names another
  readonly store: string | undefined // 'file:DIR' | 'memory:' | 's3://bucket/prefix'
  readonly journal: string | undefined // 'file:DIR' | 'memory:'
  readonly listeners: readonly ListenerSpec[]
  readonly shards: number // of a new cluster; an old one keeps its own
  readonly gatewaySettings: GatewaySettings
  readonly brokerSettings: BrokerSettings
  readonly storeSettings: StoreSettings
  readonly env: Env
  readonly memory: MemoryPool // of payload, of all nodes
  readonly runtime: Runtime
  readonly network: Network
  readonly log: Log
  readonly metrics: Metrics
  /** Nothing can be made durable any more: the process must end, the next start recovers. */
  readonly onFatal: (error: ZonewiseError) => void
}

export type Endpoint = { readonly zone: string; readonly host: string; readonly port: number; readonly nodeId: number }

/** `missing` says in words what the node waits for; `settled`: all of that needs a human, the rest is served. */
export type Readiness = { readonly ready: boolean; readonly missing: readonly string[]; readonly settled: boolean }

export type Running = {
  readonly endpoints: readonly Endpoint[] // as advertised, in the order of the listeners
  ready(): Promise<Readiness>
  ledger(): readonly LedgerRow[]
  /** Of all nodes, where there are others. */
  readonly clusterLedger?: () => Promise<ClusterLedger>
  /** Those that live, by id. */
  nodes(): Promise<readonly NodeRow[]>
  /** Tells a node to drain, or to serve again. @throws ZonewiseError REQUEST_REFUSED, RPC_* */
  drain(nodeId: number, draining: boolean): Promise<void>
  metricsText(): string
  /** Drains, writes snapshots and gives the folder back. */
  stop(): Promise<void>
}
