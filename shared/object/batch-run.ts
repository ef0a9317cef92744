/**
 * The batches of a chunk, one after the other, as few bytes as they need: commits tell leaders of them, and feeds tell
 * views. What follows from the batch before is left out. `uv` is an unsigned varint of 32 bits, `zz` a zigzag varint.
 *   batch   flags u8 | position uv, unless FOLLOWS | length uv | recordCount uv | maxTimestamp | producer
 *   flags   1 BATCH: always; without it the byte begins something else | 2 IDEMPOTENT |
 *           4 FOLLOWS: position is the end of the batch before (the first: 0) |
 *           8 NEXT: producer and epoch of the batch before, and the sequence behind it; with IDEMPOTENT only |
 *           16 FAR: maxTimestamp is f64
 *   maxTimestamp   zz: less that of the batch before (the first: less 0); FAR: f64
 *   producer       producerId zz | producerEpoch zz | baseSequence zz, if IDEMPOTENT and not NEXT
 */
import type { Reader } from '../binary/reader.ts'
import type { Writer } from '../binary/writer.ts'

export const BATCH_FLAG = { batch: 1, idempotent: 2, follows: 4, next: 8, far: 16 } as const
const NEAR_MAX = 2 ** 52 // of the difference of two times: exact

/** What the next batch is told by. One writer or reader serves one run. */
class Before {
  end = 0
  maxTimestamp = 0
  producerId = -1
  producerEpoch = -1
  nextSequence = -1

  take(position: number, length: number, recordCount: number, maxTimestamp: number,
    producerId: number, producerEpoch: number, baseSequence: number): void {
    this.end = position + length
    this.maxTimestamp = maxTimestamp
    this.producerId = producerId
    this.producerEpoch = producerEpoch
    this.nextSequence = baseSequence + recordCount
  }
}

export class BatchRunWriter {
  readonly #w: Writer
  readonly #before = new Before()

  constructor(writer: Writer) {
    this.#w = writer
  }

  /** `producerId` is -1 for a batch that is not idempotent. */
  add(position: number, length: number, recordCount: number, maxTimestamp: number,
    producerId: number, producerEpoch: number, baseSequence: number): void {
    const before = this.#before
    const w = this.#w
    const follows = position === before.end
    const later = maxTimestamp - before.maxTimestamp
    const isNear = Number.isSafeInteger(maxTimestamp) && Math.abs(later) <= NEAR_MAX
    const isIdempotent = producerId !== -1
    const isNext = isIdempotent && producerId === before.producerId && producerEpoch === before.producerEpoch &&
      baseSequence === before.nextSequence
    w.uint8(BATCH_FLAG.batch | (isIdempotent ? BATCH_FLAG.idempotent : 0) | (follows ? BATCH_FLAG.follows : 0) |
      (isNext ? BATCH_FLAG.next : 0) | (isNear ? 0 : BATCH_FLAG.far))
    if (!follows) w.uvarint(position)
    w.uvarint(length)
    w.uvarint(recordCount)
    if (isNear) w.varlong(later)
    else w.float64(maxTimestamp)
    if (isIdempotent && !isNext) {
      w.varlong(producerId)
      w.varint(producerEpoch)
      w.varint(baseSequence)
    }
    before.take(position, length, recordCount, isNear ? maxTimestamp : 0, producerId, producerEpoch, baseSequence)
  }
}

export type BatchVisitor = (position: number, length: number, recordCount: number, maxTimestamp: number,
  producerId: number, producerEpoch: number, baseSequence: number) => void

export class BatchRunReader {
  readonly #r: Reader
  readonly #before = new Before()

  constructor(reader: Reader) {
    this.#r = reader
  }

  /** Reads the batch whose flags were just read. */
  read(flags: number, onBatch: BatchVisitor): void {
    const before = this.#before
    const r = this.#r
    const position = (flags & BATCH_FLAG.follows) === 0 ? r.uvarint() : before.end
    const length = r.uvarint()
    const recordCount = r.uvarint()
    const isNear = (flags & BATCH_FLAG.far) === 0
    const maxTimestamp = isNear ? before.maxTimestamp + r.varlong() : r.float64()
    let [producerId, producerEpoch, baseSequence] = [-1, -1, -1]
    if ((flags & BATCH_FLAG.next) !== 0) {
      producerId = before.producerId
      producerEpoch = before.producerEpoch
      baseSequence = before.nextSequence
    } else if ((flags & BATCH_FLAG.idempotent) !== 0) {
      producerId = r.varlong()
      producerEpoch = r.varint()
      baseSequence = r.varint()
    }
    before.take(position, length, recordCount, isNear ? maxTimestamp : 0, producerId, producerEpoch, baseSequence)
    onBatch(position, length, recordCount, maxTimestamp, producerId, producerEpoch, baseSequence)
  }
}
