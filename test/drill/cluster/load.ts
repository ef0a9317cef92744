/** The clients of a drill in every zone: our own, kafkajs and librdkafka, each producing and consuming. */
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
import { LibrdkafkaClient } from './librdkafka-client.ts'
import type { LibrdkafkaPython } from './librdkafka-python.ts'
import { Prober } from './prober.ts'

const OWN = [{ name: 'one', partitionCount: 1 }, { name: 'many', partitionCount: 8 }]
const JS = { name: 'js', partitionCount: 3 }
const RD = { name: 'rd', partitionCount: 6 }
const WIDE = 'wide'
const FINISH_MS_MAX = 90_000
const POLL_MS = 20

export type LoadParts = { readonly cluster: DrillCluster; readonly history: History; readonly rng: Rng
  readonly python: LibrdkafkaPython; readonly widePartitions: number; readonly light: boolean }

type Client = { run(): Promise<void>; stop(): void; abandon?(): unknown; readonly done?: boolean }

export class Load {
  readonly librdkafka: readonly LibrdkafkaClient[]
  readonly probers: ReadonlyMap<string, Prober>
  readonly #parts: LoadParts
  readonly #network = newNodeNetwork()
  readonly #clients: readonly Client[]
  #failure: unknown = null

  constructor(parts: LoadParts) {
    const { cluster, history, python, widePartitions } = parts
    this.#parts = parts
    this.librdkafka = ZONES.map((zone) => new LibrdkafkaClient({
      python, name: `librdkafka-${zone}`, bootstrap: bootstrapOf(cluster, zone).join(','), topic: RD.name,
      partitionCount: RD.partitionCount, within: (command) => cluster.net.on(zone, command), history
    }))
    this.probers = new Map(ZONES.map((zone) => [zone, new Prober({
      name: `prober-${zone}`, addresses: cluster.gateways(zone).map(({ address }) => address), topic: WIDE,
      partitionCount: widePartitions, network: this.#network, timer: nodeRuntime.timer, history,
      isNoted: !parts.light
    })]))
    this.#clients = parts.light ? this.librdkafka : [...this.librdkafka, ...ZONES.flatMap((zone) => {
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
