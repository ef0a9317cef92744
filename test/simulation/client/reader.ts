/** Readers: follow every partition from its start with long polls; ask where the ends are. */
import { API } from '#shared/wire/api-registry.ts'
import type { FetchResponse } from '#shared/wire/api/fetch.ts'
import type { RecordId } from '../check/history.ts'
import { Caller, type ClientParts, type Topic } from './caller.ts'
import { bytesOf } from './fetch-one.ts'
import { nameOf, REQUEST_MS, type Target } from './producer.ts'
import { decodeBatches } from './record-batch.ts'

const VERSIONS = [4, 6, 7, 11, 12] as const
const WAIT_MS = 400
const REST_MS = 100
const LATEST = -1
const WANDERS_ONE_IN = 5

type Seen = (target: Target, offset: number, record: RecordId) => void

/** One pass over partitions: all that there are, or `only` these. */
export class Follower {
  readonly caller: Caller
  readonly #offsets = new Map<string, number>() // of what comes next
  readonly #seen: Seen
  readonly #only: readonly Target[] | null

  constructor(caller: Caller, seen: Seen, only: readonly Target[] | null = null) {
    this.caller = caller
    this.#seen = seen
    this.#only = only
  }

  seek(target: Target, offset: number): void {
    this.#offsets.set(nameOf(target), offset)
  }

  offset(target: Target): number {
    return this.#offsets.get(nameOf(target)) ?? 0
  }

  /** One fetch. @returns false where the server said to come again. @throws ConnectionLost */
  async fetch(): Promise<boolean> {
    const { rng } = this.caller.parts
    const bytesMax = rng.pick([1, 500, 5_000, 1_000_000])
    const connection = await this.caller.connection()
    const response: FetchResponse = await connection.call(API.fetch, rng.pick(VERSIONS), {
      clusterId: null, replicaId: -1, maxWaitMs: rng.below(WAIT_MS),
      minBytes: rng.pick([1, 1, 2_000]), maxBytes: rng.pick([2_000, 1_000_000]),
      isolationLevel: rng.below(2), sessionId: 0, sessionEpoch: -1,
      topics: [
        ...Map.groupBy(this.#only ?? allTargets(this.caller.parts.topics), ({ topic }) => topic)
      ].map(([topic, targets]) => ({
        topic,
        partitions: targets.map((target) => ({
          partition: target.partition, currentLeaderEpoch: -1, fetchOffset: this.offset(target), lastFetchedEpoch: -1,
          logStartOffset: -1, partitionMaxBytes: bytesMax
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
          this.caller.again(errorCode, `Fetch of ${nameOf(target)}@${offset}, high watermark ${highWatermark},`)
          fine = false
        } else {
          this.caller.noteHighWatermark(nameOf(target), highWatermark)
          this.#take(target, bytesOf(records))
        }
      }
    return fine
  }

  #take(target: Target, bytes: Uint8Array): void {
    for (const { offset, record } of decodeBatches(bytes)) {
      if (offset < this.offset(target)) continue // a batch that begins before what was asked
      this.#seen(target, offset, record)
      this.#offsets.set(nameOf(target), offset + 1)
    }
  }
}

export function allTargets(topics: readonly Topic[]): Target[] {
  return topics.flatMap(({ name: topic, partitionCount }) =>
    Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition })))
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
    for (let follower = this.#begin(); !this.#stopping; follower = rng.below(200) === 0 ? this.#begin() : follower) {
      await this.caller.until(async () => (await follower.fetch()) ? true : null, () => !this.#stopping)
      if (rng.below(2) === 0) await this.caller.pause(REST_MS)
      if (rng.below(WANDERS_ONE_IN) === 0) this.caller.wander()
    }
  }

  stop(): void {
    this.#stopping = true
  }

  #begin(): Follower {
    const { name, history } = this.caller.parts
    const reader = `${name}.${++this.#session}`
    return new Follower(
      this.caller,
      (target, offset, record) => history.add({ kind: 'read', reader, partition: nameOf(target), offset, record })
    )
  }
}

/** The end of a partition, or null: come again. @throws ConnectionLost */
export async function askEnd(caller: Caller, target: Target): Promise<number | null> {
  const { rng, history } = caller.parts
  const askedAt = history.events.length
  const response = await caller.call(API.listOffsets, rng.pick([1, 3, 5, 6]), {
    replicaId: -1, isolationLevel: rng.below(2), timeoutMs: REQUEST_MS,
    topics: [{
      name: target.topic,
      partitions: [{ partitionIndex: target.partition, currentLeaderEpoch: -1, timestamp: LATEST }]
    }]
  }, REQUEST_MS)
  const { errorCode, offset } = response.topics[0]!.partitions[0]!
  if (errorCode !== 0) {
    caller.again(errorCode, 'ListOffsets')
    return null
  }
  history.add({ kind: 'end', partition: nameOf(target), endOffset: offset, askedAt })
  return offset
}
