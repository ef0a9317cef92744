/** Real record batches for tests: magic 2, right CRC. */
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { crc32c } from '#shared/binary/crc32c.ts'

export type BatchSpec = {
  readonly recordCount?: number; readonly valueBytes?: number; readonly producerId?: number
  readonly producerEpoch?: number; readonly baseSequence?: number; readonly attributes?: number
  readonly maxTimestamp?: number
}

/** One batch; its records hold `valueBytes` of filler and are not read by the code under test. */
export function makeBatch(spec: BatchSpec = {}): Buffer {
  const {
    recordCount = 1, valueBytes = 20, producerId = -1, producerEpoch = -1, baseSequence = -1, attributes = 0,
    maxTimestamp = 1_000
  } = spec
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

export type RecordSpec = {
  readonly key?: string | null; readonly value?: string | null; readonly timestampDelta?: number
  readonly headers?: readonly (readonly [key: string, value: string | null])[]
}

/** One batch whose records can be read; `codec` packs them. */
export function makeRecordBatch(
  records: readonly RecordSpec[], spec: BatchSpec & { readonly codec?: 'gzip' | 'zstd' } = {}
): Buffer {
  const { maxTimestamp: baseTimestamp = 1_000, codec } = spec
  const plain = encodeRecords(records)
  const packed = codec === 'gzip' ? gzipSync(plain) : codec === 'zstd' ? zstdCompressSync(plain) : plain
  const attributes = (spec.attributes ?? 0) | (codec === 'gzip' ? 1 : codec === 'zstd' ? 4 : 0)
  const header = makeBatch({ ...spec, recordCount: records.length, valueBytes: 0, attributes })
  const batch = Buffer.concat([header, packed])
  batch.writeInt32BE(batch.byteLength - 12, 8)
  batch.writeBigInt64BE(
    BigInt(baseTimestamp + Math.max(...records.map(({ timestampDelta = 0 }) => timestampDelta))), 35
  )
  return seal(batch)
}

/** Records as they stand in a batch, the first at offset delta 0. */
export function encodeRecords(records: readonly RecordSpec[]): Buffer {
  return Buffer.concat(records.map(({ key = null, value = null, timestampDelta = 0, headers = [] }, offsetDelta) => {
    const body = Buffer.concat([
      Buffer.alloc(1), varint(timestampDelta), varint(offsetDelta), text(key), text(value), varint(headers.length),
      ...headers.flatMap(([name, content]) => [text(name), text(content)])
    ])
    return Buffer.concat([varint(body.byteLength), body])
  }))
}

function text(value: string | null): Buffer {
  return value === null ? varint(-1) : Buffer.concat([varint(Buffer.byteLength(value)), Buffer.from(value)])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let left = value < 0 ? -2 * value - 1 : 2 * value
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push(left % 128 + 128)
  return Buffer.from([...bytes, left])
}

/** Writes the CRC that fits what stands in the batch. */
export function seal(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}
