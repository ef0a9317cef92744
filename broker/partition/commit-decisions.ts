/** What a commit entry says, however it is laid out: one chunk's decisions, in the order of its batches. */
import type { Source } from '#shared/object/chunk-ref.ts'
import type { Entry } from '../shard/entry.ts'

export const UNKNOWN_PARTITION = 0xffff_ffff
export const BEHIND_MAX = 0xffff_ffff // a floor further behind is stated as lower than it is, which is safe

/** Takes what was decided, and makes the entry. */
export type EntryWriter = {
  partition(localId: number, baseOffset: number, logStartOffset: number, batchCount: number): void
  accepted(position: number, length: number, recordCount: number, maxTimestamp: number,
    producerId: number, producerEpoch: number, baseSequence: number): void
  refused(errorCode: number, baseOffset: number): void
  finish(): Entry
}

export type CommitEntryVisitor = {
  /** `floor` is -1 where the entry states none. */
  chunk?(source: Source, chunkSeq: number, checksum: number, floor: number): void
  partition?(localId: number, baseOffset: number, logStartOffset: number, batchCount: number): void
  /** An accepted batch; producerId is -1 for one that is not idempotent. */
  batch?(
    localId: number, position: number, length: number, recordCount: number, maxTimestamp: number, baseOffset: number,
    producerId: number, producerEpoch: number, baseSequence: number
  ): void
  /** A batch that got no offsets: a duplicate (errorCode 0, its first copy's offset) or a rejection. */
  refused?(localId: number, errorCode: number, baseOffset: number): void
}
