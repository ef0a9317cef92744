/**
 * Rows and answers of commits as they travel from version 1 of the call on (commit-rows.ts has the plain layouts). `uv`
 * is an unsigned varint of 32 bits, `zz` a zigzag varint.
 *   rows     per partition: partition zz (below 0: -1 - partition, of the topic of the partition before) |
 *            topicId 16 bytes, unless it is that | batchCount uv
 *            per batch: as in batch-run.ts | attributes uv
 *   answers  per batch: errorCode zz | baseOffset zz | logAppendTimeMs zz | logStartOffset zz, each less that of the
 *            answer before (the first: less 0)
 */
import { Reader } from '../binary/reader.ts'
import { Writer } from '../binary/writer.ts'
import { BatchRunReader, BatchRunWriter, type BatchVisitor } from '../object/batch-run.ts'
import { AnswersWriter, COMMIT_ROWS, forEachAnswer, forEachRow } from './commit-rows.ts'

const ANSWER_BYTES = 12 // of a packed answer, about

export function packRows(rows: Uint8Array): Uint8Array {
  const w = new Writer(rows.byteLength)
  const run = new BatchRunWriter(w)
  let topicBefore: string | null = null
  forEachRow(rows, (topicId, partition, batchCount) => {
    w.varlong(topicId === topicBefore ? -1 - partition : partition)
    if (topicId !== topicBefore) w.uuid(topicId)
    w.uvarint(batchCount)
    topicBefore = topicId
  }, (position, length, recordCount, maxTimestamp, producerId, producerEpoch, baseSequence, attributes) => {
    run.add(position, length, recordCount, maxTimestamp, producerId, producerEpoch, baseSequence)
    w.uvarint(attributes)
  })
  return joined(w)
}

export function unpackRows(packed: Uint8Array): Uint8Array {
  const r = new Reader(packed)
  const run = new BatchRunReader(r)
  const w = new Writer(2 * COMMIT_ROWS.partitionBytes + 4 * packed.byteLength)
  let topicId = ''
  const row: BatchVisitor = (position, length, recordCount, maxTimestamp, producerId, producerEpoch, baseSequence) => {
    w.uint32(position)
    w.uint32(length)
    w.uint32(recordCount)
    w.float64(maxTimestamp)
    w.float64(producerId)
    w.int16(producerEpoch)
    w.int32(baseSequence)
  }
  while (r.remaining > 0) {
    const partition = r.varlong()
    if (partition >= 0) topicId = r.uuid()
    w.uuid(topicId)
    w.uint32(partition >= 0 ? partition : -1 - partition)
    const batchCount = r.uvarint()
    w.uint32(batchCount)
    for (let i = 0; i < batchCount; i++) {
      run.read(r.uint8(), row)
      w.uint16(r.uvarint())
    }
  }
  return joined(w)
}

export function packAnswers(answers: Uint8Array): Uint8Array {
  const w = new Writer(Math.max(1, ANSWER_BYTES * answers.byteLength / COMMIT_ROWS.answerBytes))
  let [offsetBefore, timeBefore, startBefore] = [0, 0, 0]
  forEachAnswer(answers, (errorCode, baseOffset, logAppendTimeMs, logStartOffset) => {
    w.varint(errorCode)
    w.varlong(baseOffset - offsetBefore)
    w.varlong(logAppendTimeMs - timeBefore)
    w.varlong(logStartOffset - startBefore);
    [offsetBefore, timeBefore, startBefore] = [baseOffset, logAppendTimeMs, logStartOffset]
  })
  return joined(w)
}

export function unpackAnswers(packed: Uint8Array): Uint8Array {
  const r = new Reader(packed)
  const writer = new AnswersWriter()
  let [baseOffset, logAppendTimeMs, logStartOffset] = [0, 0, 0]
  while (r.remaining > 0) {
    const errorCode = r.varint()
    baseOffset += r.varlong()
    logAppendTimeMs += r.varlong()
    logStartOffset += r.varlong()
    writer.add(errorCode, baseOffset, logAppendTimeMs, logStartOffset)
  }
  return writer.finish()
}

function joined(writer: Writer): Uint8Array {
  const chunks = writer.finish()
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}
