/**
 * ListOffsets on a view (PROTOCOL 36): by position at once, by time through the headers of one run and the records of
 * one batch.
 */
import { release } from '#shared/binary/memory-pool.ts'
import {
  baseTimestampAt, batchLengthAt, hasAppendTimeAt, maxTimestampAt, recordCountAt, recordSpanAt
} from '#shared/records/batch-header.ts'
import { walkRecords } from '#shared/records/record-walk.ts'
import { unpackRecords } from '#shared/records/unpack.ts'
import { chunkKey } from '#shared/object/chunk-ref.ts'
import type { OffsetsRequest, OffsetsResponse } from '#shared/rpc/read.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { BlockCache } from '../cache/block-cache.ts'
import { findPartition } from '../partition/partitions-state.ts'
import { findByTimestamp, runAt, type IndexRun } from '../shard/shard-index.ts'
import type { ShardView } from '../shard/shard-view.ts'

type Asked = OffsetsRequest['partitions'][number]
type Answer = OffsetsResponse['partitions'][number]

const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const EARLIEST_LOCAL = -4
const UNPACKED_BYTES_MAX = 64 * 2 ** 20 // of a batch; one that holds more is answered by its first offset
const NONE: Answer = { errorCode: 0, offset: -1, timestamp: -1 }

/** Answers from the view as it is; the caller took the barrier. @throws ZonewiseError of the store */
export async function lookUpOffset(view: ShardView, cache: BlockCache, asked: Asked): Promise<Answer> {
  const partition = findPartition(view.state.partitions, asked.topicId, asked.partition)
  if (partition === undefined) return { ...NONE, errorCode: KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION }
  if (asked.currentLeaderEpoch > 0) return { ...NONE, errorCode: KAFKA_ERROR.UNKNOWN_LEADER_EPOCH }
  const { timestamp } = asked
  if (timestamp === LATEST) return { errorCode: 0, offset: partition.nextOffset, timestamp: -1 }
  if (timestamp === EARLIEST || timestamp === EARLIEST_LOCAL)
    return { errorCode: 0, offset: partition.logStartOffset, timestamp: -1 }
  const columns = view.index.partitions[partition.localId]
  if (columns === undefined || columns.entryCount === 0 || (timestamp < 0 && timestamp !== MAX_TIMESTAMP)) return NONE
  const target = timestamp === MAX_TIMESTAMP ? columns.runningMax[columns.entryCount - 1]! : timestamp
  const at = findByTimestamp(columns, target)
  return at === columns.entryCount ? NONE : findInRun(cache, runAt(view.index, columns, at), target)
}

async function findInRun(cache: BlockCache, run: IndexRun, target: number): Promise<Answer> {
  const range = { start: run.position, end: run.position + run.length }
  const bytes = await cache.read(chunkKey(run.chunk), [range], run.chunksBehind)[0]!
  try {
    let offset = run.baseOffset
    for (let position = 0; position < bytes.byteLength;) {
      const length = batchLengthAt(bytes, position)
      if (length < 0) break // a fetch of it says what is wrong
      if (maxTimestampAt(bytes, position) >= target)
        return await findInBatch(bytes.subarray(position, position + length), offset, target)
      offset += recordSpanAt(bytes, position)
      position += length
    }
    return NONE
  } finally {
    release(bytes)
  }
}

/** The first record not older than `target`. Where records cannot be read, the batch's first offset: never too late. */
async function findInBatch(batch: Uint8Array, baseOffset: number, target: number): Promise<Answer> {
  let found: Answer = { errorCode: 0, offset: baseOffset, timestamp: maxTimestampAt(batch, 0) }
  if (hasAppendTimeAt(batch, 0)) return found
  const records = await unpackRecords(batch, UNPACKED_BYTES_MAX)
  if (records === null) return found
  const baseTimestamp = baseTimestampAt(batch, 0)
  walkRecords(records, recordCountAt(batch, 0), (timestampDelta, offsetDelta) => {
    const timestamp = baseTimestamp + timestampDelta
    if (timestamp < target) return true
    found = { errorCode: 0, offset: baseOffset + offsetDelta, timestamp }
    return false
  })
  return found
}
