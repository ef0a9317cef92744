/**
 * One simulated run: a cluster under faults for some virtual minutes, then healed; clients finish what they began, all
 * is read in every zone, the whole cluster dies and comes back, all is read again, and the checker judges.
 */
import type { Cause } from '#shared/ledger/ledger.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { sleep } from '#shared/runtime/runtime.ts'
import { check } from './check/checker.ts'
import { checkDurable } from './check/durable-checks.ts'
import { History, unlike, type Violation } from './check/history.ts'
import { createTopics } from './client/admin.ts'
import { Caller, type ClientParts, type Topic } from './client/caller.ts'
import { Cast, GROUP, topicsOf } from './client/cast.ts'
import { fetchOffsets } from './client/offsets.ts'
import { nameOf, PlainProducer } from './client/producer.ts'
import { readAll } from './client/read-all.ts'
import { allTargets } from './client/reader.ts'
import { checkWaking } from './client/waking.ts'
import { Trace } from './engine/trace.ts'
import { VirtualTime } from './engine/virtual-time.ts'
import { Chaos } from './world/chaos.ts'
import type { Seams } from './world/machine.ts'
import { drawLayout, ZONES, type Layout } from './world/settings.ts'
import { World } from './world/world.ts'

export type SimulationOptions = {
  readonly seed: number
  readonly minutes: number // virtual, under faults
  readonly seams?: Seams
  /** Changes what the seed drew. */
  readonly shape?: (drawn: Layout) => Layout
  readonly finishMs?: number // virtual, for each step after the faults
  /** It is over as soon as one of these is broken. */
  readonly stopAt?: readonly string[]
  readonly echo?: (line: string) => void
}

export type SimulationResult = {
  readonly violations: readonly Violation[]
  readonly trace: string // 64 hex digits
  readonly virtualMs: number
  readonly layout: Layout
  readonly counts: {
    readonly events: number; readonly faults: number; readonly sent: number; readonly acked: number;
    readonly read: number; readonly consumed: number
  }
}

const CREATE_MS = 60_000
const FINISH_MS = 120_000
const SERVES_MS = 20_000 // from the end of the faults until all partitions serve again
const SETTLE_MS = 3_000 // after the last fault: feeds are asked for again by then
const MINUTE_MS = 60_000
const TICK_MS = 50
const WAKE_ROUNDS = 3
/** Simulated clients connect where they like: what crosses zones there is counted, as theirs. */
const OF_CLIENTS: ReadonlySet<Cause> = new Set(['produce', 'fetch', 'failover'])

export async function runSimulation(options: SimulationOptions): Promise<SimulationResult> {
  const simulation = new Simulation(options)
  return simulation.run()
}

class Simulation {
  readonly #minutes: number
  readonly #finishMs: number
  readonly #stopAt: readonly string[]
  readonly #time = new VirtualTime()
  readonly #trace: Trace
  readonly #rng: Rng
  readonly #history = new History((line) => this.#trace.add(`${this.#time.nowMs} ${line}`), () => this.#time.nowMs)
  readonly #world: World
  readonly #chaos: Chaos
  readonly #topics: Topic[]
  #failure: Error | null = null

  constructor({
    seed, minutes, seams = {}, shape = (drawn) => drawn, finishMs = FINISH_MS, stopAt = [], echo
  }: SimulationOptions) {
    this.#minutes = minutes
    this.#finishMs = finishMs
    this.#stopAt = stopAt
    this.#trace = new Trace(echo)
    this.#rng = new Rng(seed)
    const layout = shape(drawLayout(this.#rng.fork()))
    this.#topics = topicsOf(layout)
    // a full disk gives up at once
    this.#history.giveUpMs = layout.ground === 'local' ? 0 : layout.gateway.chunkGiveUpMs
    this.#world = new World(
      { time: this.#time, trace: this.#trace, rng: this.#rng.fork(), layout, history: this.#history, seams }
    )
    this.#chaos = new Chaos(this.#world, this.#rng.fork())
  }

  async run(): Promise<SimulationResult> {
    if (await this.#finish('the cluster is made', CREATE_MS, this.#create())) {
      const cast = new Cast(this.#world.layout, this.#topics, (name, zone) => this.#parts(name, zone))
      for (const running of cast.run()) this.#begin(running)
      this.#begin(this.#chaos.run())
      await this.#run(this.#time.nowMs + this.#minutes * MINUTE_MS, () => false)
      await this.#end(cast)
    }
    if (this.#failure !== null) this.#history.violation(
      'nobody fails by a bug', unlike('no exception', this.#failure.stack ?? this.#failure.message)
    )
    const violations = check(this.#history)
    for (const { rule, what } of violations) this.#trace.add(`violation ${rule}: ${what}`)
    const { events } = this.#history
    const count = (kind: string): number => events.reduce((sum, event) => sum + (event.kind === kind ? 1 : 0), 0)
    return {
      violations, virtualMs: this.#time.nowMs, layout: this.#world.layout,
      counts: {
        events: this.#trace.count, faults: this.#chaos.count, sent: count('sent'), acked: count('acked'),
        read: count('read'), consumed: count('consumed')
      },
      trace: this.#trace.digest()
    }
  }

  async #create(): Promise<void> {
    await this.#world.startAll()
    await createTopics(new Caller(this.#parts('admin', 'a')), this.#topics)
  }

  async #end(cast: Cast): Promise<void> {
    await this.#finish('the cluster heals', this.#finishMs, this.#chaos.heal())
    if (this.#world.layout.ground === 'cluster')
      await this.#finish('all partitions take records in all zones', SERVES_MS, this.#serves())
    cast.stop()
    await this.#finish(
      () => `these finish: ${cast.unfinished().join(', ')}`, this.#finishMs,
      this.#until(() => cast.unfinished().length === 0)
    )
    await this.#finish('long polls are answered', this.#finishMs, this.#checkWaking())
    const allRead = await this.#finish('what was written can be read', this.#finishMs, this.#readAll('healed'))
    if (allRead && this.#world.layout.memberCount > 0)
      await this.#finish('the group consumes everything', this.#finishMs, this.#until(() => this.#isConsumed()))
    cast.stopMembers()
    if (this.#isOver) return
    for (const machine of this.#world.machines) machine.crash()
    await this.#finish('the cluster comes back', this.#finishMs, this.#world.startAll())
    await this.#finish('what was written can be read after all died', this.#finishMs, this.#readAll('reborn'))
    await this.#finish('what was committed can be asked for after all died', this.#finishMs, this.#askOffsets())
    await this.#finish('shards can be recovered', this.#finishMs, this.#checkDurable())
    this.#checkLedger()
  }

  async #serves(): Promise<void> {
    await Promise.all(ZONES.flatMap((zone) => allTargets(this.#topics).map(async (target) => {
      const parts = this.#parts(`serves-${zone}-${nameOf(target)}`, zone)
      await new PlainProducer({ ...parts, asks: 'home' }).writeOnce(target)
    })))
  }

  async #readAll(when: string): Promise<void> {
    const found = await Promise.all(ZONES.map((zone) => readAll(new Caller(this.#parts(`${when}-${zone}`, zone)))))
    this.#history.finals.push(...found.flat())
  }

  /** Whether the group has consumed all that is known to be there. */
  #isConsumed(): boolean {
    const { events, finals } = this.#history
    const ends = new Map<string, number>()
    for (const event of events) if (event.kind === 'consumed') ends.set(
      event.partition, Math.max(ends.get(event.partition) ?? 0, event.offset + 1)
    )
    return finals.every(({ partition, records }) => (ends.get(partition) ?? 0) >= records.length)
  }

  async #checkWaking(): Promise<void> {
    await sleep(this.#time, SETTLE_MS)
    for (let round = 0; round < WAKE_ROUNDS; round++) {
      const polls = ZONES.map((zone) => ({ ...this.#parts(`poll-${round}-${zone}`, zone), asks: 'home' as const }))
      await checkWaking(
        polls, this.#parts(`waker-${round}`, this.#rng.pick(ZONES)), this.#rng.pick(allTargets(this.#topics))
      )
    }
  }

  async #askOffsets(): Promise<void> {
    const caller = new Caller(this.#parts('reborn-group', 'c'))
    await caller.until(
      async () => (typeof await fetchOffsets(caller, GROUP, allTargets(this.#topics)) === 'number' ? null : true)
    )
  }

  async #checkDurable(): Promise<void> {
    const { machines, layout: { shardCount } } = this.#world
    const { footing, life } = machines[0]!
    if (footing === null || life === null) throw new Error('a machine that has come back stands on nothing')
    await checkDurable(this.#history, footing, life, shardCount)
  }

  #checkLedger(): void {
    for (const { from, to, cause, bytes, payload, crosses } of this.#world.ledger.rows())
      if (payload && crosses && bytes > 0 && !OF_CLIENTS.has(cause)) this.#history.violation(
        'no payload crosses zones', unlike(`nothing of ${cause} from ${from} to ${to}`, `${bytes} bytes`)
      )
  }

  #parts(name: string, zone: string): ClientParts {
    const { network, gateways, layout: { carrier, bigPerMille } } = this.#world
    return {
      name, zone, gateways, topics: this.#topics, history: this.#history, timer: this.#time, rng: this.#rng.fork(),
      network: network.host(name), nowMs: () => Math.floor(this.#time.nowMs),
      bigPerMille: carrier === 'network' ? bigPerMille : 0
    }
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done()) await sleep(this.#time, TICK_MS)
  }

  /** Lets `work` run; what it throws ends the simulation. */
  #begin(work: Promise<unknown>): void {
    work.catch((error: unknown) => { this.#failure ??= error as Error })
  }

  async #run(untilMs: number, done: () => boolean): Promise<void> {
    try {
      await this.#time.run(untilMs, () => done() || this.#isOver)
    } catch (error) { // thrown in a timer: the process of a node would have ended
      this.#failure ??= error as Error
    }
  }

  get #isOver(): boolean {
    return this.#failure !== null || this.#history.violations.some(({ rule }) => this.#stopAt.includes(rule))
  }

  /** Runs until `work` is done; a violation if it is not in time. */
  async #finish(what: string | (() => string), timeoutMs: number, work: Promise<unknown>): Promise<boolean> {
    if (this.#isOver) return false
    let done = false
    this.#begin(work.then(() => { done = true }))
    await this.#run(this.#time.nowMs + timeoutMs, () => done)
    if (!done && !this.#isOver) this.#history.violation(
      'all ends well', unlike(`that ${typeof what === 'string' ? what : what()} within ${timeoutMs} ms`, 'it did not')
    )
    return done
  }
}
