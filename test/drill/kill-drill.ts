/**
 * Kills one server again and again while real clients produce into all its zones and read in them; then everything is
 * read in every zone and judged by the simulation's checker, against all that any client was ever told.
 */
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { newNodeNetwork } from '#cli/platform/node-network.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { API } from '#shared/wire/api-registry.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { check } from '#test/simulation/check/checker.ts'
import { History, type Violation } from '#test/simulation/check/history.ts'
import { Caller, type ClientParts } from '#test/simulation/client/caller.ts'
import { IdempotentProducer } from '#test/simulation/client/idempotent-producer.ts'
import { PipelinedProducer, PlainProducer } from '#test/simulation/client/producer.ts'
import { readAll } from '#test/simulation/client/read-all.ts'
import { Asker } from '#test/simulation/client/asker.ts'
import { Reader } from '#test/simulation/client/reader.ts'
import { type Launched, launchServer } from '#test/support/zonewise-process.ts'
import { KafkajsProducer } from './kafkajs-producer.ts'
import { awaitMoment, type Moment, MOMENTS, pause } from './kill-moments.ts'
import { judgeLog } from './server-log.ts'

export type DrillOptions = { readonly folder: string; readonly kills: number; readonly seed: number
  readonly readyMsMax?: number; readonly echo?: (line: string) => void }

export type DrillReport = {
  readonly kills: Readonly<Record<Moment, number>>
  readonly readyMs: readonly number[] // of every life that got ready, ascending
  readonly counts: { readonly sent: number; readonly acked: number; readonly read: number; readonly stored: number }
  readonly warnings: ReadonlyMap<string, number> // lines of the servers' logs by message
  readonly violations: readonly Violation[]
}

const ZONES = ['a', 'b', 'c']
const TOPICS = [{ name: 'one', partitionCount: 1 }, { name: 'many', partitionCount: 8 }, { name: 'js', partitionCount: 3 }]
const READY_MS_MAX = 10_000
const FINISH_MS_MAX = 60_000
const POLL_MS = 10
const CREATING_KILLS = 2 // while the cluster is made
const CREATING_MS = 1_500
const BETWEEN_LIVES_MS_MAX = 200
const PORT_MIN = 12_000 // below what systems give to outgoing connections: a client may not sit on a port of the server
const PORT_SPAN = 18_000
/** Small files and frequent snapshots, so that a kill meets all that a server does. */
const FLAGS = ['--journal-segment-bytes', '64KiB', '--snapshot-journal-bytes', '4KiB', '--shards', '4', '--journal-recent-bytes-max', '0']

type Client = { run(): Promise<void>; stop(): void; abandon?(): void; readonly done?: boolean }

export async function runKillDrill(options: DrillOptions): Promise<DrillReport> {
  const awake = setInterval(() => {}, 1_000) // timers of the runtime do not keep the process alive
  try {
    return await new KillDrill(options, await freePorts(ZONES.length, new Rng(options.seed))).run()
  } finally {
    clearInterval(awake)
  }
}

class KillDrill {
  readonly #options: DrillOptions
  readonly #ports: readonly number[]
  readonly #rng: Rng
  readonly #network = newNodeNetwork()
  readonly #history = new History()
  readonly #kills = Object.fromEntries(MOMENTS.map((moment) => [moment, 0])) as Record<Moment, number>
  readonly #readyMs: number[] = []
  readonly #warnings = new Map<string, number>()
  #launched: Launched | null = null // the newest
  #failure: unknown = null

  constructor(options: DrillOptions, ports: readonly number[]) {
    this.#options = options
    this.#ports = ports
    this.#rng = new Rng(options.seed)
  }

  async run(): Promise<DrillReport> {
    const clients = this.#clients()
    try {
      await this.#killAll(clients)
      await this.#finish(clients)
    } finally { // nothing may outlive a drill that failed
      for (const client of clients) (client.abandon ?? client.stop).call(client)
      this.#launched?.child.kill('SIGKILL')
    }
    return this.#report()
  }

  async #killAll(clients: readonly Client[]): Promise<void> {
    mkdirSync(join(this.#options.folder, 'data'), { recursive: true })
    for (let kill = 0; kill < CREATING_KILLS; kill++) await this.#live(this.#launch(), 'starting')
    const first = this.#launch()
    await this.#untilReady(first)
    await this.#createTopics()
    for (const client of clients) client.run().catch((error: unknown) => { this.#failure ??= error })
    await this.#live(first, 'serving')
    for (let kill = CREATING_KILLS + 1; kill < this.#options.kills; kill++) await this.#live(this.#launch(), this.#rng.pick(MOMENTS))
  }

  /** From a launch to its kill. */
  async #live(launched: Launched, moment: Moment): Promise<void> {
    const { folder, echo } = this.#options
    const startingMsMax = Math.ceil(this.#readyMs.at(-1) ?? CREATING_MS)
    await awaitMoment(moment, { launched, folder, rng: this.#rng, startingMsMax, untilReady: () => this.#untilReady(launched) })
    const endedFirst = launched.child.exitCode !== null
    launched.child.kill('SIGKILL')
    const code = await launched.exited
    if (endedFirst && code !== 0) this.#history.violation('a server ends by signals only', `code ${code} while ${moment}:\n${launched.log()}`)
    this.#kills[moment] += 1
    this.#judge(launched)
    echo?.(`killed while ${moment}${endedFirst ? ', after its end' : ''}: ${this.#history.events.length} events, ${this.#history.violations.length} violations`)
    if (this.#failure !== null) throw this.#failure
    await pause(this.#rng.below(BETWEEN_LIVES_MS_MAX))
  }

  /** The clients end what they began, all is read, a last kill, all is read again, and the server stops in peace. */
  async #finish(clients: readonly Client[]): Promise<void> {
    let launched = this.#launch()
    await this.#untilReady(launched)
    for (const client of clients) client.stop()
    const giveUpMs = performance.now() + FINISH_MS_MAX
    while (clients.some(({ done }) => done === false) && performance.now() < giveUpMs && this.#failure === null) await pause(POLL_MS)
    if (this.#failure !== null) throw this.#failure
    if (clients.some(({ done }) => done === false)) this.#history.violation('all ends well', 'producers do not finish')
    await this.#readInAllZones('healed')
    launched.child.kill('SIGKILL')
    await launched.exited
    this.#judge(launched)
    launched = this.#launch()
    await this.#untilReady(launched)
    await this.#readInAllZones('reborn')
    launched.child.kill('SIGTERM')
    const code = await launched.exited
    if (code !== 0) this.#history.violation('SIGTERM ends with code 0', `code ${code}`)
    this.#judge(launched)
  }

  #launch(): Launched {
    const listeners = ZONES.map((zone, i) => `zone=${zone},port=${this.#ports[i]}`)
    return (this.#launched = launchServer(this.#options.folder, FLAGS, listeners))
  }

  async #untilReady({ endpoints, child, log }: Launched): Promise<void> {
    const startMs = performance.now()
    while (endpoints() === null) {
      if (child.exitCode !== null) throw new Error(`the server did not start:\n${log()}`)
      if (performance.now() - startMs > (this.#options.readyMsMax ?? READY_MS_MAX)) {
        this.#history.violation('ready in time', log())
        throw new Error(`the server did not get ready:\n${log()}`)
      }
      await pause(POLL_MS)
    }
    this.#readyMs.push(performance.now() - startMs)
  }

  #judge(launched: Launched): void {
    const { warnings, faults } = judgeLog(launched.log())
    for (const [message, count] of warnings) this.#warnings.set(message, (this.#warnings.get(message) ?? 0) + count)
    for (const fault of faults) this.#history.violation('servers log no error', fault)
  }

  async #createTopics(): Promise<void> {
    const caller = new Caller(this.#parts('admin', 0))
    await caller.until(async () => {
      const { topics } = await caller.call(API.createTopics, 4, {
        topics: TOPICS.map(({ name, partitionCount }) => ({ name, numPartitions: partitionCount, replicationFactor: 1, assignments: [], configs: [] })),
        timeoutMs: 5_000, validateOnly: false
      }, READY_MS_MAX)
      return topics.every(({ errorCode }) => errorCode === 0 || errorCode === KAFKA_ERROR.TOPIC_ALREADY_EXISTS) ? true : null
    })
    caller.disconnect()
  }

  #clients(): Client[] {
    const js = TOPICS.at(-1)!
    return ZONES.flatMap((zone, i) => [
      new IdempotentProducer(this.#parts(`idempotent-${zone}`, i)), new PlainProducer(this.#parts(`plain-${zone}`, i)),
      new PipelinedProducer(this.#parts(`pipelined-${zone}`, i)), new Reader(this.#parts(`reader-${zone}`, i)), new Asker(this.#parts(`asker-${zone}`, i)),
      new KafkajsProducer({ name: `kafkajs-${zone}`, broker: `127.0.0.1:${this.#ports[i]}`, topic: js.name, partitionCount: js.partitionCount, history: this.#history })
    ])
  }

  async #readInAllZones(when: string): Promise<void> {
    const found = await Promise.all(ZONES.map(async (zone, i) => {
      const caller = new Caller(this.#parts(`${when}-${zone}`, i))
      const logs = await readAll(caller)
      caller.disconnect()
      return logs
    }))
    this.#history.finals.push(...found.flat())
  }

  #parts(name: string, zone: number): ClientParts {
    return {
      name, zone: ZONES[zone]!, gateways: ZONES.map((own, i) => ({ zone: own, address: { host: '127.0.0.1', port: this.#ports[i]! } })),
      topics: TOPICS, history: this.#history, timer: nodeRuntime.timer, rng: this.#rng.fork(), network: this.#network, nowMs: () => Date.now()
    }
  }

  #report(): DrillReport {
    const { events, finals } = this.#history
    const count = (kind: string): number => events.reduce((sum, event) => sum + (event.kind === kind ? 1 : 0), 0)
    const stored = finals.filter(({ reader }) => reader === 'reborn-a').reduce((sum, { records }) => sum + records.length, 0)
    return {
      kills: this.#kills, readyMs: this.#readyMs.toSorted((a, b) => a - b), warnings: this.#warnings, violations: check(this.#history),
      counts: { sent: count('sent'), acked: count('acked'), read: count('read'), stored }
    }
  }
}

async function freePorts(count: number, rng: Rng): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = PORT_MIN + (rng.below(PORT_SPAN) + process.pid) % PORT_SPAN
    if (!ports.includes(port) && await isFree(port)) ports.push(port)
  }
  return ports
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => { resolve(false) })
    server.listen(port, '127.0.0.1', () => { server.close(() => { resolve(true) }) })
  })
}
