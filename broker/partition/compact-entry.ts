/**
 * The compact commit entry, written from cluster.version 3 on (docs/object-format.md): what commit-entry.ts says, in as
 * few bytes as it needs, since each goes to the journal and to every view. `uv` is an unsigned varint of 32 bits, `zz`
 * a zigzag varint, the rest big-endian:
 *   head        nodeId zz | nodeEpoch zz | nonce 8 bytes | lane u8 | chunkSeq zz | checksum u32 | floorBehind uv
 *   partition   localId + 1 uv (0: unknown here) | baseOffset zz | logStartOffset zz | batchCount uv
 *   batch       accepted: as in shared/object/batch-run.ts; else 0 u8 | errorCode zz | baseOffset zz
 * Partitions go on to the end of the entry.
 */
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import { BATCH_FLAG, BatchRunReader, BatchRunWriter } from '#shared/object/batch-run.ts'
import type { Source } from '#shared/object/chunk-ref.ts'
import { ENTRY_KIND, type Entry } from '../shard/entry.ts'
import { BEHIND_MAX, UNKNOWN_PARTITION, type CommitEntryVisitor, type EntryWriter } from './commit-decisions.ts'

const NONCE_BYTES = 8
const HEAD_BYTES_MAX = 48
const PARTITION_BYTES_MAX = 32
const BATCH_BYTES = 24 // about; the buffer grows

export class CompactEntryWriter implements EntryWriter {
  readonly #w: Writer
  readonly #run: BatchRunWriter

  constructor(source: Source, chunkSeq: number, checksum: number, room: {
    readonly partitionCount: number; readonly batchCount: number
  }, floor: number) {
    const w = new Writer(HEAD_BYTES_MAX + room.partitionCount * PARTITION_BYTES_MAX + room.batchCount * BATCH_BYTES)
    w.varint(source.nodeId)
    w.varlong(source.nodeEpoch)
    w.raw(Buffer.from(source.nonce, 'hex'))
    w.uint8(source.lane)
    w.varlong(chunkSeq)
    w.uint32(checksum)
    w.uvarint(Math.min(Math.max(chunkSeq - floor, 0), BEHIND_MAX))
    this.#w = w
    this.#run = new BatchRunWriter(w)
  }

  partition(localId: number, baseOffset: number, logStartOffset: number, batchCount: number): void {
    this.#w.uvarint(localId === UNKNOWN_PARTITION ? 0 : localId + 1)
    this.#w.varlong(baseOffset)
    this.#w.varlong(logStartOffset)
    this.#w.uvarint(batchCount)
  }

  accepted(position: number, length: number, recordCount: number, maxTimestamp: number,
    producerId: number, producerEpoch: number, baseSequence: number): void {
    this.#run.add(position, length, recordCount, maxTimestamp, producerId, producerEpoch, baseSequence)
  }

  refused(errorCode: number, baseOffset: number): void {
    this.#w.uint8(0)
    this.#w.varint(errorCode)
    this.#w.varlong(baseOffset)
  }

  finish(): Entry {
    return { kind: ENTRY_KIND.commitCompact, body: Buffer.concat(this.#w.finish()) } // of the right size: it is kept
  }
}

/** Reads an entry by calling the visitor's functions in order. */
export function readCompactEntry(body: Uint8Array, visit: CommitEntryVisitor): void {
  const r = new Reader(body)
  const [nodeId, nodeEpoch] = [r.varint(), r.varlong()]
  const nonceBytes = r.slice(NONCE_BYTES)
  const [lane, chunkSeq, checksum, behind] = [r.uint8(), r.varlong(), r.uint32(), r.uvarint()]
  if (visit.chunk !== undefined) {
    const nonce = Buffer.from(nonceBytes).toString('hex')
    visit.chunk({ nodeId, nodeEpoch, nonce, lane }, chunkSeq, checksum, chunkSeq - behind)
  }
  const run = new BatchRunReader(r)
  let localId = 0
  let nextOffset = 0
  const onBatch = (position: number, length: number, recordCount: number, maxTimestamp: number,
    producerId: number, producerEpoch: number, baseSequence: number): void => {
    visit.batch?.(
      localId, position, length, recordCount, maxTimestamp, nextOffset, producerId, producerEpoch, baseSequence
    )
    nextOffset += recordCount
  }
  while (r.remaining > 0) {
    const idAndOne = r.uvarint()
    localId = idAndOne === 0 ? UNKNOWN_PARTITION : idAndOne - 1
    nextOffset = r.varlong()
    const [logStartOffset, batchCount] = [r.varlong(), r.uvarint()]
    visit.partition?.(localId, nextOffset, logStartOffset, batchCount)
    for (let i = 0; i < batchCount; i++) {
      const flags = r.uint8()
      if ((flags & BATCH_FLAG.batch) !== 0) run.read(flags, onBatch)
      else {
        const [errorCode, baseOffset] = [r.varint(), r.varlong()]
        visit.refused?.(localId, errorCode, baseOffset)
      }
    }
  }
}
