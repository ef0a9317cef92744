/** A consumer of kafkajs, alone in its group, that commits nothing: when it joins again it reads from the start. */
import type { Consumer } from 'kafkajs'
import { newKafka } from '#cli/command/kafka-client.ts'
import type { History } from '#test/simulation/check/history.ts'

export type KafkajsConsumerParts = { readonly name: string; readonly brokers: readonly string[]; readonly topic: string
  readonly history: History }

export class KafkajsConsumer {
  readonly #parts: KafkajsConsumerParts
  readonly #consumer: Consumer
  readonly #sessions = new Map<number, number>()

  constructor(parts: KafkajsConsumerParts) {
    this.#parts = parts
    const kafka = newKafka({
      clientId: parts.name, brokers: [...parts.brokers], requestTimeout: 5_000, connectionTimeout: 1_000,
      retry: { retries: Number.MAX_SAFE_INTEGER, initialRetryTime: 100, maxRetryTime: 500 }
    })
    this.#consumer = kafka.consumer({ groupId: parts.name, maxWaitTimeInMs: 300, sessionTimeout: 10_000 })
  }

  async run(): Promise<void> {
    const { topic } = this.#parts
    await this.#consumer.connect()
    await this.#consumer.subscribe({ topics: [topic], fromBeginning: true })
    await this.#consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => { this.#take(partition, Number(message.offset), message.value) }
    })
  }

  stop(): void {} // reads until it is abandoned

  abandon(): Promise<void> {
    return this.#consumer.disconnect()
  }

  #take(partition: number, offset: number, value: Buffer | null): void {
    const { name, topic, history } = this.#parts
    if (offset === 0) this.#sessions.set(partition, (this.#sessions.get(partition) ?? 0) + 1)
    const [producer, counter] = String(value).split(':', 2)
    history.add({
      kind: 'read', reader: `${name}.${this.#sessions.get(partition)}`, partition: `${topic}/${partition}`, offset,
      record: { producer: producer!, counter: Number(counter) }
    })
  }
}
