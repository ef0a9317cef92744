/**
 * One node: gateway and broker roles put together from their parts. Everything outside comes in as an argument, so that
 * production, tests and simulation run the same composition. `nodeEpoch` is durable before the node is made.
 */
import { BlockCache } from '#broker/cache/block-cache.ts'
import { CacheMetrics } from '#broker/cache/metrics.ts'
import { CatalogDriver } from '#broker/catalog/catalog-driver.ts'
import { catalogLimits, catalogSettings, upkeepSettings } from '#broker/catalog/catalog-settings.ts'
import { CatalogView } from '#broker/catalog/catalog-view.ts'
import { exposeCatalog } from '#broker/catalog/metrics.ts'
import { serveShardTopics } from '#broker/catalog/shard-topics.ts'
import type { BrokerSettings } from '#broker/config.ts'
import { GroupCoordinator } from '#broker/group/group-coordinator.ts'
import { GroupMetrics } from '#broker/group/metrics.ts'
import { CommitService } from '#broker/partition/commit-service.ts'
import { ReaderMetrics } from '#broker/reader/metrics.ts'
import { ZoneReader } from '#broker/reader/zone-reader.ts'
import { ShardMetrics } from '#broker/shard/metrics.ts'
import { LeaderClock } from '#broker/shard/leader-clock.ts'
import { ShardHost } from '#broker/shard/shard-host.ts'
import type { GatewaySettings } from '#gateway/config.ts'
import { Fetcher } from '#gateway/fetch/fetcher.ts'
import { FetchMetrics } from '#gateway/fetch/metrics.ts'
import { Gateway } from '#gateway/gateway.ts'
import { Ingest } from '#gateway/ingest/ingest.ts'
import { IngestMetrics } from '#gateway/ingest/metrics.ts'
import type { MemoryPool } from '#shared/binary/memory-pool.ts'
import { CLUSTER_VERSIONS } from '#shared/cluster/cluster-version.ts'
import {
  NO_LEASES, type Leases, type ListenerInfo, type Membership, type NodeInfo
} from '#shared/cluster/membership.ts'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Journal } from '#shared/journal/journal.ts'
import type { Ledger } from '#shared/ledger/ledger.ts'
import type { Log } from '#shared/log/log.ts'
import type { Metrics } from '#shared/metrics/metrics.ts'
import type { Network } from '#shared/runtime/network.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import type { Transport } from '#shared/transport/transport.ts'

export type NodeParts = {
  readonly info: Pick<NodeInfo, 'nodeId' | 'nodeEpoch' | 'zone' | 'roles'>
  readonly membership: Membership // names this node already, if without listeners
  readonly leases?: Leases // none inside one process
  readonly journal: Journal
  readonly store: ObjectStore // counts in the ledger already
  readonly memory: MemoryPool // of payload; nodes of one process share it
  readonly transport: Transport
  readonly network: Network
  readonly ledger: Ledger
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
  /** The node cannot go on, and would do no better in the same life. */
  readonly onFatal: (error: ZonewiseError) => void
  readonly gatewaySettings: GatewaySettings
  readonly brokerSettings: BrokerSettings
  /** Zones that the cluster ever had; those that membership names are known in any case. */
  readonly zones?: readonly string[]
}

type GatewayRole = { readonly gateway: Gateway; readonly ingest: Ingest; readonly catalog: CatalogView }

export class ZonewiseNode {
  readonly #parts: NodeParts
  readonly #host: ShardHost
  #catalog: CatalogView | null = null
  #role: GatewayRole | null = null

  constructor(parts: NodeParts) {
    const {
      info, membership, leases = NO_LEASES, journal, store, transport, runtime, log, brokerSettings: settings
    } = parts
    const { nodeId, zone, roles } = info
    this.#parts = parts
    const clock = new LeaderClock({ nodeId, clock: runtime.clock, membership, log, settings })
    this.#host = new ShardHost({
      nodeId, leads: roles.broker, membership, leases, journal, store, transport, runtime: { ...runtime, clock }, log,
      metrics: new ShardMetrics(parts.metrics, zone), settings
    })
  }

  /** Follows the catalog, takes up the shards that placement gives to this node, serves other nodes. No client yet. */
  async start(): Promise<void> {
    const { info, runtime, metrics } = this.#parts
    this.#host.start()
    const catalog = await CatalogView.open(this.#host, runtime.timer)
    this.#catalog = catalog
    exposeCatalog(metrics, info.zone, catalog)
    if (catalog.clusterVersion() > CLUSTER_VERSIONS.max) {
      throw new ZonewiseError('FORMAT_TOO_NEW', 'the cluster went on to a version that this software does not know', {
        clusterVersion: catalog.clusterVersion(), known: CLUSTER_VERSIONS.max
      })
    }
    if (info.roles.broker) this.#serveBroker(catalog)
  }

  /** Binds the listeners of a gateway. @returns them as bound. @throws ZonewiseError PORT_IN_USE */
  async listen(listeners: readonly ListenerInfo[]): Promise<ListenerInfo[]> {
    const { info, membership, store, memory, transport, network, ledger, runtime, log, metrics, onFatal } = this.#parts
    const { gatewaySettings: settings } = this.#parts
    const catalog = this.#catalog
    if (!info.roles.gateway || catalog === null) return []
    const { nodeId, nodeEpoch, zone } = info
    const { clusterId } = membership.current()
    const ingest = new Ingest({
      nodeId, nodeEpoch, clusterId, store, memory, transport, membership, runtime, log,
      metrics: new IngestMetrics(metrics, zone), settings, onClosed: onFatal
    })
    const fetcher = new Fetcher({
      zone, membership, transport, cache: ingest.cache, clock: runtime.clock, log,
      metrics: new FetchMetrics(metrics, zone), settings
    })
    const gateway = new Gateway({
      nodeId, nodeEpoch, zone, clusterId, runtime, log, metrics, ledger, settings, membership, catalog, transport,
      ingest, fetcher, network, zones: this.#parts.zones ?? []
    })
    this.#role = { gateway, ingest, catalog }
    return gateway.start(listeners)
  }

  /** Shards that this node should lead and does not yet. */
  missingShards(): number[] {
    return this.#host.missing()
  }

  /** Why a shard is quarantined on this node, or null. */
  quarantine(shard: number): ZonewiseError | null {
    return this.#host.failure(shard)
  }

  /** Opens its view of a shard, so that damage there is found; what fails is told by `quarantine`, or tried again. */
  lookAt(shard: number): void {
    this.#host.view(shard).catch((error: unknown) => {
      this.#parts.log.debug('shard not looked at', { shard, reason: explain(error) })
    })
  }

  /** Waits until what this node led is led elsewhere, for at most `withinMs`; it was announced as draining before. */
  handedOver(withinMs: number): Promise<void> {
    return this.#host.handedOver(withinMs)
  }

  /** Whether the clients of a gateway may be sent away: others of its zone, or another zone, are ready for them. */
  async sayFarewell(): Promise<boolean> {
    return await this.#role?.gateway.sayFarewell() ?? true
  }

  /** Waits until clients had time to go to other gateways of the zone, where there are some; drains as above. */
  async clientsMoved(unlist: () => Promise<void>): Promise<void> {
    await this.#role?.gateway.clientsMoved(unlist)
  }

  /** Ends the gateway: nothing more is accepted, what was taken is decided. */
  async stopGateway(): Promise<void> {
    const role = this.#role
    this.#role = null
    if (role === null) return
    await role.gateway.stop()
    await role.ingest.stop(this.#parts.gatewaySettings.stopDrainMs)
  }

  /** Ends the broker: appends settle, changed shards are written as snapshots. Every gateway has stopped before. */
  async stopBroker(): Promise<void> {
    this.#catalog?.close()
    await this.#host.stop()
    this.#parts.transport.close()
  }

  /** Ends at once, as a crash would: nothing is flushed, nobody is told. */
  kill(): void {
    this.#role?.ingest.kill()
    this.#catalog?.close()
    this.#host.kill()
    this.#parts.transport.close()
  }

  #serveBroker(catalog: CatalogView): void {
    const { info: { zone }, membership, store, memory, transport, runtime, log, brokerSettings: settings } = this.#parts
    const { metrics } = this.#parts
    const host = this.#host
    const { shardCount } = membership.current()
    new CommitService({ host, transport, membership, catalog, log, settings })
    const cache = new BlockCache(store, memory, settings, new CacheMetrics(metrics, zone))
    new ZoneReader({
      views: host, transport, cache, runtime, log, metrics: new ReaderMetrics(metrics, zone), settings
    })
    const groups = new GroupMetrics(metrics, zone, () => host.durableStates().map((state) => state.groups))
    new GroupCoordinator({ leaders: host, transport, runtime, log, metrics: groups, settings, topics: catalog })
    new CatalogDriver({
      leaders: host, membership, transport, runtime, log, limits: catalogLimits(settings, settings),
      settings: catalogSettings(settings), upkeep: upkeepSettings(settings)
    })
    serveShardTopics({ transport, leaders: host, catalog, shardCount })
  }
}
