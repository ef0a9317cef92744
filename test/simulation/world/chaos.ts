/** Draws faults from the seed, one after the other, several at a time; `heal` ends them all. */
import type { Rng } from '#shared/runtime/rng.ts'
import { sleep } from '#shared/runtime/runtime.ts'
import { CALM_NETWORK } from '../engine/sim-network.ts'
import { ClusterGround } from './cluster-ground.ts'
import { clusterFaults, type ClusterFaultKind } from './cluster-chaos.ts'
import { calm, calmAll } from './faults.ts'
import { LocalGround } from './ground.ts'
import { hostOf, type Machine } from './machine.ts'
import type { FaultKind } from './settings.ts'
import type { World } from './world.ts'

const FULL_BYTES = 20_000 // left on a disk that fills up

export type Fault = readonly [weight: number, fault: () => Promise<void> | void]

export class Chaos {
  readonly #world: World
  readonly #rng: Rng
  #stopped = false
  count = 0

  constructor(world: World, rng: Rng) {
    this.#world = world
    this.#rng = rng
  }

  async run(): Promise<void> {
    const { faults, quietMs } = this.#world.layout
    const ofCluster = clusterFaults({
      world: this.#world, rng: this.#rng, pause: (ms) => this.#pause(ms), isStopped: () => this.#stopped,
      note: (what) => this.#note(what)
    })
    const all = { ...this.#faults, ...ofCluster }
    const lots = faults.flatMap((kind) => {
      const [weight, fault] = all[kind]
      return Array.from({ length: weight }, () => fault)
    })
    while (!this.#stopped && lots.length > 0) {
      await this.#pause(2 * quietMs)
      if (this.#stopped) return
      this.count += 1
      void this.#rng.pick(lots)()
    }
  }

  readonly #faults: Readonly<Record<Exclude<FaultKind, ClusterFaultKind>, Fault>> = {
    crash: [6, () => this.#crashOne()],
    'crash all': [1, () => this.#crashAll()],
    expel: [3, () => this.#expelLiving()],
    store: [3, () => this.#storeTrouble()],
    journal: [3, () => this.#journalTrouble()],
    rpc: [4, () => this.#rpcTrouble()],
    cut: [2, () => this.#cut()],
    reset: [2, () => this.#world.network.resetSome(this.#rng.pick([200, 1_000]))],
    network: [2, () => this.#networkTrouble()],
    freeze: [2, () => this.#freeze()],
    skew: [1, () => this.#skew()],
    news: [1, () => this.#slowNews()],
    disk: [3, () => this.#diskTrouble()],
    'full disk': [1, () => this.#fullDisk()]
  }

  /** Ends every fault; machines that are down start again. */
  async heal(): Promise<void> {
    const { ground, network, faults } = this.#world
    this.#stopped = true
    this.#note('heal')
    calmAll(faults)
    Object.assign(network.faults, CALM_NETWORK)
    if (ground instanceof LocalGround) ground.disk.limit(Infinity)
    this.#world.applyFaults()
    if (ground instanceof ClusterGround) await this.#world.thawed()
    await this.#world.startAll()
    for (const nodeId of this.#world.nodeIds) this.#world.readmit(nodeId)
    this.#world.publish() // older news may be long on its way
  }

  async #crashOne(): Promise<void> {
    const machine = this.#rng.pick(this.#world.machines)
    if (!machine.isUp) return
    machine.crash()
    if (this.#rng.below(2) === 0) { // down for longer than its lease
      await this.#pause(1_500)
      if (!machine.isUp && !this.#stopped) for (const nodeId of machine.nodeIds) this.#world.expel(nodeId)
    }
    await this.#pause(2_000)
    if (!this.#stopped) await machine.start()
  }

  async #crashAll(): Promise<void> {
    for (const machine of this.#world.machines) machine.crash()
    await Promise.all(this.#world.machines.map(async (machine) => {
      await this.#pause(1_000)
      if (!this.#stopped) await machine.start()
    }))
  }

  /** Others take over from a node that lives, and may not know it. */
  async #expelLiving(): Promise<void> {
    const nodeId = this.#rng.pick(this.#world.nodeIds)
    if (!this.#world.machineOf(nodeId).isUp) return
    this.#world.expel(nodeId)
    await this.#pause(this.#rng.pick([2_000, 6_000]))
    if (!this.#stopped) this.#world.readmit(nodeId)
  }

  #storeTrouble(): Promise<void> {
    return this.#trouble('store', () => {
      const { store } = this.#world.faults
      store.delayMsMax = this.#rng.pick([20, 100, 400])
      store.errorBeforePerMille = this.#rng.pick([0, 50, 300, 1_000])
      store.errorAfterPerMille = this.#rng.pick([0, 50, 300])
      store.latePerMille = this.#rng.pick([0, 0, 100])
    })
  }

  #journalTrouble(): Promise<void> {
    return this.#trouble('journal', () => {
      const { journal } = this.#world.faults
      journal.delayMsMax = this.#rng.pick([6, 60, 300])
      journal.errorBeforePerMille = this.#rng.pick([0, 50, 300, 1_000])
      journal.errorAfterPerMille = this.#rng.pick([0, 50, 300])
      journal.latePerMille = this.#rng.pick([0, 0, 100])
    })
  }

  #rpcTrouble(): Promise<void> {
    return this.#trouble('rpc', () => {
      const { rpc } = this.#world.faults
      rpc.delayMsMax = this.#rng.pick([5, 50, 700])
      rpc.inOrder = this.#rng.below(2) === 0
      rpc.dropPerMille = this.#rng.pick([0, 30, 200])
      rpc.twicePerMille = this.#rng.pick([0, 50])
      rpc.only = this.#rng.pick([null, 'commit', 'feed', 'plan'])
    })
  }

  #slowNews(): Promise<void> {
    return this.#trouble('newsMsMax', () => { this.#world.faults.newsMsMax = this.#rng.pick([3_000, 8_000]) })
  }

  /** A disk that is slow, or whose calls fail; a failed sync of the journal ends the process. */
  #diskTrouble(): Promise<void> {
    return this.#trouble('disk', () => {
      const { disk } = this.#world.faults
      disk.syncMsMax = this.#rng.pick([4, 50, 300])
      disk.failPerMille = this.#rng.pick([0, 0, 20])
      disk.failSyncPerMille = this.#rng.pick([0, 0, 20])
    })
  }

  async #trouble(kind: Parameters<typeof calm>[1], begin: () => void): Promise<void> {
    this.#note(kind)
    begin()
    this.#world.applyFaults()
    await this.#pause(3_000)
    if (this.#stopped) return
    calm(this.#world.faults, kind)
    this.#world.applyFaults()
  }

  async #fullDisk(): Promise<void> {
    const { ground } = this.#world
    if (!(ground instanceof LocalGround)) return
    this.#note('full disk')
    ground.disk.limit(this.#rng.below(FULL_BYTES))
    await this.#pause(3_000)
    ground.disk.limit(Infinity)
  }

  async #cut(): Promise<void> {
    const { network, nodeIds, layout: { carrier }, faults: { cuts } } = this.#world
    const [one, other] = [this.#rng.pick(nodeIds), this.#rng.pick(nodeIds)]
    const pair = `${one}-${other}`
    this.#note(`cut ${pair}`)
    if (carrier === 'network' && this.#rng.below(2) === 0) network.resetBetween(hostOf(one), hostOf(other))
    cuts.add(pair)
    await this.#pause(3_000)
    cuts.delete(pair)
  }

  async #networkTrouble(): Promise<void> {
    const { faults } = this.#world.network
    this.#note('network')
    faults.delayMsMax = this.#rng.pick([10, 100, 800])
    faults.piecesMax = this.#rng.pick([1, 4, 20])
    await this.#pause(3_000)
    if (!this.#stopped) Object.assign(faults, CALM_NETWORK)
  }

  /** A machine stops in the middle and wakes up later; perhaps its nodes were taken for dead. */
  async #freeze(): Promise<void> {
    const machine = this.#rng.pick(this.#world.machines)
    const ms = 100 + this.#rng.below(3_000)
    this.#world.freeze(machine, ms)
    if (this.#rng.below(2) === 0) return
    await this.#pause(ms)
    if (this.#stopped || !machine.isUp) return
    for (const nodeId of machine.nodeIds) this.#world.expel(nodeId)
    await this.#pause(ms)
    if (!this.#stopped) for (const nodeId of machine.nodeIds) this.#world.readmit(nodeId)
  }

  #skew(): void {
    const { life }: Machine = this.#rng.pick(this.#world.machines)
    if (life !== null) life.skewMs += this.#rng.below(4_000) - 2_000
  }

  #note(what: string): void {
    this.#world.trace.add(`${this.#world.time.nowMs} chaos ${what}`)
  }

  #pause(ms: number): Promise<void> {
    return sleep(this.#world.time, this.#rng.below(ms) + 1)
  }
}
