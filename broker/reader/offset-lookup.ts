/** ListOffsets on a view (PROTOCOL 36): by position at once, by time exact to the batch, by the headers of one run. */
import { release } from '#shared/binary/memory-pool.ts'
import { batchLengthAt, maxTimestampAt, recordSpanAt } from '#shared/records/batch-header.ts'
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

/** The newest record of a batch is its last one for all that write in order; its first offset is never too late. */
async function findInRun(cache: BlockCache, run: IndexRun, target: number): Promise<Answer> {
  const range = { start: run.position, end: run.position + run.length }
  const bytes = await cache.read(chunkKey(run.chunk), [range], run.chunksBehind)[0]!
  try {
    let offset = run.baseOffset
    for (let position = 0; position < bytes.byteLength; position += batchLengthAt(bytes, position)) {
      const timestamp = maxTimestampAt(bytes, position)
      if (timestamp >= target) return { errorCode: 0, offset, timestamp }
      offset += recordSpanAt(bytes, position)
    }
    return NONE
  } finally {
    release(bytes)
  }
}
