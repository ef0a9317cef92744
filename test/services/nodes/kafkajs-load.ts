/** kafkajs as producer of numbered records, one after the other, and as a group's consumer of them. */
import type { Consumer, Kafka, Producer } from 'kafkajs'
import { newKafka } from '#cli/command/kafka-client.ts'
import { pause } from '../tool/node-cluster.ts'

const EVERY_MS = 20
const RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 100 }

function openKafka(servers: string, clientId: string): Kafka {
  return newKafka({ brokers: servers.split(','), clientId, retry: RETRY, connectionTimeout: 1_000 })
}

export class KafkajsProducer {
  readonly #producer: Producer
  readonly #done: Promise<void>
  #ending = false
  sent = 0 // acknowledged ones
  waitMsMax = 0

  constructor(servers: string, topic: string, clientId = 'producer') {
    this.#producer = openKafka(servers, clientId).producer({ metadataMaxAge: 1_000 })
    this.#done = this.#run(topic)
  }

  /** @throws what kafkajs did not get over by itself */
  async end(): Promise<void> {
    this.#ending = true
    await this.#done
    await this.#producer.disconnect()
  }

  async #run(topic: string): Promise<void> {
    await this.#producer.connect()
    while (!this.#ending) {
      const beganMs = performance.now()
      await this.#producer.send({ topic, acks: -1, messages: [{ value: String(this.sent) }] })
      this.sent += 1
      this.waitMsMax = Math.max(this.waitMsMax, performance.now() - beganMs)
      await pause(EVERY_MS)
    }
  }
}

export class KafkajsConsumer {
  readonly #consumer: Consumer
  readonly counts = new Map<number, number>() // by number of the record
  crashes = 0

  constructor(servers: string, groupId: string) {
    this.#consumer = openKafka(servers, 'consumer').consumer({ groupId, metadataMaxAge: 1_000, maxWaitTimeInMs: 500 })
    this.#consumer.on(this.#consumer.events.CRASH, () => { this.crashes += 1 })
  }

  async start(topic: string): Promise<void> {
    await this.#consumer.connect()
    await this.#consumer.subscribe({ topics: [topic], fromBeginning: true })
    await this.#consumer.run({ eachMessage: async ({ message: { value } }) => {
      const number = Number(value?.toString())
      this.counts.set(number, (this.counts.get(number) ?? 0) + 1)
    } })
  }

  async end(): Promise<void> {
    await this.#consumer.disconnect()
  }
}
