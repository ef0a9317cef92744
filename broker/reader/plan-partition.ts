/** What a fetch of one partition gets from a view as it is now. Pure. */
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { PlanRequest, PlanResponse } from '#shared/rpc/read.ts'
import { findPartition } from '../partition/partitions-state.ts'
import {
  findEntry, runAt, runsFrom, type IndexRun, type PartitionIndex, type ShardIndex
} from '../shard/shard-index.ts'
import type { ShardState } from '../shard/shard-state.ts'

type Asked = PlanRequest['partitions'][number]
type Planned = PlanResponse['partitions'][number]
const LEADER_EPOCH = 0

/** `doubtful`: the view may be behind what was asked for; only a barrier can tell. */
export type PartitionPlan = {
  readonly planned: Planned; readonly doubtful: boolean
  readonly bytes: number // about what there is from the asked offset on
  readonly localId: number // -1: unknown here
}

/** What bounds a plan, and what it holds beyond `maxBytes`, to be read ahead, where a fetch is far behind the tail. */
export type PlanLimits = {
  readonly runsMax: number
  readonly chunksAtTail: number // so many of the newest are the tail
  readonly aheadBytes: number
}

export function planPartition(state: ShardState, index: ShardIndex, asked: Asked, limits: PlanLimits): PartitionPlan {
  const partition = findPartition(state.partitions, asked.topicId, asked.partition)
  if (partition === undefined) return refused(KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, { doubtful: true, localId: -1 })
  const { localId, nextOffset: highWatermark, logStartOffset } = partition
  if (asked.currentLeaderEpoch > LEADER_EPOCH) {
    return refused(KAFKA_ERROR.UNKNOWN_LEADER_EPOCH, { doubtful: false, localId })
  }
  const facts = { highWatermark, lastStableOffset: highWatermark, logStartOffset }
  if (asked.fetchOffset > highWatermark || asked.fetchOffset < logStartOffset) {
    const planned = { ...facts, errorCode: KAFKA_ERROR.OFFSET_OUT_OF_RANGE, runs: [], isCut: false }
    return { planned, doubtful: true, bytes: 0, localId }
  }
  const columns = index.partitions[localId]
  if (columns === undefined || asked.fetchOffset === highWatermark)
    return { planned: { ...facts, errorCode: 0, runs: [], isCut: false }, doubtful: false, bytes: 0, localId }
  let bytes = 0
  const runs = findRuns(index, columns, asked, limits).map(({ chunk: { source, chunkSeq }, ...run }) => {
    const { position, length, baseOffset, endOffset, chunksBehind } = run
    const lengthBefore = bytesBefore(run, asked.fetchOffset)
    bytes += length - lengthBefore
    return { source, chunkSeq, position, length, baseOffset, endOffset, lengthBefore, chunksBehind }
  })
  const isCut = bytes < asked.maxBytes && (runs.at(-1)?.endOffset ?? 0) < highWatermark
  return { planned: { ...facts, errorCode: 0, runs, isCut }, doubtful: false, bytes, localId }
}

function findRuns(
  index: ShardIndex, columns: PartitionIndex, { fetchOffset, maxBytes }: Asked,
  { runsMax, chunksAtTail, aheadBytes }: PlanLimits
): IndexRun[] {
  const first = runAt(index, columns, findEntry(columns, fetchOffset))
  const bytesMax = bytesBefore(first, fetchOffset) + maxBytes + (first.chunksBehind > chunksAtTail ? aheadBytes : 0)
  return runsFrom(index, columns, fetchOffset, { bytesMax, runsMax })
}

/** An estimate: where a batch lies in a run is known only to who reads it. */
function bytesBefore({ baseOffset, endOffset, length }: Omit<IndexRun, 'chunk'>, offset: number): number {
  return Math.max(0, Math.floor(length * (offset - baseOffset) / (endOffset - baseOffset)))
}

function refused(errorCode: number, { doubtful, localId }: Pick<PartitionPlan, 'doubtful' | 'localId'>): PartitionPlan {
  const planned = { errorCode, highWatermark: -1, lastStableOffset: -1, logStartOffset: -1, runs: [], isCut: false }
  return { planned, doubtful, bytes: 0, localId }
}
