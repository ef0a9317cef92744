/** What a fetch of one partition gets from a view as it is now. Pure. */
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { PlanRequest, PlanResponse } from '#shared/rpc/read.ts'
import { findPartition } from '../partition/partitions-state.ts'
import { runsFrom, type ShardIndex } from '../shard/shard-index.ts'
import type { ShardState } from '../shard/shard-state.ts'

type Asked = PlanRequest['partitions'][number]
type Planned = PlanResponse['partitions'][number]
const LEADER_EPOCH = 0

/** `doubtful`: the view may be behind what was asked for; only a barrier can tell. */
export type PartitionPlan = { readonly planned: Planned; readonly doubtful: boolean; readonly bytes: number; readonly localId: number }

export function planPartition(state: ShardState, index: ShardIndex, asked: Asked): PartitionPlan {
  const partition = findPartition(state.partitions, asked.topicId, asked.partition)
  if (partition === undefined) return refused(KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, true, -1)
  const { localId, nextOffset: highWatermark, logStartOffset } = partition
  if (asked.currentLeaderEpoch > LEADER_EPOCH) return refused(KAFKA_ERROR.UNKNOWN_LEADER_EPOCH, false, localId)
  const facts = { errorCode: 0, highWatermark, lastStableOffset: highWatermark, logStartOffset }
  if (asked.fetchOffset > highWatermark || asked.fetchOffset < logStartOffset)
    return { planned: { ...facts, errorCode: KAFKA_ERROR.OFFSET_OUT_OF_RANGE, runs: [] }, doubtful: true, bytes: 0, localId }
  const columns = index.partitions[localId]
  const found = columns === undefined || asked.fetchOffset === highWatermark ? [] : runsFrom(index, columns, asked.fetchOffset, asked.maxBytes)
  let bytes = 0
  const runs = found.map(({ chunk, position, length, baseOffset, endOffset }) => {
    bytes += length
    return { source: chunk.source, chunkSeq: chunk.chunkSeq, position, length, baseOffset, endOffset }
  })
  return { planned: { ...facts, runs }, doubtful: false, bytes, localId }
}

function refused(errorCode: number, doubtful: boolean, localId: number): PartitionPlan {
  return { planned: { errorCode, highWatermark: -1, lastStableOffset: -1, logStartOffset: -1, runs: [] }, doubtful, bytes: 0, localId }
}
