/**
 * Decides one chunk for one shard: offsets, duplicates and rejections, all batches in one journal entry. Pure: looks at
 * the state, changes nothing. Rejections are remembered like acceptances, so that a repeated chunk gets equal answers.
 */
import type { Source } from '#shared/object/chunk-ref.ts'
import { forEachRow } from '#shared/rpc/commit-rows.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { Entry } from '../shard/entry.ts'
import { type EntryWriter, UNKNOWN_PARTITION } from './commit-decisions.ts'
import { CommitEntryWriter } from './commit-entry.ts'
import { CompactEntryWriter } from './compact-entry.ts'
import { findPartition, type PartitionState, type PartitionsState } from './partitions-state.ts'
import { judgeSequence, withBatch, type ProducerState } from './producer-state.ts'
import { judgeChunk, windowKey, type WindowVerdict } from './source-window.ts'

export type ChunkCommit =
  {
    readonly source: Source; readonly chunkSeq: number; readonly checksum: number; readonly rows: Uint8Array
    readonly floor?: number // of the source; left out where it may not be written down
    readonly isCompact?: boolean // the entry may be
  }

export type CommitPlan = { readonly kind: 'new'; readonly entry: Entry } | Exclude<WindowVerdict, { kind: 'new' }>

/**
 * @param mayBeForgotten says whether a producer without state in a topic may have had one that is lost.
 * @throws ZonewiseError FRAME_INVALID: the rows are no rows.
 */
export function planCommit(
  state: PartitionsState, chunk: ChunkCommit, nowMs: number,
  mayBeForgotten: (producerId: number, topicId: string) => boolean
): CommitPlan {
  const { source, chunkSeq, checksum, rows, floor, isCompact } = chunk
  const verdict = judgeChunk(state.sources.get(windowKey(source)), chunk, state.closedEpochs.get(source.nodeId))
  if (verdict.kind !== 'new') return verdict
  const room = { partitionCount: 0, batchCount: 0 }
  forEachRow(
    rows, (_topicId, _partition, batchCount) => { room.partitionCount += 1; room.batchCount += batchCount }, () => {}
  )
  const writer: EntryWriter = isCompact === true && floor !== undefined
    ? new CompactEntryWriter(source, chunkSeq, checksum, room, floor)
    : new CommitEntryWriter(source, chunkSeq, checksum, room, floor)
  let current: PartitionState | undefined
  let nextOffset = 0
  let tried = new Map<number, ProducerState>() // producers of the current partition as this chunk changes them
  const begun = new Map<PartitionState, { nextOffset: number; tried: Map<number, ProducerState> }>()
  forEachRow(rows, (topicId, partition, batchCount) => {
    if (current !== undefined) begun.set(current, { nextOffset, tried })
    current = findPartition(state, topicId, partition)
    const before = current === undefined ? undefined : begun.get(current)
    tried = before?.tried ?? new Map()
    nextOffset = before?.nextOffset ?? current?.nextOffset ?? 0
    writer.partition(
      current?.localId ?? UNKNOWN_PARTITION, nextOffset, current?.logStartOffset ?? -1, batchCount
    )
  }, (position, length, recordCount, maxTimestamp, producerId, epoch, baseSequence) => {
    if (current === undefined) return writer.refused(KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, -1)
    if (producerId !== -1) {
      const batch = { epoch, baseSequence, recordCount, baseOffset: nextOffset }
      const producer = tried.get(producerId) ?? current.producers.get(producerId)
      const judged = judgeSequence(
        producer, batch, producer === undefined && baseSequence > 0 && mayBeForgotten(producerId, current.topicId)
      )
      if (judged.kind === 'duplicate') return writer.refused(0, judged.baseOffset)
      if (judged.kind === 'reject') return writer.refused(judged.errorCode, -1)
      tried.set(producerId, withBatch(producer, batch, nowMs))
    }
    writer.accepted(position, length, recordCount, maxTimestamp, producerId, epoch, baseSequence)
    nextOffset += recordCount
  })
  return { kind: 'new', entry: writer.finish() }
}
