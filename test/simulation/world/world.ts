/**
 * The cluster: machines over one ground and one network with faults. Nodes learn of each other from the world, each at
 * a time of its own, or on the ground of a cluster from their registry.
 */
import { Ledger } from '#shared/ledger/ledger.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import { sleep } from '#shared/runtime/runtime.ts'
import { type Fault, InProcessNetwork } from '#shared/transport/in-process.ts'
import { unlike, type History } from '../check/history.ts'
import { Witness } from '../check/witness.ts'
import type { ClientParts } from '../client/caller.ts'
import { SimNetwork } from '../engine/sim-network.ts'
import type { Trace } from '../engine/trace.ts'
import type { VirtualTime } from '../engine/virtual-time.ts'
import { ClusterGround } from './cluster-ground.ts'
import { newFaults, type Faults } from './faults.ts'
import { LocalGround, RemoteGround } from './ground.ts'
import { leasedNodes } from './leased-nodes.ts'
import type { Life } from './life.ts'
import { hostOf, Machine, type MachineParts, PORT, type Seams } from './machine.ts'
import { isCut } from './reach.ts'
import type { Layout } from './settings.ts'
import { SimLog } from './sim-log.ts'
import { ToldNodes } from './told-nodes.ts'

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
  readonly ground: RemoteGround | LocalGround | ClusterGround
  readonly #history: History
  readonly #hub: InProcessNetwork
  readonly #told: ToldNodes | null = null // null: they find out by themselves
  readonly #arrivesMs = new Map<string, number>() // newest call by pair

  constructor({ time, trace, rng, layout, history, seams }: WorldParts) {
    this.time = time
    this.trace = trace
    this.rng = rng
    this.layout = layout
    this.#history = history
    this.network = new SimNetwork(time, rng.fork(), trace)
    const onBug = (error: unknown): void => this.#history.violation(
      'no handler fails', unlike('an answer', error instanceof Error ? error.stack ?? error.message : String(error))
    )
    this.#hub = new InProcessNetwork({ ledger: this.ledger, timer: time, onBug })
    this.#hub.fault = (from, to, { name }) => this.#faultOf(from, to, name)
    const ground = { time, rng: rng.fork(), faults: this.faults, shardCount: layout.shardCount }
    const logOf = (node: string, life: Life): SimLog =>
      new SimLog({ node, time, trace, history, alive: () => life.alive })
    const maker = { layout, network: this.network, hub: this.#hub, ledger: this.ledger, seams, onBug, logOf }
    let begin: MachineParts['begin']
    if (layout.ground === 'cluster') {
      const witness = new Witness(history)
      this.ground = new ClusterGround({ ...ground, onEntry: witness.onEntry })
      begin = leasedNodes({ ...maker, ground: this.ground, witness })
    } else {
      this.ground = layout.ground === 'remote' ? new RemoteGround(ground) : new LocalGround(ground)
      this.#told = new ToldNodes({
        ...maker, ground: this.ground, time, trace, rng, faults: this.faults, machines: () => this.machines
      })
      begin = this.#told.begin
    }
    const machines = layout.ground === 'local' ? [layout.nodes] : layout.nodes.map((node) => [node])
    this.machines = machines.map((nodes, i) =>
      new Machine({ name: `m${i + 1}`, nodes, time, trace, rng: rng.fork(), hub: this.#hub, begin }))
    this.network.hasKernels = layout.carrier === 'network'
    const nodeOf = new Map(this.nodeIds.map((nodeId) => [hostOf(nodeId), nodeId]))
    this.network.isCut = (one, other) => {
      const [from, to] = [nodeOf.get(one), nodeOf.get(other)]
      return from !== undefined && to !== undefined && this.#isParted(from, to)
    }
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
    return this.#told?.isMember(nodeId) ?? false
  }

  /** The lease of a node that is told of others is over, whether it lives or not. */
  expel(nodeId: number): void {
    this.#told?.expel(nodeId)
  }

  /** A live node that was expelled announces itself again. */
  readmit(nodeId: number): void {
    const running = this.machineOf(nodeId).nodes.get(nodeId)
    if (running !== undefined && this.#told?.isMember(nodeId) === false) this.#told.announce(running.info)
  }

  /** Tells those that are told of the members as they are. */
  publish(): void {
    this.#told?.publish()
  }

  freeze({ life }: Machine, ms: number): void {
    life?.note(`freeze ${ms}`)
    life?.freeze(ms)
    this.#history.freezes.push({ fromMs: this.time.nowMs, toMs: this.time.nowMs + ms })
  }

  /** Resolves when no machine stands still any more. */
  async thawed(): Promise<void> {
    await sleep(this.time, Math.max(...this.machines.map(({ life }) => life?.frozenMs ?? 0)))
  }

  /** Hands the faults as they are now to all machines. */
  applyFaults(): void {
    for (const { footing } of this.machines) footing?.applyFaults()
  }

  /** Whether nothing that one node sends arrives at the other. */
  #isParted(from: number, to: number): boolean {
    const { cuts, links } = this.faults
    if (cuts.size > 0 && (cuts.has(`${from}-${to}`) || cuts.has(`${to}-${from}`))) return true
    return links.size > 0 && isCut(this.faults, this.machineOf(from).name, this.machineOf(to).name)
  }

  #faultOf(from: number, to: number, name: string): Fault {
    const { rng, time, faults: { rpc: { delayMsMax, inOrder, dropPerMille, twicePerMille, only } } } = this
    const happens = (perMille: number): boolean => (only === null || only === name) && rng.below(1_000) < perMille
    const dropRequest = this.#isParted(from, to) || happens(dropPerMille)
    const [own, other] = [this.machineOf(from).name, this.machineOf(to).name]
    const dropReply = isCut(this.faults, other, own) || happens(dropPerMille)
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
