/** What changes topics: makes the first ones, adds partitions to one of them. */
import { API } from '#shared/wire/api-registry.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { Caller, type ClientParts, type Topic } from './caller.ts'

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
    const isThere = (code: number): boolean => code === 0 || code === KAFKA_ERROR.TOPIC_ALREADY_EXISTS
    return answers.every(({ errorCode }) => isThere(errorCode)) ? true : null
  })
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
