/**
 * Makes a topic, writes to it, reads it back, deletes it, and makes it anew under the same name, alone with it: what it
 * finds must be of this life. What it was told on a connection where the end was known holds on it from then on.
 */
import { API } from '#shared/wire/api-registry.ts'
import { isKafkaErrorRetriable, KAFKA_ERROR, kafkaErrorName } from '#shared/wire/error-codes.ts'
import { idOf, unlike, type RecordId } from '../check/history.ts'
import { Caller, type ClientParts } from './caller.ts'
import type { Connection } from './connection.ts'
import { fetchOne } from './fetch-one.ts'
import { nameOf, REQUEST_MS } from './producer.ts'
import { decodeBatches, encodeBatch, NOBODY } from './record-batch.ts'

const ASK_MS = 10_000
const TIMEOUT_MS = 2_000
const PARTITIONS_MAX = 3
const BATCHES_MAX = 6
const REST_MS = 1_500
const POLL_MS = 200
const LATEST = -1

type Life = {
  readonly name: string; readonly partitionCount: number;
  readonly acked: { readonly partition: number; readonly offset: number; readonly record: RecordId }[]
}

export class Mayfly {
  readonly caller: Caller
  readonly #topic: string
  #lives = 0
  #stopping = false
  done = false

  constructor(parts: ClientParts, topic: string) {
    this.caller = new Caller(parts)
    this.#topic = topic
  }

  stop(): void {
    this.#stopping = true
  }

  async run(): Promise<void> {
    const { rng, name } = this.caller.parts
    while (!this.#stopping) {
      const life: Life = { name: `${name}.${++this.#lives}`, partitionCount: 1 + rng.below(PARTITIONS_MAX), acked: [] }
      await this.#create(life)
      for (let batch = rng.below(BATCHES_MAX); batch >= 0; batch--) await this.#write(life, batch)
      for (let partition = 0; partition < life.partitionCount; partition++) await this.#readBack(life, partition)
      await this.#delete()
      await this.#writeInVain(life)
      await this.caller.pause(REST_MS)
    }
    this.done = true
  }

  async #create({ partitionCount }: Life): Promise<void> {
    let asked = false
    await this.#until('CreateTopics', async () => {
      const first = !asked
      asked = true
      const { topics } = await this.caller.call(API.createTopics, this.caller.parts.rng.pick([2, 4, 5, 7]), {
        topics: [{
          name: this.#topic, numPartitions: partitionCount, replicationFactor: 1, assignments: [], configs: []
        }],
        timeoutMs: TIMEOUT_MS, validateOnly: false
      }, ASK_MS)
      const { errorCode } = topics[0]!
      return errorCode === KAFKA_ERROR.TOPIC_ALREADY_EXISTS && !first ? 0 : errorCode
    })
  }

  async #write(life: Life, counter: number): Promise<void> {
    const { rng, nowMs } = this.caller.parts
    const partition = rng.below(life.partitionCount)
    const record = { producer: life.name, counter }
    const bytes = encodeBatch([record], NOBODY, nowMs(), rng.below(100))
    if (rng.below(3) === 0) this.caller.disconnect()
    await this.#until('Produce', async () => {
      const { errorCode, baseOffset } = await this.#produce(partition, bytes)
      if (errorCode === 0) life.acked.push({ partition, offset: baseOffset, record })
      return errorCode
    })
  }

  async #readBack(life: Life, partition: number): Promise<void> {
    const { history, rng } = this.caller.parts
    const at = `${nameOf({ topic: this.#topic, partition })} of ${life.name}`
    if (rng.below(2) === 0) this.caller.disconnect()
    await this.#until('ListOffsets and Fetch', async () => {
      const connection = await this.caller.connection()
      const { errorCode, offset: end } = await this.#endOf(connection, partition)
      if (errorCode !== 0) return errorCode
      const found: RecordId[] = []
      while (found.length < end) {
        const fetched = await fetchOne(connection, { topic: this.#topic, partition }, found.length, POLL_MS)
        if (fetched.errorCode !== 0) return fetched.errorCode
        for (const { offset, record } of decodeBatches(fetched.bytes)) {
          if (offset > found.length) history.violation(
            'offsets are dense', unlike(`a record at ${found.length} in ${at}`, `the next at ${offset}`)
          )
          if (record.producer !== life.name) history.violation(
            'a topic made anew is empty', unlike(`records of its own in ${at}`, `${idOf(record)} at ${offset}`)
          )
          found[offset] = record
        }
      }
      for (const { offset, record } of life.acked.filter((one) => one.partition === partition)) {
        const held = found[offset]
        if (held === undefined || idOf(held) !== idOf(record)) history.violation(
          'no acked record is lost',
          unlike(`${idOf(record)} at ${offset} in ${at}`, held === undefined ? 'nothing' : idOf(held))
        )
      }
      return 0
    })
  }

  async #delete(): Promise<void> {
    let asked = false
    await this.#until('DeleteTopics', async () => {
      const first = !asked
      asked = true
      const { responses } = await this.caller.call(API.deleteTopics, this.caller.parts.rng.pick([1, 3, 4, 5]), {
        topics: [], topicNames: [this.#topic], timeoutMs: TIMEOUT_MS
      }, ASK_MS)
      const { errorCode } = responses[0]!
      if (errorCode !== KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION) return errorCode
      if (first) this.caller.parts.history.violation(
        'what was made is there', unlike(`${this.#topic} to be deleted`, 'UNKNOWN_TOPIC_OR_PARTITION at the first try')
      )
      return 0
    })
  }

  /** What is deleted takes nothing, whoever is asked. */
  async #writeInVain(life: Life): Promise<void> {
    const { rng, history, nowMs } = this.caller.parts
    this.caller.disconnect()
    const bytes = encodeBatch([{ producer: `${life.name}, deleted`, counter: 0 }], NOBODY, nowMs(), 0)
    await this.caller.until(async () => {
      const { errorCode, baseOffset } = await this.#produce(rng.below(life.partitionCount), bytes)
      if (errorCode === 0) history.violation(
        'what is deleted takes nothing',
        unlike(`an error for ${this.#topic} after it was deleted`, `an ack at ${baseOffset}`)
      )
      return true
    })
  }

  async #produce(
    partition: number, records: Uint8Array
  ): Promise<{ readonly errorCode: number; readonly baseOffset: number }> {
    const { responses } = await this.caller.call(API.produce, this.caller.parts.rng.pick([3, 7, 9]), {
      transactionalId: null, acks: -1, timeoutMs: TIMEOUT_MS,
      topicData: [{ name: this.#topic, partitionData: [{ index: partition, records }] }]
    }, REQUEST_MS)
    return responses[0]!.partitionResponses[0]!
  }

  async #endOf(
    connection: Connection, partition: number
  ): Promise<{ readonly errorCode: number; readonly offset: number }> {
    const { topics } = await connection.call(API.listOffsets, 3, {
      replicaId: -1, isolationLevel: 0, timeoutMs: TIMEOUT_MS,
      topics: [
        { name: this.#topic, partitions: [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp: LATEST }] }
      ]
    }, REQUEST_MS)
    return topics[0]!.partitions[0]!
  }

  /** Tries until the answer is 0. A topic that just was made, or deleted, may not be known everywhere at once. */
  async #until(asked: string, attempt: () => Promise<number>): Promise<void> {
    const { history } = this.caller.parts
    await this.caller.until(async () => {
      const errorCode = await attempt()
      if (errorCode === 0) return true
      this.caller.heed(errorCode)
      if (isKafkaErrorRetriable(errorCode)) return null
      history.violation(
        'clients get answers they can use',
        unlike(
          `an answer, or an error to try again after, for ${asked} of ${this.#topic}`,
          `${kafkaErrorName(errorCode) ?? errorCode}`
        )
      )
      return true
    })
  }
}
