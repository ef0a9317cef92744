/**
 * The cluster: the product's own composition of nodes over one store, one journal and one network with faults. Nodes
 * die and come back with a higher epoch; each learns of the others by a membership of its own, at a time of its own.
 */
import { ZonewiseNode } from '#cli/node/node.ts'
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import { agreeOnClusterId } from '#shared/cluster/cluster-id.ts'
import { CATALOG_SHARD, type ClusterSnapshot, type ListenerInfo, type NodeInfo } from '#shared/cluster/membership.ts'
import { nextNodeEpoch } from '#shared/cluster/node-epoch.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import type { Journal } from '#shared/journal/journal.ts'
import { MemoryJournal, MemoryJournalMedium, NO_JOURNAL_FAULTS, type JournalFaults } from '#shared/journal/memory-journal.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import type { StoreFaults } from '#shared/store/faulty-store.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { type Fault, InProcessNetwork } from '#shared/transport/in-process.ts'
import type { Transport } from '#shared/transport/transport.ts'
import type { History } from '../check/history.ts'
import { SimNetwork, type HostNetwork } from '../engine/sim-network.ts'
import type { Trace } from '../engine/trace.ts'
import type { VirtualTime } from '../engine/virtual-time.ts'
import { Life, LifeJournal, LifeStore } from './life.ts'
import type { Layout } from './settings.ts'
import { SimLog } from './sim-log.ts'

/** Where a test of the checker puts a bug: each seam of a node may be wrapped. */
export type Seams = {
  readonly journal?: (journal: Journal, life: Life) => Journal
  readonly store?: (store: ObjectStore, life: Life) => ObjectStore
  readonly transport?: (transport: Transport, life: Life) => Transport
}

export type RpcFaults = { delayMsMax: number; inOrder: boolean; dropPerMille: number; dropOnly: string | null } // dropOnly: calls of this name

export const CALM_RPC: Readonly<RpcFaults> = { delayMsMax: 2, inOrder: true, dropPerMille: 0, dropOnly: null }
export const CALM_STORE: Readonly<StoreFaults> = { delayMsMin: 1, delayMsMax: 20, errorBeforePerMille: 0, errorAfterPerMille: 0 }
export const CALM_JOURNAL: Readonly<JournalFaults> = { ...NO_JOURNAL_FAULTS, delayMsMax: 6 }

type Running = { readonly life: Life; readonly node: ZonewiseNode; readonly membership: StaticMembership; readonly host: HostNetwork
  readonly store: LifeStore; readonly journal: LifeJournal; readonly info: NodeInfo }

const PORT = 9_092
const MEMORY_REGION_BYTES = 4 * 2 ** 20 // of a small node
const NEWS_MS_MAX = 100 // how long a change of membership takes to a node, most of the time

export class World {
  readonly time: VirtualTime
  readonly trace: Trace
  readonly rng: Rng
  readonly layout: Layout
  readonly network: SimNetwork
  readonly rpcFaults: RpcFaults = { ...CALM_RPC }
  readonly storeFaults: StoreFaults = { ...CALM_STORE }
  readonly journalFaults: JournalFaults = { ...CALM_JOURNAL }
  /** Pairs of nodes that hear nothing of each other: `1-2`. */
  readonly cuts = new Set<string>()
  /** Longest time until a node knows of a change of membership. */
  newsMsMax = NEWS_MS_MAX
  readonly #history: History
  readonly #seams: Seams
  readonly #medium = new MemoryJournalMedium()
  readonly #store: MemoryStore
  readonly #hub: InProcessNetwork
  readonly #ledger = new Ledger()
  readonly #running = new Map<number, Running>()
  readonly #members = new Map<number, NodeInfo>() // as the registry has it
  readonly #arrivesMs = new Map<string, number>() // newest call by pair
  #version = 1
  #clusterId = ''

  constructor(parts: { readonly time: VirtualTime; readonly trace: Trace; readonly rng: Rng; readonly layout: Layout; readonly history: History; readonly seams: Seams }) {
    const { time, trace, rng, layout } = parts
    this.time = time
    this.trace = trace
    this.rng = rng
    this.layout = layout
    this.#history = parts.history
    this.#seams = parts.seams
    this.network = new SimNetwork(time, rng.fork(), trace)
    this.#store = new MemoryStore({ nowMs: () => Math.floor(time.nowMs), monotonicMs: () => time.nowMs })
    this.#hub = new InProcessNetwork({
      ledger: this.#ledger, timer: time,
      onBug: (error) => this.#history.violation('no handler fails', error instanceof Error ? error.stack ?? error.message : String(error))
    })
    this.#hub.fault = (from, to, { name }) => this.#faultOf(from, to, name)
  }

  get nodeIds(): readonly number[] {
    return this.layout.zones.map((_, i) => i + 1)
  }

  get gateways(): readonly { readonly zone: string; readonly address: { readonly host: string; readonly port: number } }[] {
    return this.layout.zones.map((zone, i) => ({ zone, address: { host: hostOf(i + 1), port: PORT } }))
  }

  isUp(nodeId: number): boolean {
    return this.#running.has(nodeId)
  }

  isMember(nodeId: number): boolean {
    return this.#members.has(nodeId)
  }

  /** A new cluster: its id, its journals, its nodes. */
  async create(): Promise<void> {
    const journal = new MemoryJournal(this.#medium, { chance: this.rng.fork() })
    this.#clusterId = await agreeOnClusterId(this.#store, journal, 'c2ltdWxhdGVkLWNsdXN0ZQ')
    for (const shard of [...Array(this.layout.shardCount).keys(), CATALOG_SHARD]) await journal.create(shard)
    await Promise.all(this.nodeIds.map((nodeId) => this.start(nodeId)))
  }

  /** Starts a node as its next life; one that cannot start dies and is started again. */
  async start(nodeId: number): Promise<void> {
    if (this.#running.has(nodeId)) return
    const nodeEpoch = await nextNodeEpoch(this.#store, nodeId)
    if (this.#running.has(nodeId)) return
    const running = this.#build(nodeId, nodeEpoch)
    const { life, node, info } = running
    this.#running.set(nodeId, running)
    this.trace.add(`${this.time.nowMs} start ${life.name}`)
    this.#announce(info)
    try {
      await node.start()
      await node.listen(info.listeners)
    } catch (error) {
      if (!life.alive) return
      this.trace.add(`${this.time.nowMs} ${life.name} did not start: ${(error as Error).message}`)
      this.crash(nodeId)
      this.time.after(200, () => { void this.start(nodeId) })
    }
  }

  /** Ends a node in the middle of whatever it does. The registry does not know yet. */
  crash(nodeId: number): void {
    const running = this.#running.get(nodeId)
    if (running === undefined) return
    this.trace.add(`${this.time.nowMs} crash ${running.life.name}`)
    this.#running.delete(nodeId)
    running.life.end()
    running.journal.memory.crash()
    running.host.kill()
    this.#hub.detach(nodeId)
    running.node.kill()
  }

  /** The lease of a node is over, whether it lives or not. */
  expel(nodeId: number): void {
    if (this.#members.delete(nodeId)) this.#publish()
  }

  /** A live node that was expelled announces itself again. */
  readmit(nodeId: number): void {
    const running = this.#running.get(nodeId)
    if (running !== undefined && !this.#members.has(nodeId)) this.#announce(running.info)
  }

  skewClock(nodeId: number, ms: number): void {
    const running = this.#running.get(nodeId)
    if (running !== undefined) running.life.skewMs += ms
  }

  freeze(nodeId: number, ms: number): void {
    const running = this.#running.get(nodeId)
    if (running === undefined) return
    this.trace.add(`${this.time.nowMs} freeze ${running.life.name} ${ms}`)
    running.life.freeze(ms)
  }

  /** Hands the faults as they are now to all nodes. */
  applyFaults(): void {
    for (const running of this.#running.values()) this.#applyTo(running)
  }

  /** Shards that some node should lead and does not. */
  missingShards(): number {
    return [...this.#running.values()].reduce((count, { node }) => count + node.missingShards().length, 0)
  }

  #applyTo({ store, journal }: Running): void {
    Object.assign(store.faulty.faults, this.storeFaults)
    Object.assign(journal.memory.faults, this.journalFaults)
  }

  #build(nodeId: number, nodeEpoch: number): Running {
    const { time, trace, rng, layout } = this
    const zone = layout.zones[nodeId - 1]!
    const life = new Life({ name: `n${nodeId}.${nodeEpoch}`, time, trace, rng: rng.fork() })
    life.skewMs = rng.below(5) === 0 ? rng.below(10_000) - 5_000 : rng.below(20) - 10
    const listener: ListenerInfo = { name: 'client', zone, host: hostOf(nodeId), port: PORT, advertisedHost: hostOf(nodeId), advertisedPort: PORT }
    const info: NodeInfo = { nodeId, nodeEpoch, zone, roles: { gateway: true, broker: true }, listeners: [listener] }
    const membership = new StaticMembership(this.#snapshot(new Map(this.#members).set(nodeId, info)))
    const store = new LifeStore(life, this.#store, time, rng.fork())
    const journal = new LifeJournal(life, this.#medium, time, rng.fork())
    const host = this.network.host(hostOf(nodeId))
    host.frozenMs = () => life.frozenMs
    const log = new SimLog({ node: life.name, time, trace, history: this.#history, alive: () => life.alive })
    const { journal: wrapJournal, store: wrapStore, transport: wrapTransport } = this.#seams
    const transport = this.#hub.attach({ nodeId, zone })
    const node = new ZonewiseNode({
      info, membership, memory: new MemoryPool({ regionBytes: MEMORY_REGION_BYTES, poison: true }), network: host, ledger: this.#ledger, runtime: life.runtime, log, metrics: new Metrics(),
      journal: wrapJournal?.(journal, life) ?? journal, store: wrapStore?.(store, life) ?? store,
      transport: wrapTransport?.(transport, life) ?? transport,
      gatewaySettings: layout.gateway, brokerSettings: layout.broker
    })
    const running = { life, node, membership, host, store, journal, info }
    this.#applyTo(running)
    return running
  }

  #announce(info: NodeInfo): void {
    this.#members.set(info.nodeId, info)
    this.#publish()
  }

  #publish(): void {
    const snapshot = this.#snapshot(this.#members)
    this.trace.add(`${this.time.nowMs} members ${snapshot.nodes.map(({ nodeId, nodeEpoch }) => `${nodeId}.${nodeEpoch}`).join(' ')}`)
    for (const { membership, life } of this.#running.values()) {
      this.time.after(this.rng.below(this.newsMsMax + 1), () => {
        if (life.alive && snapshot.version > membership.current().version) membership.set(snapshot)
      })
    }
  }

  #snapshot(members: ReadonlyMap<number, NodeInfo>): ClusterSnapshot {
    const nodes = [...members.values()].sort((a, b) => a.nodeId - b.nodeId)
    return { version: this.#version++, clusterId: this.#clusterId, shardCount: this.layout.shardCount, nodes }
  }

  #faultOf(from: number, to: number, name: string): Fault {
    const { rng, time, rpcFaults: { delayMsMax, inOrder, dropPerMille, dropOnly } } = this
    const cut = this.cuts.has(`${from}-${to}`) || this.cuts.has(`${to}-${from}`)
    const perMille = dropOnly === null || dropOnly === name ? dropPerMille : 0
    const [dropRequest, dropReply] = [cut || rng.below(1_000) < perMille, rng.below(1_000) < perMille]
    const pair = `${from}-${to}`
    const frozenMs = Math.max(this.#running.get(from)?.life.frozenMs ?? 0, this.#running.get(to)?.life.frozenMs ?? 0)
    let arrivesMs = time.nowMs + frozenMs + rng.fraction() * (from === to ? 0.1 : delayMsMax)
    if (inOrder) this.#arrivesMs.set(pair, (arrivesMs = Math.max(arrivesMs, this.#arrivesMs.get(pair) ?? 0)))
    this.trace.add(`${time.nowMs} rpc ${pair} ${name}${dropRequest ? ' lost' : dropReply ? ' reply lost' : ''}`)
    return { delayMs: arrivesMs - time.nowMs, dropRequest, dropReply }
  }
}

function hostOf(nodeId: number): string {
  return `node-${nodeId}`
}
