/** Shard hosts of nodes that find each other through a registry in memory, over one journal, store and network. */
import { brokerSettings, type BrokerSettings } from '#broker/config.ts'
import { ShardHost } from '#broker/shard/shard-host.ts'
import { ClusterMembership } from '#shared/cluster/cluster-membership.ts'
import { MemoryRegistry, MemoryRegistryMedium } from '#shared/cluster/memory-registry.ts'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { POSITION_NONE } from '#shared/journal/journal.ts'
import { MemoryJournal, MemoryJournalMedium } from '#shared/journal/memory-journal.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import { InProcessNetwork } from '#shared/transport/in-process.ts'
import { RecordingLog } from './gateway-twin.ts'
import { ManualRuntime } from './manual-runtime.ts'
import { nodeOf } from './snapshots.ts'

export const LEASE = { leaseMs: 3_000, leaseRenewMs: 1_000 }
export const SHARD_COUNT = 6
export const ALL_SHARDS: readonly number[] = [...Array(SHARD_COUNT).keys(), CATALOG_SHARD]

export type LeasedNode = {
  readonly host: ShardHost; readonly membership: ClusterMembership; readonly registry: MemoryRegistry
  readonly journal: MemoryJournal; readonly log: RecordingLog
}

export class LeasedCluster {
  readonly runtime = new ManualRuntime()
  readonly medium = new MemoryJournalMedium()
  readonly hub = new InProcessNetwork({ ledger: new Ledger(), timer: this.runtime.timer })
  readonly nodes = new Map<number, LeasedNode>()
  readonly #registry = new MemoryRegistryMedium(this.runtime.clock)
  readonly #store = new MemoryStore(this.runtime.clock)
  readonly #settings: BrokerSettings
  readonly #epochs = new Map<number, number>()

  constructor(settings: Partial<BrokerSettings> = {}) {
    this.#settings = { ...brokerSettings.defaults(), ...settings }
  }

  static async start(nodeIds: readonly number[], settings: Partial<BrokerSettings> = {}): Promise<LeasedCluster> {
    const cluster = new LeasedCluster(settings)
    const journal = new MemoryJournal(cluster.medium, { chance: cluster.runtime.chance })
    for (const shard of ALL_SHARDS) await journal.create(shard)
    for (const nodeId of nodeIds) await cluster.add(nodeId)
    await cluster.runtime.advance(5_000)
    return cluster
  }

  async add(nodeId: number): Promise<LeasedNode> {
    const { runtime, medium, hub } = this
    const nodeEpoch = (this.#epochs.get(nodeId) ?? 0) + 1
    this.#epochs.set(nodeId, nodeEpoch)
    const log = new RecordingLog()
    const registry = new MemoryRegistry(this.#registry, runtime.timer)
    const membership = new ClusterMembership({
      registry, runtime, log, own: { ...nodeOf(nodeId, `az${nodeId}`), nodeEpoch, draining: true }, clusterId: 'test-cluster',
      shardCount: SHARD_COUNT, software: '1', formats: { min: 1, max: 1 }, settings: LEASE, load: () => 0, onSuperseded: () => {}
    })
    const joining = membership.join()
    await runtime.advance(1_700)
    await joining
    const journal = new MemoryJournal(medium, { chance: runtime.chance, timer: runtime.timer })
    const host = new ShardHost({
      nodeId, leads: true, membership, leases: membership, log, runtime, journal, store: this.#store,
      transport: hub.attach({ nodeId, zone: `az${nodeId}` }), settings: this.#settings
    })
    const node = { host, membership, registry, journal, log }
    this.nodes.set(nodeId, node)
    host.start()
    void membership.announce({ draining: false }) // only now it can be given shards
    await runtime.settle()
    return node
  }

  node(nodeId: number): LeasedNode {
    return this.nodes.get(nodeId)!
  }

  /** As kill -9. */
  kill(nodeId: number): void {
    const { host, membership, journal } = this.node(nodeId)
    membership.stop()
    host.kill()
    journal.crash()
    this.hub.detach(nodeId)
    this.nodes.delete(nodeId)
  }

  /** As the loss of all that a Redis held: the registry knows nobody, and journals end before their first group. */
  lose(): void {
    this.#registry.held.clear()
    for (const shard of this.medium.shards.values()) [shard.groups, shard.end] = [[], { position: POSITION_NONE, crc: 0 }]
  }

  /** Who decides for each shard, by node: more than one where two believe it. */
  leaders(): Map<number, number[]> {
    return new Map(ALL_SHARDS.map((shard) =>
      [shard, [...this.nodes].filter(([, { host }]) => host.leader(shard) !== null).map(([nodeId]) => nodeId)]))
  }

  stop(): void {
    for (const nodeId of [...this.nodes.keys()]) this.kill(nodeId)
  }
}
