/**
 * Produce: checks each batch at the door and hands it to the ingest in the order of arrival, before the first await;
 * answers when all are decided, or when the client's time is over (then a batch may still be committed: PROTOCOL 26).
 */
import type { TopicInfo } from '#shared/cluster/catalog-reader.ts'
import { shardOfPartition } from '#shared/cluster/placement.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { BATCH, checkBatch, newBatchFacts, stampAppendTime } from '#shared/records/batch-header.ts'
import type { ProduceRequest, ProduceResponse } from '#shared/wire/api/produce.ts'
import { KAFKA_ERROR, kafkaErrorName } from '#shared/wire/error-codes.ts'
import { authorize, throttle, type GatewayServices, type Handler, type RequestContext } from './handler.ts'
import { ProducedBatch, type BatchOwner } from './produced-batch.ts'
import { batchFault, type BatchFault, type RecordErrors } from './record-checks.ts'
import { checkNamed } from './request-bounds.ts'
import { findTopics } from './topic-lookup.ts'
import { topicRules } from './topic-rules.ts'

type PartitionAnswer = {
  index: number; errorCode: number; baseOffset: number; logAppendTimeMs: number; logStartOffset: number
  recordErrors: RecordErrors; errorMessage: string | null
}
/** What was found wrong in the records of batches, by those. */
type Faults = ReadonlyMap<Uint8Array, BatchFault>

const ZSTD_SINCE = 7
const NO_FAULTS: Faults = new Map()
const facts = newBatchFacts() // filled and read in one go: a handler never waits in between

export const handleProduce: Handler<ProduceRequest, ProduceResponse> = (context, version, request, services) => {
  const { catalog } = services
  checkNamed(services, request.topicData.reduce((count, { partitionData }) => count + 1 + partitionData.length, 0))
  const topics = request.topicData.map(({ name }) => catalog.topicByName(name))
  const produce = new Produce(context, version, request, services)
  // Only what is new to this node costs a barrier, and looks at records are rare; everything else is appended at once.
  const atOnce = request.topicData.every(({ partitionData }, t) =>
    hasPartitions(topics[t], partitionData) && !looksAtRecords(topics[t]))
  return atOnce ? produce.run(topics, true, NO_FAULTS) : lookAndRun(produce, context, request, services)
}

type PartitionData = ProduceRequest['topicData'][number]['partitionData']

function hasPartitions(topic: TopicInfo | null | undefined, asked: PartitionData): boolean {
  return topic?.state === 'ready' && asked.every(({ index }) => index < topic.readyPartitionCount)
}

function looksAtRecords(topic: TopicInfo | null | undefined): boolean {
  return topic != null && topicRules(topic).looksAtRecords
}

async function lookAndRun(
  produce: Produce, context: RequestContext, { topicData }: ProduceRequest, services: GatewayServices
): Promise<ProduceResponse | null> {
  const release = context.holdOrder() // or a later batch could overtake as soon as the topic is known
  try {
    const names =
      topicData.map(({ name, partitionData }) => ({ name, topicId: null, partitionCount: countOf(partitionData) }))
    const { topics, fresh } = await findTopics(services, names)
    return produce.run(topics, fresh, await findFaults(topics, topicData, services))
  } finally {
    release()
  }
}

async function findFaults(
  topics: readonly (TopicInfo | null)[], topicData: ProduceRequest['topicData'], { runtime, settings }: GatewayServices
): Promise<Faults> {
  const faults = new Map<Uint8Array, BatchFault>()
  const limits = { nowMs: runtime.clock.nowMs(), unpackedBytesMax: settings.unpackedBytesMax }
  for (const [t, { partitionData }] of topicData.entries()) {
    const topic = topics[t]
    if (topic == null || !topicRules(topic).looksAtRecords) continue
    for (const { index, records } of partitionData) { // one after the other: what they unpack to is bounded
      const fault = records instanceof Uint8Array ? await batchFault(topic, index, records, limits) : null
      if (fault !== null) faults.set(records as Uint8Array, fault)
    }
  }
  return faults
}

function countOf(asked: PartitionData): number {
  return asked.reduce((count, { index }) => Math.max(count, index + 1), 0)
}

class Produce implements BatchOwner<PartitionAnswer> {
  readonly #context: RequestContext
  readonly #version: number
  readonly #request: ProduceRequest
  readonly #services: GatewayServices
  readonly #answers: PartitionAnswer[][]
  readonly #done = Promise.withResolvers<ProduceResponse | null>()
  #waiting = 1 // this handler itself, until all is handed on
  #over = false
  #deadline = -1

  constructor(context: RequestContext, version: number, request: ProduceRequest, services: GatewayServices) {
    this.#context = context
    this.#version = version
    this.#request = request
    this.#services = services
    this.#answers = request.topicData.map(({ partitionData }) => partitionData.map(({ index }) => newAnswer(index)))
  }

  run(topics: readonly (TopicInfo | null)[], fresh: boolean, faults: Faults): Promise<ProduceResponse | null> {
    const { acks, timeoutMs, topicData } = this.#request
    // Without acks nobody hears where to go: such a producer moves when the connection ends.
    const moved = this.#context.mustMove && acks !== 0 ? KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER : 0
    const refused = acks < -1 || acks > 1 ? KAFKA_ERROR.INVALID_REQUIRED_ACKS : moved
    const missing = fresh ? KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION : KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER
    topicData.forEach(({ name, partitionData }, t) => {
      const topic = topics[t] ?? null
      const allowed = authorize(this.#context, 'write', { type: 'topic', name })
      const code = refused !== 0 ? refused
        : !allowed ? KAFKA_ERROR.TOPIC_AUTHORIZATION_FAILED : topic?.state === 'ready' ? 0 : missing
      partitionData.forEach(({ index, records }, p) => {
        const answer = this.#answers[t]?.[p]
        if (answer === undefined) return
        const outcome = code !== 0 || topic === null ? code
          : index < 0 || index >= topic.readyPartitionCount ? missing
            : this.#append(topic, index, records, answer, faults)
        if (outcome !== 0) answer.errorCode = outcome
      })
    })
    if (this.#waiting > 1) this.#deadline = this.#services.ingest.deadlines.add(Math.max(1, timeoutMs), this)
    this.#decrement()
    return this.#done.promise
  }

  /** Called once by the deadlines when the client's time is over. */
  expire(): void {
    if (this.#over) return
    for (const answer of this.#answers.flat())
      if (answer.errorCode === UNANSWERED) answer.errorCode = KAFKA_ERROR.REQUEST_TIMED_OUT
    this.#finish()
  }

  /** @returns a Kafka error code, or 0 if the ingest took the batch. */
  #append(
    topic: TopicInfo, partition: number, records: PartitionData[number]['records'], answer: PartitionAnswer,
    faults: Faults
  ): number {
    const { topicId } = topic
    const { shardCount } = this.#services.membership.current()
    if (!(records instanceof Uint8Array) || records.byteLength === 0) return KAFKA_ERROR.INVALID_RECORD
    const { messageBytesMax, stampsAppendTime, aheadMsMax } = topicRules(topic)
    const limits = { messageBytesMax, zstdAllowed: this.#version >= ZSTD_SINCE }
    const error = checkBatch(records, limits, facts)
    if (error !== 0) return error
    const fault = faults.get(records)
    if (fault !== undefined) {
      answer.errorMessage = fault.errorMessage
      answer.recordErrors = fault.recordErrors
      return fault.errorCode
    }
    const nowMs = this.#services.runtime.clock.nowMs()
    if (facts.maxTimestamp - nowMs > aheadMsMax) return KAFKA_ERROR.INVALID_TIMESTAMP
    if (stampsAppendTime) {
      facts.crc = stampAppendTime(records, nowMs)
      facts.maxTimestamp = nowMs
      facts.attributes |= BATCH.timestampTypeBit
    }
    const shard = shardOfPartition(topicId, partition, shardCount)
    const batch = new ProducedBatch(this, answer, records, facts, { shard, topicId, partition, stampsAppendTime })
    const refused = this.#services.ingest.append(batch)
    if (refused === 0) this.#waiting += 1
    return refused
  }

  /** Called once for each batch that the ingest took. */
  decided(
    answer: PartitionAnswer, errorCode: number, baseOffset: number, logAppendTimeMs: number, logStartOffset: number
  ): void {
    if (this.#over) return
    answer.errorCode = errorCode
    answer.baseOffset = baseOffset
    answer.logAppendTimeMs = logAppendTimeMs
    answer.logStartOffset = logStartOffset
    this.#decrement()
  }

  get connectionId(): string {
    return this.#context.connectionId
  }

  #decrement(): void {
    this.#waiting -= 1
    if (this.#waiting === 0) this.#finish()
  }

  #finish(): void {
    this.#over = true
    this.#services.ingest.deadlines.remove(this.#deadline, this)
    const { acks, topicData } = this.#request
    if (acks === 0) return this.#finishSilently()
    this.#done.resolve({
      responses: topicData.map(({ name }, t) => ({ name, partitionResponses: this.#answers[t] ?? [] })),
      throttleTimeMs: throttle(this.#context, 0)
    })
  }

  /** acks=0: no answer; an error can only be shown by closing the connection (PROTOCOL 8). */
  #finishSilently(): void {
    const failed = this.#answers.flat().find(({ errorCode }) => errorCode !== 0)
    if (failed === undefined) this.#done.resolve(null)
    else {
      this.#done.reject(
        new ZonewiseError('OVERLOADED', 'produce without acks failed', { error: kafkaErrorName(failed.errorCode) })
      )
    }
  }
}

const UNANSWERED = -1_000

function newAnswer(index: number): PartitionAnswer {
  return {
    index, errorCode: UNANSWERED, baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1, recordErrors: [],
    errorMessage: null
  }
}
