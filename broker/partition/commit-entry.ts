/**
 * The commit entry: what a shard decided about one chunk. All big-endian (docs/object-format.md):
 *   head (37 bytes)   nodeId i32 | nodeEpoch f64 | nonce 8 bytes | lane u8 | chunkSeq f64 | checksum u32 |
 *                     partitionCount u32; commitFloor: then floorBehind u32 (chunkSeq - the source's floor)
 *   partition (24)    localId u32 (0xffffffff: unknown here) | baseOffset f64 | logStartOffset f64 | batchCount u32
 *   batch             flags u8, then
 *     1 accepted        position u32 | length u32 | recordCount u32 | maxTimestamp f64                      21 bytes
 *     2 idempotent too  producerId f64 | producerEpoch i16 | baseSequence i32                             + 14 bytes
 *     0 otherwise       errorCode i16 | baseOffset f64 (of the first copy where errorCode is 0, else -1)    11 bytes
 * Offsets of accepted batches of a partition follow each other from its baseOffset.
 * The same in fewer bytes: compact-entry.ts.
 */
import assert from 'node:assert/strict'
import type { Source } from '#shared/object/chunk-ref.ts'
import { ENTRY_KIND, type Entry } from '../shard/entry.ts'
import { BEHIND_MAX, type CommitEntryVisitor, type EntryWriter } from './commit-decisions.ts'
import { readCompactEntry } from './compact-entry.ts'

const COMMIT_ENTRY = { headBytes: 37, floorBytes: 4, partitionBytes: 24, batchBytesMax: 35 } as const
const ACCEPTED = 1
const IDEMPOTENT = 2

/** Writes one entry into a buffer sized for the worst case. */
export class CommitEntryWriter implements EntryWriter {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #kind: number
  #at: number = COMMIT_ENTRY.headBytes
  #partitionCount = 0

  /** `floor`: the oldest chunkSeq of the source that is not decided everywhere; left out: not to be written down. */
  constructor(source: Source, chunkSeq: number, checksum: number, room: {
    readonly partitionCount: number; readonly batchCount: number
  }, floor?: number) {
    const size = COMMIT_ENTRY.headBytes + COMMIT_ENTRY.floorBytes +
      room.partitionCount * COMMIT_ENTRY.partitionBytes + room.batchCount * COMMIT_ENTRY.batchBytesMax
    this.#bytes = Buffer.allocUnsafeSlow(size)
    this.#view = new DataView(this.#bytes.buffer)
    const view = this.#view
    view.setInt32(0, source.nodeId)
    view.setFloat64(4, source.nodeEpoch)
    view.setUint32(12, Number.parseInt(source.nonce.slice(0, 8), 16))
    view.setUint32(16, Number.parseInt(source.nonce.slice(8), 16))
    view.setUint8(20, source.lane)
    view.setFloat64(21, chunkSeq)
    view.setUint32(29, checksum)
    this.#kind = floor === undefined ? ENTRY_KIND.commit : ENTRY_KIND.commitFloor
    if (floor === undefined) return
    view.setUint32(COMMIT_ENTRY.headBytes, Math.min(Math.max(chunkSeq - floor, 0), BEHIND_MAX))
    this.#at += COMMIT_ENTRY.floorBytes
  }

  partition(localId: number, baseOffset: number, logStartOffset: number, batchCount: number): void {
    const view = this.#view
    const at = this.#at
    view.setUint32(at, localId)
    view.setFloat64(at + 4, baseOffset)
    view.setFloat64(at + 12, logStartOffset)
    view.setUint32(at + 20, batchCount)
    this.#at = at + COMMIT_ENTRY.partitionBytes
    this.#partitionCount += 1
  }

  accepted(position: number, length: number, recordCount: number, maxTimestamp: number,
    producerId: number, producerEpoch: number, baseSequence: number): void {
    const view = this.#view
    let at = this.#at
    view.setUint8(at, producerId === -1 ? ACCEPTED : ACCEPTED | IDEMPOTENT)
    view.setUint32(at + 1, position)
    view.setUint32(at + 5, length)
    view.setUint32(at + 9, recordCount)
    view.setFloat64(at + 13, maxTimestamp)
    at += 21
    if (producerId !== -1) {
      view.setFloat64(at, producerId)
      view.setInt16(at + 8, producerEpoch)
      view.setInt32(at + 10, baseSequence)
      at += 14
    }
    this.#at = at
  }

  refused(errorCode: number, baseOffset: number): void {
    this.#view.setUint8(this.#at, 0)
    this.#view.setInt16(this.#at + 1, errorCode)
    this.#view.setFloat64(this.#at + 3, baseOffset)
    this.#at += 11
  }

  finish(): Entry {
    this.#view.setUint32(33, this.#partitionCount)
    // A copy of the right size, where the worst case is far off: the journal keeps recent groups in memory.
    const used = this.#bytes.subarray(0, this.#at)
    return { kind: this.#kind, body: this.#at * 2 < this.#bytes.byteLength ? Uint8Array.from(used) : used }
  }
}

const hex8 = (value: number): string => value.toString(16).padStart(8, '0')

export function isCommit({ kind }: Entry): boolean {
  return kind === ENTRY_KIND.commitCompact || kind === ENTRY_KIND.commitFloor || kind === ENTRY_KIND.commit
}

/**
 * Reads an entry by calling the visitor's functions in order. The bytes are under the journal's CRC: a bad one
 * is a bug.
 */
export function readCommitEntry({ kind, body }: Entry, visit: CommitEntryVisitor): void {
  if (kind === ENTRY_KIND.commitCompact) return readCompactEntry(body, visit)
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const hasFloor = kind === ENTRY_KIND.commitFloor
  if (visit.chunk !== undefined) {
    const nonce = hex8(view.getUint32(12)) + hex8(view.getUint32(16))
    visit.chunk(
      { nodeId: view.getInt32(0), nodeEpoch: view.getFloat64(4), nonce, lane: view.getUint8(20) }, view.getFloat64(21),
      view.getUint32(29), hasFloor ? view.getFloat64(21) - view.getUint32(COMMIT_ENTRY.headBytes) : -1
    )
  }
  const partitionCount = view.getUint32(33)
  let at: number = COMMIT_ENTRY.headBytes + (hasFloor ? COMMIT_ENTRY.floorBytes : 0)
  for (let p = 0; p < partitionCount; p++) {
    const localId = view.getUint32(at)
    let baseOffset = view.getFloat64(at + 4)
    const batchCount = view.getUint32(at + 20)
    visit.partition?.(localId, baseOffset, view.getFloat64(at + 12), batchCount)
    at += COMMIT_ENTRY.partitionBytes
    for (let b = 0; b < batchCount; b++) {
      const flags = view.getUint8(at)
      if ((flags & ACCEPTED) === 0) {
        visit.refused?.(localId, view.getInt16(at + 1), view.getFloat64(at + 3))
        at += 11
        continue
      }
      const recordCount = view.getUint32(at + 9)
      const idempotent = (flags & IDEMPOTENT) !== 0
      visit.batch?.(
        localId, view.getUint32(at + 1), view.getUint32(at + 5), recordCount, view.getFloat64(at + 13), baseOffset,
        idempotent ? view.getFloat64(at + 21) : -1, idempotent ? view.getInt16(at + 29) : -1,
        idempotent ? view.getInt32(at + 31) : -1
      )
      baseOffset += recordCount
      at += idempotent ? 35 : 21
    }
  }
  assert.equal(at, body.byteLength)
}
