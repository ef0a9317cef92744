/** Draws faults from the seed, one after the other, several at a time; `heal` ends them all. */
import type { Rng } from '#shared/runtime/rng.ts'
import { sleep } from '#shared/runtime/runtime.ts'
import { CALM_NETWORK } from '../engine/sim-network.ts'
import { CALM_JOURNAL, CALM_RPC, CALM_STORE, type World } from './world.ts'

const QUIET_MS = 900 // mean of the pauses between two faults

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
    const faults: readonly (readonly [weight: number, fault: () => Promise<void> | void])[] = [
      [6, () => this.#crashOne()], [1, () => this.#crashAll()], [3, () => this.#expelLiving()], [3, () => this.#storeTrouble()], [3, () => this.#journalTrouble()],
      [4, () => this.#rpcTrouble()], [2, () => this.#freeze()], [2, () => this.#cut()], [2, () => this.#world.network.resetSome(this.#rng.pick([200, 1_000]))],
      [2, () => this.#networkTrouble()], [1, () => this.#skew()], [1, () => this.#slowNews()]
    ]
    const lots = faults.flatMap(([weight, fault]) => Array.from({ length: weight }, () => fault))
    while (!this.#stopped) {
      await this.#pause(2 * QUIET_MS)
      if (this.#stopped) return
      this.count += 1
      void this.#rng.pick(lots)()
    }
  }

  /** Ends every fault; nodes that are down start again. */
  async heal(): Promise<void> {
    this.#stopped = true
    this.#note('heal')
    this.#calm()
    const { nodeIds } = this.#world
    await Promise.all(nodeIds.map((nodeId) => this.#world.start(nodeId)))
    for (const nodeId of nodeIds) this.#world.readmit(nodeId)
  }

  async #crashOne(): Promise<void> {
    const nodeId = this.#rng.pick(this.#world.nodeIds)
    if (!this.#world.isUp(nodeId)) return
    this.#world.crash(nodeId)
    if (this.#rng.below(2) === 0) { // down for longer than its lease
      await this.#pause(1_500)
      if (!this.#world.isUp(nodeId) && !this.#stopped) this.#world.expel(nodeId)
    }
    await this.#pause(2_000)
    if (!this.#stopped) await this.#world.start(nodeId)
  }

  async #crashAll(): Promise<void> {
    for (const nodeId of this.#world.nodeIds) this.#world.crash(nodeId)
    await Promise.all(this.#world.nodeIds.map(async (nodeId) => {
      await this.#pause(1_000)
      if (!this.#stopped) await this.#world.start(nodeId)
    }))
  }

  /** Others take over from a node that lives, and may not know it. */
  async #expelLiving(): Promise<void> {
    const nodeId = this.#rng.pick(this.#world.nodeIds)
    if (!this.#world.isUp(nodeId)) return
    this.#world.expel(nodeId)
    await this.#pause(2_000)
    if (!this.#stopped) this.#world.readmit(nodeId)
  }

  async #storeTrouble(): Promise<void> {
    const { storeFaults } = this.#world
    this.#note('store')
    storeFaults.delayMsMax = this.#rng.pick([20, 100, 400])
    storeFaults.errorBeforePerMille = this.#rng.pick([0, 50, 300, 1_000])
    storeFaults.errorAfterPerMille = this.#rng.pick([0, 50, 300])
    this.#world.applyFaults()
    await this.#pause(3_000)
    this.#calmUnlessStopped(() => { Object.assign(storeFaults, CALM_STORE) })
  }

  async #journalTrouble(): Promise<void> {
    const { journalFaults } = this.#world
    this.#note('journal')
    journalFaults.delayMsMax = this.#rng.pick([6, 60, 300])
    journalFaults.errorBeforePerMille = this.#rng.pick([0, 50, 300, 1_000])
    journalFaults.errorAfterPerMille = this.#rng.pick([0, 50, 300])
    this.#world.applyFaults()
    await this.#pause(3_000)
    this.#calmUnlessStopped(() => { Object.assign(journalFaults, CALM_JOURNAL) })
  }

  async #rpcTrouble(): Promise<void> {
    const { rpcFaults } = this.#world
    this.#note('rpc')
    rpcFaults.delayMsMax = this.#rng.pick([5, 50, 700])
    rpcFaults.inOrder = this.#rng.below(2) === 0
    rpcFaults.dropPerMille = this.#rng.pick([0, 30, 200])
    rpcFaults.dropOnly = this.#rng.pick([null, 'commit', 'feed', 'plan'])
    await this.#pause(3_000)
    this.#calmUnlessStopped(() => { Object.assign(rpcFaults, CALM_RPC) })
  }

  async #cut(): Promise<void> {
    const pair = `${this.#rng.pick(this.#world.nodeIds)}-${this.#rng.pick(this.#world.nodeIds)}`
    this.#note(`cut ${pair}`)
    this.#world.cuts.add(pair)
    await this.#pause(3_000)
    this.#world.cuts.delete(pair)
  }

  async #networkTrouble(): Promise<void> {
    const { faults } = this.#world.network
    this.#note('network')
    faults.delayMsMax = this.#rng.pick([10, 100, 800])
    faults.piecesMax = this.#rng.pick([1, 4, 20])
    await this.#pause(3_000)
    this.#calmUnlessStopped(() => { Object.assign(faults, CALM_NETWORK) })
  }

  /** A node stops in the middle and wakes up later; perhaps it was taken for dead. */
  async #freeze(): Promise<void> {
    const nodeId = this.#rng.pick(this.#world.nodeIds)
    const ms = 100 + this.#rng.below(3_000)
    this.#world.freeze(nodeId, ms)
    if (this.#rng.below(2) === 0) return
    await this.#pause(ms)
    if (this.#stopped || !this.#world.isUp(nodeId)) return
    this.#world.expel(nodeId)
    await this.#pause(ms)
    if (!this.#stopped) this.#world.readmit(nodeId)
  }

  #skew(): void {
    this.#world.skewClock(this.#rng.pick(this.#world.nodeIds), this.#rng.below(4_000) - 2_000)
  }

  async #slowNews(): Promise<void> {
    this.#world.newsMsMax = 3_000
    await this.#pause(5_000)
    this.#calmUnlessStopped(() => { this.#world.newsMsMax = 100 })
  }

  #calmUnlessStopped(calm: () => void): void {
    if (this.#stopped) return
    calm()
    this.#world.applyFaults()
  }

  #calm(): void {
    const { storeFaults, journalFaults, rpcFaults, network, cuts } = this.#world
    Object.assign(storeFaults, CALM_STORE)
    Object.assign(journalFaults, CALM_JOURNAL)
    Object.assign(rpcFaults, CALM_RPC)
    Object.assign(network.faults, CALM_NETWORK)
    cuts.clear()
    this.#world.newsMsMax = 100
    this.#world.applyFaults()
  }

  #note(what: string): void {
    this.#world.trace.add(`${this.#world.time.nowMs} chaos ${what}`)
  }

  #pause(ms: number): Promise<void> {
    return sleep(this.#world.time, this.#rng.below(ms) + 1)
  }
}
