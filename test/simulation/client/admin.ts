/** What changes topics: makes the first ones, adds partitions to one of them. */
import { defaultsOf } from '#shared/binary/message.ts'
import { UUID_ZERO } from '#shared/binary/uuid.ts'
import { API } from '#shared/wire/api-registry.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { Caller, type ClientParts, type Topic } from './caller.ts'

const METADATA_VERSION = 7
const ASK_MS = 10_000
const TIMEOUT_MS = 2_000
const GROW_PAUSE_MS = 4_000
const PARTITIONS_MAX = 4

/** Makes topics and resolves when all are there. */
export async function createTopics(caller: Caller, topics: readonly Topic[]): Promise<void> {
  await caller.until(async () => {
    const { topics: answers } = await caller.call(API.createTopics, 4, {
      topics: topics.map(({ name, partitionCount: numPartitions }) =>
        ({ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] })),
      timeoutMs: TIMEOUT_MS, validateOnly: false
    }, ASK_MS)
    if (answers.every(({ errorCode }) => errorCode === 0)) return true
    return await areFinished(caller, topics) ? true : null // one that exists already may still be unfinished
  })
}

async function areFinished(caller: Caller, topics: readonly Topic[]): Promise<boolean> {
  const { topics: found } = await caller.call(API.metadata, METADATA_VERSION, {
    ...defaultsOf(API.metadata.request), topics: topics.map(({ name }) => ({ topicId: UUID_ZERO, name })),
    allowAutoTopicCreation: false
  }, ASK_MS)
  return found.length === topics.length && found.every(({ errorCode, partitions }) =>
    errorCode === 0 && partitions.every((partition) => partition.errorCode === 0))
}

/** Gives a topic one partition more from time to time. */
export class Grower {
  readonly caller: Caller
  readonly #topic: Topic
  #stopping = false
  done = false

  constructor(parts: ClientParts, topic: Topic) {
    this.caller = new Caller(parts)
    this.#topic = topic
  }

  stop(): void {
    this.#stopping = true
  }

  async run(): Promise<void> {
    while (!this.#stopping && this.#topic.partitionCount < PARTITIONS_MAX) {
      await this.caller.pause(GROW_PAUSE_MS)
      if (!this.#stopping) await this.#grow(this.#topic.partitionCount + 1)
    }
    this.done = true
  }

  async #grow(count: number): Promise<void> {
    const { name } = this.#topic
    let asked = false // before, and without a good answer
    await this.caller.until(async () => {
      const first = !asked
      asked = true
      const { results } = await this.caller.call(API.createPartitions, this.caller.parts.rng.pick([0, 1, 2, 3]), {
        topics: [{ name, count, assignments: null }], timeoutMs: TIMEOUT_MS, validateOnly: false
      }, ASK_MS)
      const { errorCode } = results[0]!
      if (errorCode === 0 || (errorCode === KAFKA_ERROR.INVALID_PARTITIONS && !first)) return true
      if (errorCode !== KAFKA_ERROR.REASSIGNMENT_IN_PROGRESS)
        this.caller.again(errorCode, `CreatePartitions of ${name} up to ${count}`)
      return null
    })
    this.#topic.partitionCount = count
  }
}
