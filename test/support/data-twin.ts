/** A gateway with a real ingest and fetcher in front of a `BrokerTwin`, on a memory store and time that stands still. */
import { gatewaySettings, type GatewaySettings } from '#gateway/config.ts'
import type { GatewayServices } from '#gateway/api/handler.ts'
import { Fetcher } from '#gateway/fetch/fetcher.ts'
import { Ingest } from '#gateway/ingest/ingest.ts'
import { ClientZones } from '#gateway/zone/client-zones.ts'
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { FaultyStore } from '#shared/store/faulty-store.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import { InProcessNetwork } from '#shared/transport/in-process.ts'
import { BrokerTwin } from './broker-twin.ts'
import { CLUSTER_ID, gatewayTwin, nodeOf, snapshotOf, type CatalogTwin, type RecordingLog } from './gateway-twin.ts'
import type { ManualRuntime } from './manual-runtime.ts'

export type DataTwin = {
  readonly services: GatewayServices
  readonly runtime: ManualRuntime
  readonly catalog: CatalogTwin
  readonly log: RecordingLog
  readonly memory: MemoryStore
  readonly pool: MemoryPool // of payload
  readonly store: FaultyStore // what the gateway writes through
  readonly membership: StaticMembership
  readonly network: InProcessNetwork
  readonly ingest: Ingest
  readonly broker: BrokerTwin
}

/** One node of both roles in az1; the log cache is off unless given, so that reads go through the zone's reader. */
export function dataTwin(given: Partial<GatewaySettings> = {}): DataTwin {
  const { services, runtime, catalog, log } = gatewayTwin(given)
  const settings: GatewaySettings = { ...gatewaySettings.defaults(), logCacheBytesMax: 0, ...given }
  const node = nodeOf(1, 'az1')
  const membership = new StaticMembership(snapshotOf([node]))
  const network = new InProcessNetwork({ ledger: new Ledger(), timer: runtime.timer })
  const transport = network.attach(node)
  const memory = new MemoryStore(runtime.clock)
  const pool = new MemoryPool({ regionBytes: 2 ** 20, poison: true })
  const store = new FaultyStore(memory, runtime.timer, runtime.chance)
  const broker = new BrokerTwin(transport, memory, pool, runtime)
  const ingest = new Ingest({ nodeId: 1, nodeEpoch: 7, clusterId: CLUSTER_ID, store, memory: pool, transport, membership, runtime, log, settings })
  const clientZones = new ClientZones({ membership, nodeId: 1, zone: 'az1', zones: [], followsClaims: false, runtime })
  const fetcher = new Fetcher({ zone: 'az1', membership, transport, cache: ingest.cache, clock: runtime.clock, log, settings })
  return {
    services: { ...services, settings, transport, membership, clientZones, ingest, fetcher },
    runtime, catalog, log, memory, pool, store, membership, network, ingest, broker
  }
}
