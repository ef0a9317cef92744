/**
 * A machine: the process of one or several nodes, in the product's own composition. It dies and comes back as a whole,
 * each of its nodes with a higher epoch.
 */
import type { ZonewiseNode } from '#cli/node/node.ts'
import type { NodeInfo } from '#shared/cluster/membership.ts'
import type { StaticMembership } from '#shared/cluster/static-membership.ts'
import type { Journal } from '#shared/journal/journal.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import type { InProcessNetwork } from '#shared/transport/in-process.ts'
import type { Transport } from '#shared/transport/transport.ts'
import type { Trace } from '../engine/trace.ts'
import type { VirtualTime } from '../engine/virtual-time.ts'
import type { Footing } from './ground.ts'
import { Life } from './life.ts'
import type { NodeLayout } from './settings.ts'

/** Where a test of the checker puts a bug: each seam of a node may be wrapped. */
export type Seams = {
  readonly journal?: (journal: Journal, life: Life) => Journal
  readonly store?: (store: ObjectStore, life: Life) => ObjectStore
  readonly transport?: (transport: Transport, life: Life) => Transport
}

export type MachineParts = {
  readonly name: string
  readonly nodes: readonly NodeLayout[]
  readonly time: VirtualTime
  readonly trace: Trace
  readonly rng: Rng
  readonly hub: InProcessNetwork
  /** Begins the life's nodes: they stand in `running` as soon as there is something to kill. */
  readonly begin: (running: Running, nodes: readonly NodeLayout[], onFatal: () => void) => Promise<void>
}

export type RunningNode = {
  readonly node: ZonewiseNode
  readonly info: NodeInfo
  /** Ends at once, as a crash would. */
  readonly kill: () => void
  /** Where somebody tells it who lives. */
  readonly told?: StaticMembership
  /** Where it can be ended in peace: hands over what it leads. */
  readonly stop?: () => Promise<void>
}

export type Running = { readonly life: Life; footing: Footing | null; readonly nodes: Map<number, RunningNode> }

export const PORT = 9_092
const RESTART_MS = 200
const FATAL_RESTART_MS = 1_000

export class Machine {
  readonly #parts: MachineParts
  #running: Running | null = null
  #lives = 0

  constructor(parts: MachineParts) {
    this.#parts = parts
  }

  get name(): string { return this.#parts.name }
  get nodeIds(): readonly number[] { return this.#parts.nodes.map(({ nodeId }) => nodeId) }
  get isUp(): boolean { return this.#running !== null }
  get life(): Life | null { return this.#running?.life ?? null }
  get footing(): Footing | null { return this.#running?.footing ?? null }
  get nodes(): ReadonlyMap<number, RunningNode> { return this.#running?.nodes ?? NONE }

  /** Starts as the next life; one that cannot start dies and is started again. */
  async start(): Promise<void> {
    if (this.#running !== null) return
    const { name, time, trace, rng, nodes, begin } = this.#parts
    const life = new Life({ machine: name, name: `${name}.${++this.#lives}`, time, trace, rng: rng.fork() })
    life.skewMs = rng.below(5) === 0 ? rng.below(10_000) - 5_000 : rng.below(20) - 10
    const running: Running = { life, footing: null, nodes: new Map() }
    this.#running = running
    life.note('start')
    try {
      await begin(running, nodes, () => this.#fail(life, 'fatal', FATAL_RESTART_MS))
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
    for (const [nodeId, { kill }] of running.nodes) {
      hub.detach(nodeId)
      kill()
    }
  }

  /** Ends in peace, unless it dies meanwhile. */
  async stop(): Promise<void> {
    const running = this.#running
    if (running === null) return
    running.life.note('stop')
    await Promise.all([...running.nodes.values()].map(async ({ stop }) => { await stop?.() }))
    if (this.#running === running) this.crash()
  }

  #fail(life: Life, why: string, restartMs: number): void {
    if (this.#running?.life !== life) return
    life.note(why)
    this.crash()
    this.#parts.time.after(restartMs, () => { void this.start() })
  }
}

const NONE: ReadonlyMap<number, RunningNode> = new Map()

export function hostOf(nodeId: number): string {
  return `node-${nodeId}`
}
