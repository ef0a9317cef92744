/** A real client beside our own: kafkajs, idempotent, one batch at a time, again and again until it is acknowledged. */
import kafkajs, { type Kafka, type Producer } from 'kafkajs'
import { newKafka } from '#cli/command/kafka-client.ts'
import type { History } from '#test/simulation/check/history.ts'
import { pause } from './kill-moments.ts'

const RETRIES = 5 // inside the library; then it is asked again from here
const RETRY_MS_MAX = 500
const PAUSE_MS = 20

export type KafkajsParts = {
  readonly name: string; readonly broker: string; readonly topic: string; readonly partitionCount: number;
  readonly history: History
}

export class KafkajsProducer {
  readonly #parts: KafkajsParts
  readonly #kafka: Kafka
  readonly #counters: number[]
  #stopping = false
  #abandoned = false
  done = false

  constructor(parts: KafkajsParts) {
    this.#parts = parts
    this.#counters = Array.from({ length: parts.partitionCount }, () => 0)
    parts.history.producers.set(parts.name, 'idempotent')
    this.#kafka = newKafka({
      clientId: parts.name, brokers: [parts.broker], requestTimeout: 3_000, connectionTimeout: 1_000,
      retry: { retries: RETRIES, initialRetryTime: 100, maxRetryTime: RETRY_MS_MAX }
    })
  }

  stop(): void {
    this.#stopping = true
  }

  /** Sends nothing more, whatever was acknowledged: nothing of it keeps the process alive. */
  abandon(): void {
    this.#stopping = this.#abandoned = true
  }

  async run(): Promise<void> {
    const producer = this.#kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false })
    await this.#again('connect', () => producer.connect())
    for (let n = 0; !this.#stopping; n++) {
      await this.#send(producer, n % this.#parts.partitionCount)
      await pause(PAUSE_MS)
    }
    this.done = true
    await producer.disconnect()
  }

  /** One batch of records that go up by one in each partition. */
  async #send(producer: Producer, partition: number): Promise<void> {
    const { name, topic, history } = this.#parts
    const count = 1 + partition % 3
    const first = this.#counters[partition]!
    this.#counters[partition] = first + count
    const records = Array.from({ length: count }, (_, i) => ({ producer: name, counter: first + i }))
    const where = `${topic}/${partition}`
    for (const record of records) history.add({ kind: 'sent', partition: where, record })
    // The same records again have the same sequence again: kafkajs counts only what was answered.
    const answer = await this.#again(`${where} from ${first}`, async () => (await producer.send({
      topic, acks: -1, timeout: 2_000,
      messages: records.map(({ counter }) => ({ partition, value: `${name}:${counter}:` }))
    }))[0])
    const baseOffset = Number(answer?.baseOffset)
    if (answer !== undefined) {
      records.forEach((record, i) => history.add({ kind: 'acked', partition: where, record, offset: baseOffset + i }))
    }
  }

  /** Tries again whatever happens, but for an answer of the server that says that it is of no use. */
  async #again<T>(what: string, attempt: () => Promise<T>): Promise<T | undefined> {
    while (!this.#abandoned) {
      try {
        return await attempt()
      } catch (error) {
        if (!(error instanceof kafkajs.KafkaJSError)) throw error
        const cause = error.cause instanceof kafkajs.KafkaJSError ? error.cause : error
        if (cause instanceof kafkajs.KafkaJSProtocolError && !cause.retriable) {
          const { name, history } = this.#parts
          history.violation('clients get answers they can use', `${name} gave up ${what}: ${cause.message}`)
          this.#stopping = true
          return undefined
        }
        await pause(RETRY_MS_MAX)
      }
    }
    return undefined
  }
}
