/**
 * The clients of a drill in every zone: our own, kafkajs and librdkafka, each producing and consuming; in the first
 * zone readers of librdkafka and Java, too, that may never be sent back.
 */
import { fileURLToPath } from 'node:url'
import { newNodeNetwork } from '#cli/platform/node-network.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import type { History } from '#test/simulation/check/history.ts'
import { Caller, type ClientParts } from '#test/simulation/client/caller.ts'
import { IdempotentProducer } from '#test/simulation/client/idempotent-producer.ts'
import { PipelinedProducer, PlainProducer } from '#test/simulation/client/producer.ts'
import { readAll } from '#test/simulation/client/read-all.ts'
import { Asker } from '#test/simulation/client/asker.ts'
import { Reader } from '#test/simulation/client/reader.ts'
import { KafkajsProducer } from '../kafkajs-producer.ts'
import { pause } from '../kill-moments.ts'
import { type DrillCluster, ZONES } from './drill-cluster.ts'
import { KafkajsConsumer } from './kafkajs-consumer.ts'
import { notReadYet } from './caught-up.ts'
import { ClientProcess, type ClientProgram } from './client-process.ts'
import type { LibrdkafkaPython } from './librdkafka-python.ts'
import { Prober } from './prober.ts'

const OWN = [{ name: 'one', partitionCount: 1 }, { name: 'many', partitionCount: 8 }]
const JS = { name: 'js', partitionCount: 3 }
const RD = { name: 'rd', partitionCount: 6 }
const WIDE = 'wide'
const FINISH_MS_MAX = 90_000
const POLL_MS = 20
const CATCH_UP_MS_MAX = 60_000
const LOOK_MS = 500
const LIBRDKAFKA = fileURLToPath(new URL('librdkafka.py', import.meta.url))
const READERS = fileURLToPath(new URL('readers/readers.py', import.meta.url))
const DENSE = ['assigned', 'group'] as const // of the readers, those that read all

export type LoadParts = { readonly cluster: DrillCluster; readonly history: History; readonly rng: Rng
  readonly python: LibrdkafkaPython; readonly widePartitions: number; readonly light: boolean
  readonly readers: boolean; readonly java: ClientProgram | null }

type Client = { run(): Promise<void>; stop(): void; abandon?(): unknown; readonly done?: boolean }

export class Load {
  readonly librdkafka: readonly ClientProcess[]
  readonly probers: ReadonlyMap<string, Prober>
  readonly #parts: LoadParts
  readonly #network = newNodeNetwork()
  readonly #clients: readonly Client[]
  readonly #readers: readonly ClientProcess[]
  #failure: unknown = null

  constructor(parts: LoadParts) {
    const { cluster, history, widePartitions } = parts
    this.#parts = parts
    this.librdkafka = ZONES.map((zone) => this.#process('librdkafka', zone, this.#python(LIBRDKAFKA), true))
    this.#readers = !parts.readers ? [] : [
      this.#process('readers', ZONES[0], this.#python(READERS), false),
      ...parts.java === null ? [] : [this.#process('java', ZONES[0], parts.java, false)]
    ]
    this.probers = new Map(ZONES.map((zone) => [zone, new Prober({
      name: `prober-${zone}`, addresses: cluster.gateways(zone).map(({ address }) => address), topic: WIDE,
      partitionCount: widePartitions, network: this.#network, timer: nodeRuntime.timer, history,
      isNoted: !parts.light
    })]))
    const processes = [...this.librdkafka, ...this.#readers]
    this.#clients = parts.light ? processes : [...processes, ...ZONES.flatMap((zone) => {
      const brokers = bootstrapOf(cluster, zone)
      return [
        new IdempotentProducer(this.#client(`idempotent-${zone}`, zone)),
        new PlainProducer(this.#client(`plain-${zone}`, zone)),
        new PipelinedProducer(this.#client(`pipelined-${zone}`, zone)),
        new Reader(this.#client(`reader-${zone}`, zone)), new Asker(this.#client(`asker-${zone}`, zone)),
        new KafkajsProducer({
          name: `kafkajs-${zone}`, broker: brokers[0]!, topic: JS.name, partitionCount: JS.partitionCount, history
        }),
        new KafkajsConsumer({ name: `kafkajs-reader-${zone}`, brokers, topic: JS.name, history })
      ]
    })]
  }

  get topics(): { readonly name: string; readonly partitionCount: number }[] {
    return [...OWN, JS, RD, { name: WIDE, partitionCount: this.#parts.widePartitions }]
  }

  start(): void {
    for (const client of this.#clients) client.run().catch((error: unknown) => { this.#failure ??= error })
  }

  /** @throws what ended a client that should not end. */
  check(): void {
    if (this.#failure !== null) throw this.#failure
  }

  /** Producers end what they began. */
  async finish(): Promise<void> {
    for (const client of this.#clients) client.stop()
    const waiting = (): boolean => this.#clients.some(({ done }) => done === false)
    const untilMs = performance.now() + FINISH_MS_MAX
    while (waiting() && performance.now() < untilMs) {
      this.check()
      await pause(POLL_MS)
    }
    if (waiting()) this.#parts.history.violation('all ends well', 'producers do not finish')
  }

  /** Readers read on until they have all that was acknowledged. */
  async caughtUp(): Promise<void> {
    const { history } = this.#parts
    const readers = this.#readers.flatMap(({ name }) => DENSE.map((role) => `${name}-${role}`))
    const missing = (): string[] => notReadYet(history.events, RD.name, readers)
    for (const untilMs = performance.now() + CATCH_UP_MS_MAX; missing().length > 0; await pause(LOOK_MS)) {
      if (performance.now() < untilMs) continue
      for (const what of missing()) history.violation('what is acknowledged is read', what)
      return
    }
  }

  /** Everything, as each zone reads it now. */
  async readInAllZones(): Promise<void> {
    const found = await Promise.all(ZONES.map(async (zone) => {
      const caller = new Caller({ ...this.#client(`final-${zone}`, zone), topics: [...OWN, JS, RD] })
      const logs = await readAll(caller)
      caller.disconnect()
      if (this.#parts.light) return logs
      return [...logs, ...await this.probers.get(zone)!.readAll(AbortSignal.timeout(FINISH_MS_MAX))]
    }))
    this.#parts.history.finals.push(...found.flat())
  }

  admin(): Caller {
    return new Caller(this.#client('admin', ZONES[0]))
  }

  async abandon(): Promise<void> {
    await Promise.all(this.#clients.map(async (client) => (client.abandon ?? client.stop).call(client)))
  }

  #python(script: string): ClientProgram {
    const { python, env } = this.#parts.python
    return { command: [python, script], env }
  }

  #process(kind: string, zone: string, program: ClientProgram, produces: boolean): ClientProcess {
    const { cluster, history } = this.#parts
    return new ClientProcess({
      program, produces, name: `${kind}-${zone}`, bootstrap: bootstrapOf(cluster, zone).join(','), topic: RD.name,
      partitionCount: RD.partitionCount, ...produces ? {} : { elsewhere: bootstrapOf(cluster, ZONES[1]).join(',') },
      within: (command) => cluster.net.on(zone, command), history
    })
  }

  #client(name: string, zone: string): ClientParts {
    const { cluster, history, rng } = this.#parts
    const gateways = cluster.gateways(zone).map(({ options, address }) => ({ zone: options.zone, address }))
    return {
      name, zone, gateways, topics: OWN, history, timer: nodeRuntime.timer, rng: rng.fork(), network: this.#network,
      nowMs: () => Date.now()
    }
  }
}

function bootstrapOf(cluster: DrillCluster, zone: string): string[] {
  const own = cluster.inZone(zone).filter(({ isGateway }) => isGateway)
  return own.map(({ address: { host, port } }) => `${host}:${port}`)
}
