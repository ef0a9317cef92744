/** Record batches (magic 2, not compressed) as the simulated clients write and read them, record by record. */
import assert from 'node:assert/strict'
import { crc32c } from '#shared/binary/crc32c.ts'
import { batchCrcMatches, batchLengthAt, baseOffsetAt } from '#shared/records/batch-header.ts'
import type { RecordId } from '../check/history.ts'

const HEADER_BYTES = 61
const CRC_FROM = 21

export type BatchOwner = { readonly producerId: number; readonly producerEpoch: number; readonly baseSequence: number }

export const NOBODY: BatchOwner = { producerId: -1, producerEpoch: -1, baseSequence: -1 }

/** A batch of `records`, each value padded by `padding` bytes. */
export function encodeBatch(
  records: readonly RecordId[], owner: BatchOwner, timestampMs: number, padding: number
): Uint8Array {
  const bodies = records.map(({ producer, counter }, i) => {
    const value = Buffer.from(`${producer}:${counter}:${'x'.repeat(padding)}`)
    const body =
      Buffer.concat([Buffer.from([0]), varint(0), varint(i), varint(-1), varint(value.length), value, varint(0)])
    return Buffer.concat([varint(body.length), body])
  })
  const batch = Buffer.concat([Buffer.alloc(HEADER_BYTES), ...bodies])
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt8(2, 16)
  batch.writeInt32BE(records.length - 1, 23)
  batch.writeBigInt64BE(BigInt(timestampMs), 27)
  batch.writeBigInt64BE(BigInt(timestampMs), 35)
  batch.writeBigInt64BE(BigInt(owner.producerId), 43)
  batch.writeInt16BE(owner.producerEpoch, 51)
  batch.writeInt32BE(owner.baseSequence, 53)
  batch.writeInt32BE(records.length, 57)
  batch.writeUInt32BE(crc32c(batch.subarray(CRC_FROM)), 17)
  return batch
}

/** Every record of the batches in `bytes`; a last batch that is not whole is left out, as clients do. */
export function decodeBatches(bytes: Uint8Array): { readonly offset: number; readonly record: RecordId }[] {
  const found: { offset: number; record: RecordId }[] = []
  for (let at = 0; at < bytes.length;) {
    const length = batchLengthAt(bytes, at)
    if (length < 0) break
    assert(batchCrcMatches(bytes, at, length), 'a batch does not match its CRC')
    const batch = Buffer.from(bytes.buffer, bytes.byteOffset + at, length)
    const baseOffset = baseOffsetAt(bytes, at)
    const reading = { at: HEADER_BYTES }
    for (let i = 0; i < batch.readInt32BE(57); i++) {
      const size = readVarint(batch, reading)
      const end = reading.at + size
      reading.at += 1
      readVarint(batch, reading)
      const delta = readVarint(batch, reading)
      assert.equal(readVarint(batch, reading), -1)
      const valueBytes = readVarint(batch, reading)
      const [producer, counter] = batch.toString('latin1', reading.at, reading.at + valueBytes).split(':', 2)
      found.push({ offset: baseOffset + delta, record: { producer: producer!, counter: Number(counter) } })
      reading.at = end
    }
    at += length
  }
  return found
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let left = value < 0 ? -2 * value - 1 : 2 * value
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 128)
  bytes.push(left)
  return Buffer.from(bytes)
}

function readVarint(bytes: Buffer, reading: { at: number }): number {
  let [value, scale] = [0, 1]
  for (;;) {
    const byte = bytes[reading.at++]!
    value += (byte & 127) * scale
    if (byte < 128) break
    scale *= 128
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}
