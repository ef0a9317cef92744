/** Shard hosts of several nodes over one journal in memory, one store in memory and one network of calls. */
import { brokerSettings, type BrokerSettings } from '#broker/config.ts'
import { encodeCreatePartitions } from '#broker/partition/partition-entries.ts'
import type { Entry } from '#broker/shard/entry.ts'
import { ShardHost } from '#broker/shard/shard-host.ts'
import { CATALOG_SHARD, NO_LEASES } from '#shared/cluster/membership.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import type { Journal, ShardJournal } from '#shared/journal/journal.ts'
import { MemoryJournal, MemoryJournalMedium } from '#shared/journal/memory-journal.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { InProcessNetwork } from '#shared/transport/in-process.ts'
import { RecordingLog } from './gateway-twin.ts'
import { ManualRuntime } from './manual-runtime.ts'
import { snapshotOf } from './snapshots.ts'

export type ShardClusterOptions = {
  readonly settings?: Partial<BrokerSettings>
  readonly store?: (store: ObjectStore) => ObjectStore
  readonly journal?: (journal: ShardJournal, node: number) => ShardJournal
}

export class ShardCluster {
  readonly runtime = new ManualRuntime()
  readonly medium = new MemoryJournalMedium()
  readonly store: ObjectStore
  readonly hub = new InProcessNetwork({ ledger: new Ledger(), timer: this.runtime.timer })
  readonly hosts = new Map<number, {
    readonly host: ShardHost; readonly membership: StaticMembership; readonly log: RecordingLog
  }>()
  readonly #options: ShardClusterOptions
  #version = 1

  constructor(options: ShardClusterOptions = {}) {
    this.#options = options
    const store = new MemoryStore(this.runtime.clock)
    this.store = options.store?.(store) ?? store
  }

  /** Nodes 1 to `nodeCount` in a cluster of one data shard, of which `members` are known to all. */
  static async start(
    nodeCount: number, members: readonly number[], options: ShardClusterOptions = {}
  ): Promise<ShardCluster> {
    const cluster = new ShardCluster(options)
    const journal = cluster.#journal(0)
    for (const shard of [0, CATALOG_SHARD]) await journal.create(shard)
    for (let nodeId = 1; nodeId <= nodeCount; nodeId++) cluster.#start(nodeId, members)
    await cluster.runtime.settle()
    return cluster
  }

  host(nodeId: number): ShardHost {
    return this.hosts.get(nodeId)!.host
  }

  /** What placement follows from now on, at the nodes of `told` (all unless given). */
  setMembers(members: readonly number[], told: readonly number[] = [...this.hosts.keys()]): void {
    const snapshot = snapshotOf(members, { shardCount: 1, version: ++this.#version })
    for (const nodeId of told) this.hosts.get(nodeId)!.membership.set(snapshot)
  }

  /** A journal handle of its own, as another node would have. */
  journal(shard: number): Promise<ShardJournal> {
    return this.#journal(0).shard(shard)
  }

  stop(): void {
    for (const { host } of this.hosts.values()) host.kill()
  }

  #journal(node: number): Journal {
    const inner = new MemoryJournal(this.medium, { chance: this.runtime.chance, timer: this.runtime.timer })
    const { journal: wrap } = this.#options
    if (wrap === undefined || node === 0) return inner
    return {
      shard: async (shard) => wrap(await inner.shard(shard), node),
      create: (shard) => inner.create(shard), clusterId: () => inner.clusterId(),
      setClusterId: (clusterId) => inner.setClusterId(clusterId), close: () => inner.close()
    }
  }

  #start(nodeId: number, members: readonly number[]): void {
    const membership = new StaticMembership(snapshotOf(members, { shardCount: 1 }))
    const log = new RecordingLog()
    const host = new ShardHost({
      nodeId, leads: true, membership, leases: NO_LEASES, log, runtime: this.runtime, journal: this.#journal(nodeId),
      store: this.store, transport: this.hub.attach({ nodeId, zone: `az${nodeId}` }),
      settings: { ...brokerSettings.defaults(), ...this.#options.settings }
    })
    this.hosts.set(nodeId, { host, membership, log })
    host.start()
  }
}

/** An entry that any data shard takes: one more partition of a made-up topic. */
export function entryOf(partition: number): Entry {
  return encodeCreatePartitions({ topicId: 'abcdefghijklmnopqrstuw', createdMs: 1, partitions: [partition] })
}
