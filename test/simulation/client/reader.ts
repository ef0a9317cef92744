/** Readers: follow every partition from its start with long polls; ask for ends; commit offsets and ask for them. */
import { API } from '#shared/wire/api-registry.ts'
import type { FetchResponse } from '#shared/wire/api/fetch.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { RecordId } from '../check/history.ts'
import { Caller, type ClientParts } from './caller.ts'
import { nameOf, REQUEST_MS, type Target } from './producer.ts'
import { decodeBatches } from './record-batch.ts'

const VERSIONS = [4, 6, 7, 11, 12] as const
const WAIT_MS = 400
const LATEST = -1

type Seen = (target: Target, offset: number, record: RecordId) => void

/** One pass over all partitions. */
export class Follower {
  readonly caller: Caller
  readonly #positions = new Map<string, { readonly target: Target; offset: number }>()
  readonly #seen: Seen

  constructor(caller: Caller, seen: Seen) {
    this.caller = caller
    this.#seen = seen
    for (const { name: topic, partitionCount } of caller.parts.topics)
      for (let partition = 0; partition < partitionCount; partition++)
        this.#positions.set(nameOf({ topic, partition }), { target: { topic, partition }, offset: 0 })
  }

  offset(target: Target): number {
    return this.#positions.get(nameOf(target))?.offset ?? 0
  }

  /** One fetch. @returns false where the server said to come again. @throws ConnectionLost */
  async fetch(): Promise<boolean> {
    const { rng, topics } = this.caller.parts
    const bytesMax = rng.pick([1, 500, 5_000, 1_000_000])
    const response: FetchResponse = await this.caller.call(API.fetch, rng.pick(VERSIONS), {
      clusterId: null, replicaId: -1, maxWaitMs: rng.below(WAIT_MS), minBytes: rng.below(3) === 0 ? 2_000 : 1, maxBytes: rng.pick([2_000, 1_000_000]),
      isolationLevel: rng.below(2), sessionId: 0, sessionEpoch: -1,
      topics: topics.map(({ name: topic, partitionCount }) => ({
        topic,
        partitions: Array.from({ length: partitionCount }, (_, partition) => ({
          partition, currentLeaderEpoch: -1, fetchOffset: this.offset({ topic, partition }), lastFetchedEpoch: -1, logStartOffset: -1, partitionMaxBytes: bytesMax
        }))
      })),
      forgottenTopicsData: [], rackId: ''
    }, REQUEST_MS)
    let fine = response.errorCode === 0 || (this.caller.again(response.errorCode, 'Fetch') && false)
    for (const { topic, partitions } of response.responses)
      for (const { partitionIndex: partition, errorCode, records, highWatermark } of partitions) {
        const target = { topic, partition }
        if (errorCode !== 0) {
          const offset = this.offset(target)
          const asked = `Fetch of ${nameOf(target)}@${offset}${errorCode === KAFKA_ERROR.OFFSET_OUT_OF_RANGE ? ` (high watermark ${highWatermark})` : ''}`
          this.caller.again(errorCode, asked)
          fine = false
        } else this.#take(target, records === null ? new Uint8Array(0) : records instanceof Uint8Array ? records : Buffer.concat(records as readonly Uint8Array[]))
      }
    return fine
  }

  #take(target: Target, bytes: Uint8Array): void {
    const position = this.#positions.get(nameOf(target))!
    for (const { offset, record } of decodeBatches(bytes)) {
      if (offset < position.offset) continue // a batch that begins before what was asked
      this.#seen(target, offset, record)
      position.offset = offset + 1
    }
  }
}

/** Follows for ever, sometimes from the start again. */
export class Reader {
  readonly caller: Caller
  #stopping = false
  #session = 0

  constructor(parts: ClientParts) {
    this.caller = new Caller(parts)
  }

  async run(): Promise<void> {
    const { rng } = this.caller.parts
    for (let follower = this.#begin(); !this.#stopping; follower = rng.below(400) === 0 ? this.#begin() : follower)
      await this.caller.until(async () => (await follower.fetch()) ? true : null, () => !this.#stopping)
  }

  stop(): void {
    this.#stopping = true
  }

  #begin(): Follower {
    const { name, history } = this.caller.parts
    const reader = `${name}.${++this.#session}`
    return new Follower(this.caller, (target, offset, record) => history.add({ kind: 'read', reader, partition: nameOf(target), offset, record }))
  }
}

/** The end of a partition, or null: come again. @throws ConnectionLost */
export async function askEnd(caller: Caller, target: Target): Promise<number | null> {
  const { rng, history } = caller.parts
  const askedAt = history.events.length
  const response = await caller.call(API.listOffsets, rng.pick([1, 3, 5, 6]), {
    replicaId: -1, isolationLevel: rng.below(2), timeoutMs: REQUEST_MS,
    topics: [{ name: target.topic, partitions: [{ partitionIndex: target.partition, currentLeaderEpoch: -1, timestamp: LATEST }] }]
  }, REQUEST_MS)
  const { errorCode, offset } = response.topics[0]!.partitions[0]!
  if (errorCode !== 0) {
    caller.again(errorCode, 'ListOffsets')
    return null
  }
  history.add({ kind: 'end', partition: nameOf(target), endOffset: offset, askedAt })
  return offset
}

/**
 * Asks for ends, and commits and fetches offsets of a group of its own. A commit without a good answer may still happen
 * at any later time: what comes next is another group's.
 */
export class Asker {
  readonly caller: Caller
  #stopping = false
  #groups = 1
  #value = 0

  constructor(parts: ClientParts) {
    this.caller = new Caller(parts)
  }

  async run(): Promise<void> {
    const { rng, topics } = this.caller.parts
    while (!this.#stopping) {
      const topic = rng.pick(topics)
      const what = rng.below(3)
      await this.caller.until(async () => {
        if (what === 0) return askEnd(this.caller, { topic: topic.name, partition: rng.below(topic.partitionCount) })
        return what === 1 ? this.#commit() : this.#fetch()
      }, () => !this.#stopping)
      if (rng.below(10) === 0) this.caller.disconnect()
      await this.caller.pause(150)
    }
  }

  stop(): void {
    this.#stopping = true
  }

  get #group(): string {
    return `${this.caller.parts.name}.${this.#groups}`
  }

  async #commit(): Promise<true | null> {
    const { history, topics } = this.caller.parts
    const group = this.#group
    const value = ++this.#value
    this.#groups += 1 // unless all goes well
    history.add({ kind: 'committing', group, value })
    const response = await this.caller.call(API.offsetCommit, 2, {
      groupId: group, generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null, retentionTimeMs: -1,
      topics: [{ name: topics[0]!.name, topicId: NO_TOPIC_ID, partitions: [{ partitionIndex: 0, committedOffset: value, committedLeaderEpoch: -1, committedMetadata: null }] }]
    }, REQUEST_MS)
    const { errorCode } = response.topics[0]!.partitions[0]!
    if (errorCode !== 0) return this.caller.again(errorCode, 'OffsetCommit') ? null : true
    history.add({ kind: 'committed', group, value })
    this.#groups -= 1
    return true
  }

  async #fetch(): Promise<true | null> {
    const { history, topics } = this.caller.parts
    const group = this.#group
    const askedAt = history.events.length
    const response = await this.caller.call(API.offsetFetch, 5, {
      groupId: group, topics: [{ name: topics[0]!.name, partitionIndexes: [0] }], groups: [], requireStable: false
    }, REQUEST_MS)
    const partition = response.topics[0]?.partitions[0]
    const errorCode = response.errorCode !== 0 ? response.errorCode : partition?.errorCode ?? 0
    if (errorCode !== 0) return this.caller.again(errorCode, 'OffsetFetch') ? null : true
    history.add({ kind: 'offset-fetched', group, value: partition?.committedOffset ?? -1, askedAt })
    return true
  }
}

const NO_TOPIC_ID = 'A'.repeat(22)
