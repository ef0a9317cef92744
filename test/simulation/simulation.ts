/**
 * One simulated run: a cluster under faults for some virtual minutes, then healed; clients finish what they began, all
 * is read in every zone, the whole cluster dies and comes back, all is read again, and the checker judges.
 */
import { Rng } from '#shared/runtime/rng.ts'
import { sleep } from '#shared/runtime/runtime.ts'
import { API } from '#shared/wire/api-registry.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { check } from './check/checker.ts'
import { History, type Violation } from './check/history.ts'
import { Caller, type ClientParts } from './client/caller.ts'
import { IdempotentProducer } from './client/idempotent-producer.ts'
import { PipelinedProducer, PlainProducer, type Producer } from './client/producer.ts'
import { readAll } from './client/read-all.ts'
import { Asker, Reader } from './client/reader.ts'
import { Trace } from './engine/trace.ts'
import { VirtualTime } from './engine/virtual-time.ts'
import { Chaos } from './world/chaos.ts'
import { drawLayout } from './world/settings.ts'
import { World, type Seams } from './world/world.ts'

export type SimulationOptions = {
  readonly seed: number
  readonly minutes: number // virtual, under faults
  readonly seams?: Seams
  readonly finishMs?: number // virtual, for each step after the faults
  readonly echo?: (line: string) => void
}

export type SimulationResult = {
  readonly violations: readonly Violation[]
  readonly trace: string // 64 hex digits
  readonly virtualMs: number
  readonly counts: { readonly events: number; readonly faults: number; readonly sent: number; readonly acked: number; readonly read: number }
}

const CREATE_MS = 60_000
const FINISH_MS = 120_000
const MINUTE_MS = 60_000
const TICK_MS = 50

type Work = { readonly producers: readonly Producer[]; readonly readers: readonly (Reader | Asker)[] }

export async function runSimulation(options: SimulationOptions): Promise<SimulationResult> {
  const simulation = new Simulation(options)
  return simulation.run()
}

class Simulation {
  readonly #minutes: number
  readonly #finishMs: number
  readonly #time = new VirtualTime()
  readonly #trace: Trace
  readonly #rng: Rng
  readonly #history = new History((line) => this.#trace.add(`${this.#time.nowMs} ${line}`))
  readonly #world: World
  readonly #chaos: Chaos
  #failure: unknown = null

  constructor({ seed, minutes, seams = {}, finishMs = FINISH_MS, echo }: SimulationOptions) {
    this.#minutes = minutes
    this.#finishMs = finishMs
    this.#trace = new Trace(echo)
    this.#rng = new Rng(seed)
    const layout = drawLayout(this.#rng.fork())
    this.#world = new World({ time: this.#time, trace: this.#trace, rng: this.#rng.fork(), layout, history: this.#history, seams })
    this.#chaos = new Chaos(this.#world, this.#rng.fork())
  }

  async run(): Promise<SimulationResult> {
    if (await this.#finish('the cluster is not made', CREATE_MS, this.#create())) {
      const work = this.#startWork()
      this.#begin(this.#chaos.run())
      await this.#time.run(this.#time.nowMs + this.#minutes * MINUTE_MS, () => this.#failure !== null)
      await this.#end(work)
    }
    if (this.#failure !== null) throw this.#failure
    const violations = check(this.#history)
    for (const { rule, what } of violations) this.#trace.add(`violation ${rule}: ${what}`)
    const { events } = this.#history
    const count = (kind: string): number => events.reduce((sum, event) => sum + (event.kind === kind ? 1 : 0), 0)
    return {
      violations, virtualMs: this.#time.nowMs,
      counts: { events: this.#trace.count, faults: this.#chaos.count, sent: count('sent'), acked: count('acked'), read: count('read') },
      trace: this.#trace.digest()
    }
  }

  async #create(): Promise<void> {
    await this.#world.create()
    const { topics } = this.#world.layout
    const caller = new Caller(this.#parts('admin', 'a'))
    await caller.until(async () => {
      const { topics: answers } = await caller.call(API.createTopics, 4, {
        topics: topics.map(({ name, partitionCount }) => ({ name, numPartitions: partitionCount, replicationFactor: 1, assignments: [], configs: [] })),
        timeoutMs: 5_000, validateOnly: false
      }, 10_000)
      return answers.every(({ errorCode }) => errorCode === 0 || errorCode === KAFKA_ERROR.TOPIC_ALREADY_EXISTS) ? true : null
    })
  }

  #startWork(): Work {
    const zones = ['a', 'b', 'c']
    const producers: Producer[] = zones.flatMap((zone, i) => [
      new IdempotentProducer(this.#parts(`idempotent-${zone}`, zone)),
      i === 1 ? new PlainProducer(this.#parts(`plain-${zone}`, zone)) : new PipelinedProducer(this.#parts(`pipelined-${zone}`, zone))
    ])
    const readers = zones.flatMap((zone) => [new Reader(this.#parts(`reader-${zone}`, zone)), new Asker(this.#parts(`asker-${zone}`, zone))])
    for (const client of [...producers, ...readers]) this.#begin(client.run())
    return { producers, readers }
  }

  async #end({ producers, readers }: Work): Promise<void> {
    await this.#finish('the cluster does not heal', this.#finishMs, this.#chaos.heal())
    for (const client of [...producers, ...readers]) client.stop()
    const isDone = async (): Promise<void> => { while (producers.some(({ done }) => !done)) await sleep(this.#time, TICK_MS) }
    await this.#finish(() => `producers do not finish: ${producers.filter(({ done }) => !done).map(({ caller }) => caller.parts.name).join(', ')}`, this.#finishMs, isDone())
    await this.#finish('what was written cannot be read', this.#finishMs, this.#readAll('healed'))
    const { nodeIds } = this.#world
    for (const nodeId of nodeIds) this.#world.crash(nodeId)
    await this.#finish('the cluster does not come back', this.#finishMs, Promise.all(nodeIds.map((nodeId) => this.#world.start(nodeId))))
    await this.#finish('what was written cannot be read after all died', this.#finishMs, this.#readAll('reborn'))
  }

  async #readAll(when: string): Promise<void> {
    const found = await Promise.all(['a', 'b', 'c'].map((zone) => readAll(new Caller(this.#parts(`${when}-${zone}`, zone)))))
    this.#history.finals.push(...found.flat())
  }

  #parts(name: string, zone: string): ClientParts {
    const { network, gateways, layout } = this.#world
    return {
      name, zone, gateways, topics: layout.topics, history: this.#history, timer: this.#time, rng: this.#rng.fork(),
      network: network.host(name), nowMs: () => Math.floor(this.#time.nowMs)
    }
  }

  /** Lets `work` run; what it throws ends the simulation. */
  #begin(work: Promise<unknown>): void {
    work.catch((error: unknown) => { this.#failure ??= error })
  }

  /** Runs until `work` is done; a violation if it is not in time. */
  async #finish(otherwise: string | (() => string), timeoutMs: number, work: Promise<unknown>): Promise<boolean> {
    let done = false
    this.#begin(work.then(() => { done = true }))
    await this.#time.run(this.#time.nowMs + timeoutMs, () => done || this.#failure !== null)
    if (!done) this.#history.violation('all ends well', typeof otherwise === 'string' ? otherwise : otherwise())
    return done
  }
}
