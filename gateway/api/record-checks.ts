/**
 * Looks at the records of produced batches where a topic's configs ask for it (PROTOCOL 2.3, levels B and C): keys
 * where the topic is compacted, times that lie too far behind. Nothing else looks at records.
 */
import type { TopicInfo } from '#shared/cluster/catalog-reader.ts'
import { baseTimestampAt, batchLengthAt, BATCH, recordCountAt } from '#shared/records/batch-header.ts'
import { walkRecords } from '#shared/records/record-walk.ts'
import { unpackRecords } from '#shared/records/unpack.ts'
import type { ProduceResponse } from '#shared/wire/api/produce.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { topicRules } from './topic-rules.ts'

export type RecordErrors = ProduceResponse['responses'][number]['partitionResponses'][number]['recordErrors']
export type BatchFault = {
  readonly errorCode: number; readonly errorMessage: string | null; readonly recordErrors: RecordErrors
}

export type RecordLimits = { readonly nowMs: number; readonly unpackedBytesMax: number }

const SHOWN_MAX = 3 // record errors named in the message; clients get all of them in the list
const NO_TIMESTAMP = -1

/**
 * Why the records of one batch cannot be taken; null: they can, or the header will tell why not.
 * A batch that unpacks to more than the bound is MESSAGE_TOO_LARGE: clients split it and try again.
 */
export async function batchFault(
  topic: TopicInfo, partition: number, batch: Uint8Array, limits: RecordLimits
): Promise<BatchFault | null> {
  if (batchLengthAt(batch, 0) !== batch.byteLength || batch[BATCH.magicAt] !== BATCH.magic) return null
  const records = await unpackRecords(batch, limits.unpackedBytesMax)
  if (records === null) return { errorCode: KAFKA_ERROR.MESSAGE_TOO_LARGE, errorMessage: null, recordErrors: [] }
  const { needsKeys, behindMsMax } = topicRules(topic)
  const oldestMs = limits.nowMs - behindMsMax
  const baseTimestamp = baseTimestampAt(batch, 0)
  const keyless: number[] = []
  const late: number[] = []
  let index = 0
  const whole = walkRecords(records, recordCountAt(batch, 0), (timestampDelta, _offsetDelta, keyBytes) => {
    const timestamp = baseTimestamp + timestampDelta
    if (needsKeys && keyBytes < 0) keyless.push(index)
    else if (timestamp !== NO_TIMESTAMP && timestamp < oldestMs) late.push(index)
    index += 1
    return true
  })
  if (!whole) return { errorCode: KAFKA_ERROR.INVALID_RECORD, errorMessage: null, recordErrors: [] }
  if (keyless.length > 0) {
    const sentence = `Compacted topic cannot accept message without key in topic partition ${topic.name}-${partition}`
    return rejected(KAFKA_ERROR.INVALID_RECORD, keyless, sentence)
  }
  if (late.length === 0) return null
  return rejected(
    KAFKA_ERROR.INVALID_TIMESTAMP, late,
    `Timestamp is out of range: it must not lie more than ${behindMsMax} ms behind.`
  )
}

function rejected(errorCode: number, indexes: readonly number[], sentence: string): BatchFault {
  const recordErrors = indexes.map((batchIndex) => ({ batchIndex, batchIndexErrorMessage: sentence }))
  const shown = indexes.slice(0, SHOWN_MAX)
    .map((batchIndex) => `RecordError(batchIndex=${batchIndex}, message='${sentence}')`)
  const errorMessage = `One or more records have been rejected due to ${indexes.length} record errors in total, ` +
    `and only showing the first three errors at most: [${shown.join(', ')}]`
  return { errorCode, errorMessage, recordErrors }
}
