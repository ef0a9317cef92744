/** Three nodes with the catalog's parts only, over fake shards and the in-process carrier. */
import { CatalogDriver } from '#broker/catalog/catalog-driver.ts'
import type { UpkeepSettings } from '#broker/catalog/catalog-upkeep.ts'
import { serveShardTopics } from '#broker/catalog/shard-topics.ts'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { leaderOf } from '#shared/cluster/placement.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { type Log, silentLog } from '#shared/log/log.ts'
import type { RpcCall } from '#shared/rpc/call.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import { InProcessNetwork } from '#shared/transport/in-process.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { FakeShards } from './fake-shards.ts'
import { ManualRuntime } from './manual-runtime.ts'
import { snapshotOf } from './snapshots.ts'

export const CATALOG_LIMITS = {
  topicPartitionsMax: 100, partitionsMax: 1_000, producerIdsMax: 1_000, defaultPartitionCount: 1,
  defaultReplicationFactor: 1
} as const
const SETTINGS = { callsMax: 100, topicsMax: 4, callTimeoutMs: 500, retryMinMs: 10, retryMaxMs: 200 } as const
export const GONE_MS = 60_000
const NODE_IDS = [1, 2, 3]
const CLIENT = 100

export class FakeCatalogCluster {
  readonly runtime = new ManualRuntime()
  readonly shards: FakeShards
  readonly network: InProcessNetwork
  readonly membership: StaticMembership
  readonly client: Transport
  readonly bugs: unknown[] = []
  readonly shardCount: number
  readonly #upkeep: UpkeepSettings
  readonly #log: Log
  readonly #epochs = new Map<number, number>() // node id to its present or newest life
  #live = new Set<number>()

  constructor(
    rng: Rng, { shardCount = 4, appendMsMax = 0, versionMax = 1, log = silentLog }: {
      readonly shardCount?: number; readonly appendMsMax?: number; readonly versionMax?: number; readonly log?: Log
    } = {}
  ) {
    this.#log = log
    this.#upkeep = { roundMs: 1_000, goneMs: GONE_MS, versionMax, callTimeoutMs: 500 }
    this.shardCount = shardCount
    this.shards = new FakeShards(this.runtime, rng, appendMsMax)
    this.network = new InProcessNetwork(
      { ledger: new Ledger(), timer: this.runtime.timer, onBug: (error) => { this.bugs.push(error) } }
    )
    this.membership = new StaticMembership(snapshotOf([], { shardCount }))
    this.client = this.network.attach({ nodeId: CLIENT, zone: 'az1' })
    for (const nodeId of NODE_IDS) this.#begin(nodeId)
    this.#changed()
  }

  get live(): ReadonlySet<number> {
    return this.#live
  }

  /** The shards' durable partitions as `topicId/partition`, with the shard each is on. */
  partitions(): Map<string, number> {
    const found = new Map<string, number>()
    for (let shard = 0; shard < this.shardCount; shard++)
      for (const key of this.shards.state(shard).partitions.byKey.keys()) found.set(key, shard)
    return found
  }

  crash(nodeId: number): void {
    this.#live.delete(nodeId)
    this.shards.die(nodeId)
    this.network.detach(nodeId)
    this.#changed()
  }

  start(nodeId: number): void {
    this.#begin(nodeId)
    this.#changed()
  }

  /** Calls whoever leads the catalog; moves time on until there is an answer. */
  async call<Request,
  Response>(call: RpcCall<Request, Response>, request: Request, deadlineMs = 20_000): Promise<Response> {
    const node = leaderOf(this.membership.current(), CATALOG_SHARD)
    let settled = false
    const reply = this.client.call(node, call, request, { deadlineMs }).finally(() => { settled = true })
    reply.catch(() => {})
    while (!settled) await this.runtime.advance(5)
    return (await reply).response
  }

  #begin(nodeId: number): void {
    this.#epochs.set(nodeId, (this.#epochs.get(nodeId) ?? 0) + 1)
    const transport = this.network.attach({ nodeId, zone: `az${nodeId}` })
    const leaders = this.shards.leadersOf(nodeId)
    serveShardTopics({ transport, leaders, catalog: this.shards.catalog(), shardCount: this.shardCount })
    const { membership, runtime } = this
    void new CatalogDriver({
      leaders, membership, transport, runtime, log: this.#log, limits: CATALOG_LIMITS, settings: SETTINGS,
      upkeep: this.#upkeep
    })
    this.#live.add(nodeId)
  }

  #changed(): void {
    const { version } = this.membership.current()
    const before = this.membership.current()
    const ids = [...this.#live].sort((a, b) => a - b)
    const snapshot = snapshotOf(ids, { version: version + 1, shardCount: this.shardCount })
    const nodes = snapshot.nodes.map((node) => ({ ...node, nodeEpoch: this.#epochs.get(node.nodeId)! }))
    this.membership.set({ ...snapshot, nodes })
    for (const shard of [CATALOG_SHARD, ...Array.from({ length: this.shardCount }, (_, k) => k)]) {
      const leader = leaderOf(this.membership.current(), shard)
      const isNew = leader !== leaderOf(before, shard) || this.shards.leadersOf(leader).leader(shard) === null
      if (isNew && this.#live.has(leader)) this.shards.lead(shard, leader)
    }
  }
}
