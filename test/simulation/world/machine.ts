/**
 * A machine: the process of one or several nodes, in the product's own composition. It dies and comes back as a whole,
 * each of its nodes with a higher epoch.
 */
import { ZonewiseNode } from '#cli/node/node.ts'
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import type { ClusterSnapshot, ListenerInfo, NodeInfo } from '#shared/cluster/membership.ts'
import { nextNodeEpoch } from '#shared/cluster/node-epoch.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import type { Journal } from '#shared/journal/journal.ts'
import type { Ledger } from '#shared/ledger/ledger.ts'
import type { Log } from '#shared/log/log.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import { MeasuredStore } from '#shared/store/measured-store.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import type { InProcessNetwork } from '#shared/transport/in-process.ts'
import type { Transport } from '#shared/transport/transport.ts'
import type { HostNetwork, SimNetwork } from '../engine/sim-network.ts'
import type { Trace } from '../engine/trace.ts'
import type { VirtualTime } from '../engine/virtual-time.ts'
import type { Footing, Ground } from './ground.ts'
import { Life } from './life.ts'
import type { Layout, NodeLayout } from './settings.ts'

/** Where a test of the checker puts a bug: each seam of a node may be wrapped. */
export type Seams = {
  readonly journal?: (journal: Journal, life: Life) => Journal
  readonly store?: (store: ObjectStore, life: Life) => ObjectStore
  readonly transport?: (transport: Transport, life: Life) => Transport
}

export type MachineParts = {
  readonly name: string
  readonly nodes: readonly NodeLayout[]
  readonly ground: Ground
  readonly time: VirtualTime
  readonly trace: Trace
  readonly rng: Rng
  readonly layout: Layout
  readonly network: SimNetwork
  readonly hub: InProcessNetwork
  readonly ledger: Ledger
  readonly seams: Seams
  readonly logOf: (node: string, life: Life) => Log
  /** What a node that starts takes for the cluster, itself included. */
  readonly snapshotWith: (clusterId: string, info: NodeInfo) => ClusterSnapshot
  /** A node is about to start: the registry has it from now on. */
  readonly announce: (info: NodeInfo) => void
}

export type RunningNode = {
  readonly node: ZonewiseNode; readonly info: NodeInfo; readonly membership: StaticMembership;
  readonly host: HostNetwork
}

type Running = { readonly life: Life; footing: Footing | null; readonly nodes: Map<number, RunningNode> }

export const PORT = 9_092
const RESTART_MS = 200
const MEMORY_REGION_BYTES = 4 * 2 ** 20 // of a small node
const FATAL_RESTART_MS = 1_000

export class Machine {
  readonly #parts: MachineParts
  #running: Running | null = null
  #lives = 0

  constructor(parts: MachineParts) {
    this.#parts = parts
  }

  get nodeIds(): readonly number[] { return this.#parts.nodes.map(({ nodeId }) => nodeId) }
  get isUp(): boolean { return this.#running !== null }
  get life(): Life | null { return this.#running?.life ?? null }
  get footing(): Footing | null { return this.#running?.footing ?? null }
  get nodes(): ReadonlyMap<number, RunningNode> { return this.#running?.nodes ?? NONE }

  /** Starts as the next life; one that cannot start dies and is started again. */
  async start(): Promise<void> {
    if (this.#running !== null) return
    const { name, time, trace, rng, ground } = this.#parts
    const life = new Life({ name: `${name}.${++this.#lives}`, time, trace, rng: rng.fork() })
    life.skewMs = rng.below(5) === 0 ? rng.below(10_000) - 5_000 : rng.below(20) - 10
    const running: Running = { life, footing: null, nodes: new Map() }
    this.#running = running
    life.note('start')
    try {
      const footing = await ground.open(life, () => this.#fail(life, 'fatal', FATAL_RESTART_MS))
      running.footing = footing
      for (const layout of this.#parts.nodes) {
        const nodeEpoch = await nextNodeEpoch(footing.store, layout.nodeId)
        running.nodes.set(layout.nodeId, this.#build(layout, nodeEpoch, footing, life))
      }
      for (const { info } of running.nodes.values()) this.#parts.announce(info)
      await Promise.all([...running.nodes.values()].map(({ node }) => node.start()))
      await Promise.all([...running.nodes.values()].map(({ node, info }) => node.listen(info.listeners)))
    } catch (error) {
      if (life.alive) this.#fail(life, `did not start: ${(error as Error).message}`, RESTART_MS)
    }
  }

  /** Ends in the middle of whatever it does. The registry does not know yet. */
  crash(): void {
    const running = this.#running
    if (running === null) return
    const { hub } = this.#parts
    running.life.note('crash')
    this.#running = null
    running.life.end()
    running.footing?.end()
    for (const [nodeId, { node, host }] of running.nodes) {
      host.kill()
      hub.detach(nodeId)
      node.kill()
    }
  }

  #fail(life: Life, why: string, restartMs: number): void {
    if (this.#running?.life !== life) return
    life.note(why)
    this.crash()
    this.#parts.time.after(restartMs, () => { void this.start() })
  }

  #build({ nodeId, zone, roles }: NodeLayout, nodeEpoch: number, footing: Footing, life: Life): RunningNode {
    const { network, hub, ledger, layout, seams, logOf, snapshotWith } = this.#parts
    const address = hostOf(nodeId)
    const listener: ListenerInfo = {
      name: 'client', zone, host: address, port: PORT, advertisedHost: address, advertisedPort: PORT
    }
    const info: NodeInfo = { nodeId, nodeEpoch, zone, roles, listeners: roles.gateway ? [listener] : [] }
    const membership = new StaticMembership(snapshotWith(footing.clusterId, info))
    const host = network.host(address)
    host.frozenMs = () => life.frozenMs
    const { clock } = life.runtime
    const store = new MeasuredStore(footing.store, { ledger, zone, clock })
    const transport = hub.attach({ nodeId, zone })
    const node = new ZonewiseNode({
      info, membership, memory: new MemoryPool({ regionBytes: MEMORY_REGION_BYTES, poison: true }),
      network: host, ledger, runtime: life.runtime, log: logOf(`n${nodeId}.${nodeEpoch}`, life), metrics: new Metrics(),
      journal: seams.journal?.(footing.journal, life) ?? footing.journal, store: seams.store?.(store, life) ?? store,
      transport: seams.transport?.(transport, life) ?? transport,
      gatewaySettings: layout.gateway, brokerSettings: layout.broker,
      onFatal: () => { this.#fail(life, 'fatal', FATAL_RESTART_MS) }
    })
    return { node, info, membership, host }
  }
}

const NONE: ReadonlyMap<number, RunningNode> = new Map()

export function hostOf(nodeId: number): string {
  return `node-${nodeId}`
}
