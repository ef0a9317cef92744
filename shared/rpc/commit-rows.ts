/**
 * The rows and answers of commit calls, as leaders and gateways hold them; packed-rows.ts has how they travel.
 *
 * `rows` of a chunk, big-endian, sorted as in the chunk:
 *   per partition  topicId 16 bytes | partition u32 | batchCount u32                                    24 bytes
 *   per batch      position u32 | length u32 | recordCount u32 | maxTimestamp f64 | producerId f64 |
 *                  producerEpoch i16 | baseSequence i32 | attributes u16                                36 bytes
 * `answers` of a chunk, in the order of the rows' batches:
 *   per batch      errorCode i16 | baseOffset f64 | logAppendTimeMs f64 | logStartOffset f64             26 bytes
 */
import { uuidFromBytes, uuidToBytes } from '../binary/uuid.ts'
import { ZonewiseError } from '../errors/zonewise-error.ts'

export const COMMIT_ROWS = { partitionBytes: 24, batchBytes: 36, answerBytes: 26 } as const

export type CommitRow = {
  readonly position: number; readonly length: number; readonly recordCount: number; readonly maxTimestamp: number
  readonly producerId: number; readonly producerEpoch: number; readonly baseSequence: number;
  readonly attributes: number
}
export type CommitRowsPartition =
  { readonly topicId: string; readonly partition: number; readonly batches: readonly CommitRow[] }
export type CommitAnswer = {
  readonly errorCode: number; readonly baseOffset: number; readonly logAppendTimeMs: number;
  readonly logStartOffset: number
}

export function writeRows(partitions: readonly CommitRowsPartition[]): Uint8Array {
  let size = 0
  for (const { batches } of partitions) size += COMMIT_ROWS.partitionBytes + batches.length * COMMIT_ROWS.batchBytes
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const { topicId, partition, batches } of partitions) {
    bytes.set(uuidToBytes(topicId), at)
    view.setUint32(at + 16, partition)
    view.setUint32(at + 20, batches.length)
    at += COMMIT_ROWS.partitionBytes
    for (const batch of batches) {
      view.setUint32(at, batch.position)
      view.setUint32(at + 4, batch.length)
      view.setUint32(at + 8, batch.recordCount)
      view.setFloat64(at + 12, batch.maxTimestamp)
      view.setFloat64(at + 20, batch.producerId)
      view.setInt16(at + 28, batch.producerEpoch)
      view.setInt32(at + 30, batch.baseSequence)
      view.setUint16(at + 34, batch.attributes)
      at += COMMIT_ROWS.batchBytes
    }
  }
  return bytes
}

/** Calls both functions in the order of the rows. @throws ZonewiseError FRAME_INVALID: cut short */
export function forEachRow(
  rows: Uint8Array,
  onPartition: (topicId: string, partition: number, batchCount: number) => void,
  onBatch: (position: number, length: number, recordCount: number, maxTimestamp: number,
    producerId: number, producerEpoch: number, baseSequence: number, attributes: number) => void
): void {
  const view = new DataView(rows.buffer, rows.byteOffset, rows.byteLength)
  let at = 0
  while (at < rows.byteLength) {
    const batchesAt = at + COMMIT_ROWS.partitionBytes
    const batchCount = batchesAt <= rows.byteLength ? view.getUint32(at + 20) : 0
    const end = batchesAt + batchCount * COMMIT_ROWS.batchBytes
    if (end > rows.byteLength) {
      throw new ZonewiseError('FRAME_INVALID', 'commit rows are cut short', { at, bytes: rows.byteLength })
    }
    onPartition(uuidFromBytes(rows, at), view.getUint32(at + 16), batchCount)
    for (at = batchesAt; at < end; at += COMMIT_ROWS.batchBytes)
      onBatch(view.getUint32(at), view.getUint32(at + 4), view.getUint32(at + 8), view.getFloat64(at + 12),
        view.getFloat64(at + 20), view.getInt16(at + 28), view.getInt32(at + 30), view.getUint16(at + 34))
  }
}

/** Gathers answers in a growing buffer. */
export class AnswersWriter {
  #bytes = new Uint8Array(8 * COMMIT_ROWS.answerBytes)
  #view = new DataView(this.#bytes.buffer)
  #at = 0

  add(errorCode: number, baseOffset: number, logAppendTimeMs: number, logStartOffset: number): void {
    if (this.#at === this.#bytes.byteLength) this.#grow()
    const view = this.#view
    const at = this.#at
    view.setInt16(at, errorCode)
    view.setFloat64(at + 2, baseOffset)
    view.setFloat64(at + 10, logAppendTimeMs)
    view.setFloat64(at + 18, logStartOffset)
    this.#at = at + COMMIT_ROWS.answerBytes
  }

  /** A copy of the right size. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at)
  }

  #grow(): void {
    const grown = new Uint8Array(this.#bytes.byteLength * 4)
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

/** Calls `onAnswer` for each answer, in the order of the rows' batches. */
export function forEachAnswer(
  answers: Uint8Array,
  onAnswer: (errorCode: number, baseOffset: number, logAppendTimeMs: number, logStartOffset: number) => void
): void {
  const view = new DataView(answers.buffer, answers.byteOffset, answers.byteLength)
  for (let at = 0; at + COMMIT_ROWS.answerBytes <= answers.byteLength; at += COMMIT_ROWS.answerBytes)
    onAnswer(view.getInt16(at), view.getFloat64(at + 2), view.getFloat64(at + 10), view.getFloat64(at + 18))
}

export function readAnswers(answers: Uint8Array): CommitAnswer[] {
  const read: CommitAnswer[] = []
  forEachAnswer(answers, (errorCode, baseOffset, logAppendTimeMs, logStartOffset) =>
    read.push({ errorCode, baseOffset, logAppendTimeMs, logStartOffset }))
  return read
}
