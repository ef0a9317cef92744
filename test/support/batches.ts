/** Real record batches for tests: magic 2, uncompressed, right CRC. */
import { crc32c } from '#shared/binary/crc32c.ts'

export type BatchSpec = { readonly recordCount?: number; readonly valueBytes?: number; readonly producerId?: number; readonly producerEpoch?: number
  readonly baseSequence?: number; readonly attributes?: number; readonly maxTimestamp?: number }

/** One batch; its records hold `valueBytes` of filler and are not read by the code under test. */
export function makeBatch(spec: BatchSpec = {}): Buffer {
  const { recordCount = 1, valueBytes = 20, producerId = -1, producerEpoch = -1, baseSequence = -1, attributes = 0, maxTimestamp = 1_000 } = spec
  const batch = Buffer.alloc(61 + recordCount * valueBytes, 7)
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(batch.byteLength - 12, 8)
  batch.writeInt32BE(-1, 12)
  batch.writeInt8(2, 16)
  batch.writeInt16BE(attributes, 21)
  batch.writeInt32BE(recordCount - 1, 23)
  batch.writeBigInt64BE(BigInt(maxTimestamp), 27)
  batch.writeBigInt64BE(BigInt(maxTimestamp), 35)
  batch.writeBigInt64BE(BigInt(producerId), 43)
  batch.writeInt16BE(producerEpoch, 51)
  batch.writeInt32BE(baseSequence, 53)
  batch.writeInt32BE(recordCount, 57)
  return seal(batch)
}

/** Writes the CRC that fits what stands in the batch. */
export function seal(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}
