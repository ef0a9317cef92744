/** A batch of a Produce request on its way through the ingest: one object from the door to its answer. */
import type { BatchFacts } from '#shared/records/batch-header.ts'
import type { PendingBatch } from '../ingest/open-chunk.ts'

/** Told once of each batch that the ingest took; `answer` is what it gave the batch to carry. */
export type BatchOwner<Answer> = {
  readonly connectionId: string
  decided(
    answer: Answer, errorCode: number, baseOffset: number, logAppendTimeMs: number, logStartOffset: number
  ): void
}

export type BatchPlace = {
  readonly shard: number; readonly topicId: string; readonly partition: number
  readonly stampsAppendTime: boolean // then the time stamped is that of the append
}

export class ProducedBatch<Answer> implements PendingBatch {
  readonly bytes: Uint8Array
  readonly length: number
  readonly shard: number
  readonly topicId: string
  readonly partition: number
  readonly recordCount: number
  readonly maxTimestamp: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly attributes: number
  readonly crc: number
  position = 0
  leftOut = false
  readonly #owner: BatchOwner<Answer>
  readonly #answer: Answer
  readonly #stampsAppendTime: boolean

  /** `facts` are copied: they are filled again for the next batch. */
  constructor(owner: BatchOwner<Answer>, answer: Answer, bytes: Uint8Array, facts: BatchFacts, place: BatchPlace) {
    this.#owner = owner
    this.#answer = answer
    this.#stampsAppendTime = place.stampsAppendTime
    this.bytes = bytes
    this.length = bytes.byteLength
    this.shard = place.shard
    this.topicId = place.topicId
    this.partition = place.partition
    this.recordCount = facts.recordCount
    this.maxTimestamp = facts.maxTimestamp
    this.producerId = facts.producerId
    this.producerEpoch = facts.producerEpoch
    this.baseSequence = facts.baseSequence
    this.attributes = facts.attributes
    this.crc = facts.crc
  }

  get origin(): string {
    return this.#owner.connectionId
  }

  answer(errorCode: number, baseOffset: number, logAppendTimeMs: number, logStartOffset: number): void {
    const appendTimeMs = this.#stampsAppendTime && errorCode === 0 ? this.maxTimestamp : logAppendTimeMs
    this.#owner.decided(this.#answer, errorCode, baseOffset, appendTimeMs, logStartOffset)
  }
}
