/**
 * The cluster: machines over one ground and one network with faults. Nodes learn of each other by a membership of their
 * own, each at a time of its own.
 */
import { type ClusterSnapshot, type NodeInfo } from '#shared/cluster/membership.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import { type Fault, InProcessNetwork } from '#shared/transport/in-process.ts'
import { unlike, type History } from '../check/history.ts'
import type { ClientParts } from '../client/caller.ts'
import { SimNetwork } from '../engine/sim-network.ts'
import type { Trace } from '../engine/trace.ts'
import type { VirtualTime } from '../engine/virtual-time.ts'
import { newFaults, type Faults } from './faults.ts'
import { LocalGround, RemoteGround } from './ground.ts'
import type { Life } from './life.ts'
import { hostOf, Machine, PORT, type RunningNode, type Seams } from './machine.ts'
import type { Layout } from './settings.ts'
import { SimLog } from './sim-log.ts'

export type WorldParts = {
  readonly time: VirtualTime; readonly trace: Trace; readonly rng: Rng; readonly layout: Layout;
  readonly history: History; readonly seams: Seams
}

const ORDER_GAP_MS = 1e-6 // between calls that keep their order: more than sums of times are rounded by

/** Calls that may come twice: sent again they are the same call, or change nothing any more. */
const TWICE = new Set(['commit', 'feed', 'subscribe', 'plan', 'offsets', 'shard-topic'])

export class World {
  readonly time: VirtualTime
  readonly trace: Trace
  readonly rng: Rng
  readonly layout: Layout
  readonly network: SimNetwork
  readonly ledger = new Ledger()
  readonly machines: readonly Machine[]
  readonly faults: Faults = newFaults()
  readonly ground: RemoteGround | LocalGround
  readonly #history: History
  readonly #hub: InProcessNetwork
  readonly #members = new Map<number, NodeInfo>() // as the registry has it
  readonly #arrivesMs = new Map<string, number>() // newest call by pair
  #version = 1
  #clusterId = ''

  constructor({ time, trace, rng, layout, history, seams }: WorldParts) {
    this.time = time
    this.trace = trace
    this.rng = rng
    this.layout = layout
    this.#history = history
    this.network = new SimNetwork(time, rng.fork(), trace)
    this.#hub = new InProcessNetwork({
      ledger: this.ledger, timer: time,
      onBug: (error) => this.#history.violation(
        'no handler fails', unlike('an answer', error instanceof Error ? error.stack ?? error.message : String(error))
      )
    })
    this.#hub.fault = (from, to, { name }) => this.#faultOf(from, to, name)
    const ground = { time, rng: rng.fork(), faults: this.faults, shardCount: layout.shardCount }
    this.ground = layout.ground === 'remote' ? new RemoteGround(ground) : new LocalGround(ground)
    const logOf = (node: string, life: Life): SimLog =>
      new SimLog({ node, time, trace, history, alive: () => life.alive })
    const machines = layout.ground === 'remote' ? layout.nodes.map((node) => [node]) : [layout.nodes]
    this.machines = machines.map((nodes, i) => new Machine({
      name: `m${i + 1}`, nodes, ground: this.ground, time, trace, rng: rng.fork(), layout, network: this.network,
      hub: this.#hub, ledger: this.ledger,
      seams, logOf, announce: (info) => this.#announce(info),
      snapshotWith: (clusterId, info) => {
        this.#clusterId = clusterId
        return this.#snapshot(new Map(this.#members).set(info.nodeId, info))
      }
    }))
  }

  get nodeIds(): readonly number[] {
    return this.layout.nodes.map(({ nodeId }) => nodeId)
  }

  get gateways(): ClientParts['gateways'] {
    return this.layout.nodes.filter(({ roles }) => roles.gateway)
      .map(({ zone, nodeId }) => ({ zone, address: { host: hostOf(nodeId), port: PORT } }))
  }

  async startAll(): Promise<void> {
    await Promise.all(this.machines.map((machine) => machine.start()))
  }

  machineOf(nodeId: number): Machine {
    return this.machines.find((machine) => machine.nodeIds.includes(nodeId))!
  }

  isMember(nodeId: number): boolean {
    return this.#members.has(nodeId)
  }

  /** The lease of a node is over, whether it lives or not. */
  expel(nodeId: number): void {
    if (this.#members.delete(nodeId)) this.publish()
  }

  /** A live node that was expelled announces itself again. */
  readmit(nodeId: number): void {
    const running = this.#running(nodeId)
    if (running !== undefined && !this.#members.has(nodeId)) this.#announce(running.info)
  }

  freeze({ life }: Machine, ms: number): void {
    life?.note(`freeze ${ms}`)
    life?.freeze(ms)
    this.#history.freezes.push({ fromMs: this.time.nowMs, toMs: this.time.nowMs + ms })
  }

  /** Hands the faults as they are now to all machines. */
  applyFaults(): void {
    for (const { footing } of this.machines) footing?.applyFaults()
  }

  #running(nodeId: number): RunningNode | undefined {
    return this.machineOf(nodeId).nodes.get(nodeId)
  }

  #announce(info: NodeInfo): void {
    this.#members.set(info.nodeId, info)
    this.publish()
  }

  /** Tells all nodes of the members as they are. */
  publish(): void {
    const snapshot = this.#snapshot(this.#members)
    const names = snapshot.nodes.map(({ nodeId, nodeEpoch }) => `${nodeId}.${nodeEpoch}`)
    this.trace.add(`${this.time.nowMs} members ${names.join(' ')}`)
    for (const machine of this.machines) {
      const { life } = machine
      for (const { membership } of machine.nodes.values())
        this.time.after(this.rng.below(this.faults.newsMsMax + 1), () => {
          if (life?.alive === true && snapshot.version > membership.current().version) membership.set(snapshot)
        })
    }
  }

  #snapshot(members: ReadonlyMap<number, NodeInfo>): ClusterSnapshot {
    const nodes = [...members.values()].sort((a, b) => a.nodeId - b.nodeId)
    return { version: this.#version++, clusterId: this.#clusterId, shardCount: this.layout.shardCount, nodes }
  }

  #faultOf(from: number, to: number, name: string): Fault {
    const { rng, time, faults: { cuts, rpc: { delayMsMax, inOrder, dropPerMille, twicePerMille, only } } } = this
    const cut = cuts.has(`${from}-${to}`) || cuts.has(`${to}-${from}`)
    const happens = (perMille: number): boolean => (only === null || only === name) && rng.below(1_000) < perMille
    const [dropRequest, dropReply] = [cut || happens(dropPerMille), happens(dropPerMille)]
    const again = TWICE.has(name) && happens(twicePerMille)
    const pair = `${from}-${to}`
    const frozenMs = Math.max(this.machineOf(from).life?.frozenMs ?? 0, this.machineOf(to).life?.frozenMs ?? 0)
    let arrivesMs = time.nowMs + frozenMs + rng.fraction() * (from === to ? 0.1 : delayMsMax)
    if (inOrder) {
      arrivesMs = Math.max(arrivesMs, (this.#arrivesMs.get(pair) ?? 0) + ORDER_GAP_MS)
      this.#arrivesMs.set(pair, arrivesMs)
    }
    const fate = `${dropRequest ? ' lost' : dropReply ? ' reply lost' : ''}${again ? ' twice' : ''}`
    this.trace.add(`${time.nowMs} rpc ${pair} ${name}${fate}`)
    return { delayMs: arrivesMs - time.nowMs, dropRequest, dropReply, again }
  }
}
