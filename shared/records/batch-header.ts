/**
 * The 61-byte header of a record batch, magic 2 (PROTOCOL 2.1), all big-endian. Bytes 0-16 lie outside the CRC:
 *   baseOffset i64 @0 | batchLength i32 @8 | partitionLeaderEpoch i32 @12 | magic i8 @16 | crc u32 @17 |
 *   attributes i16 @21 | lastOffsetDelta i32 @23 | baseTimestamp i64 @27 | maxTimestamp i64 @35 | producerId i64 @43 |
 *   producerEpoch i16 @51 | baseSequence i32 @53 | recordCount i32 @57
 * Readers take the bytes and the batch's start, so that nothing is allocated per batch.
 */
import { crc32c } from '../binary/crc32c.ts'
import { KAFKA_ERROR } from '../wire/error-codes.ts'

export const BATCH = {
  headerBytes: 61, lengthBytes: 12, lengthMin: 14, magic: 2, magicAt: 16, crcAt: 17, crcFrom: 21,
  codecMask: 7, zstd: 4, timestampTypeBit: 8, transactionalBit: 16, controlBit: 32
} as const

/** What the leader needs of a batch; the object is the caller's and is filled again and again. */
export type BatchFacts = {
  length: number; recordCount: number; maxTimestamp: number; producerId: number; producerEpoch: number
  baseSequence: number; attributes: number; crc: number
}

export function newBatchFacts(): BatchFacts {
  return {
    length: 0, recordCount: 0, maxTimestamp: 0, producerId: 0, producerEpoch: 0, baseSequence: 0, attributes: 0, crc: 0
  }
}

export type BatchLimits = { readonly messageBytesMax: number; readonly zstdAllowed: boolean }

function i16(b: Uint8Array, at: number): number {
  return ((b[at]! << 8) | b[at + 1]!) << 16 >> 16
}

function i32(b: Uint8Array, at: number): number {
  return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!
}

function i64(b: Uint8Array, at: number): number {
  return i32(b, at) * 2 ** 32 + (i32(b, at + 4) >>> 0)
}

/** Whole length of the batch at `at`, or -1 if its header is not whole or lies. */
export function batchLengthAt(bytes: Uint8Array, at: number): number {
  if (at + BATCH.headerBytes > bytes.byteLength) return -1
  const length = i32(bytes, at + 8) + BATCH.lengthBytes
  return length < BATCH.headerBytes || at + length > bytes.byteLength ? -1 : length
}

export function recordSpanAt(bytes: Uint8Array, at: number): number {
  return i32(bytes, at + 23) + 1
}

export function codecAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 22]! & BATCH.codecMask
}

export function baseOffsetAt(bytes: Uint8Array, at: number): number {
  return i64(bytes, at)
}

export function maxTimestampAt(bytes: Uint8Array, at: number): number {
  return i64(bytes, at + 35)
}

export function baseTimestampAt(bytes: Uint8Array, at: number): number {
  return i64(bytes, at + 27)
}

export function recordCountAt(bytes: Uint8Array, at: number): number {
  return i32(bytes, at + 57)
}

/** Whether all records of the batch carry the time of its append (`maxTimestampAt`), whatever their own says. */
export function hasAppendTimeAt(bytes: Uint8Array, at: number): boolean {
  return (bytes[at + 22]! & BATCH.timestampTypeBit) !== 0
}

/** Whether the batch at `at`, `length` bytes long, matches its CRC-32C. */
export function batchCrcMatches(bytes: Uint8Array, at: number, length: number): boolean {
  return crc32c(bytes.subarray(at + BATCH.crcFrom, at + length)) === i32(bytes, at + BATCH.crcAt) >>> 0
}

/**
 * Checks that `bytes` are exactly one batch that a producer may send (PROTOCOL 2.1, level A of 2.3), and fills `facts`.
 * @returns a Kafka error code, 0 if it may be taken.
 */
export function checkBatch(bytes: Uint8Array, limits: BatchLimits, facts: BatchFacts): number {
  const total = bytes.byteLength
  if (total <= BATCH.magicAt) return KAFKA_ERROR.INVALID_RECORD // no batch at all
  const length = i32(bytes, 8) + BATCH.lengthBytes
  if (length < BATCH.lengthBytes + BATCH.lengthMin) return KAFKA_ERROR.CORRUPT_MESSAGE
  // The magic byte lies at the same place in every format: an old one is not called damaged.
  const magic = bytes[BATCH.magicAt]!
  if (magic !== BATCH.magic) return magic < BATCH.magic ? KAFKA_ERROR.INVALID_RECORD : KAFKA_ERROR.CORRUPT_MESSAGE
  if (length > total) return KAFKA_ERROR.INVALID_RECORD // Kafka does not see a batch that is not whole
  if (length < BATCH.headerBytes) return KAFKA_ERROR.CORRUPT_MESSAGE
  if (length > limits.messageBytesMax) return KAFKA_ERROR.MESSAGE_TOO_LARGE
  if (length < total) return KAFKA_ERROR.INVALID_RECORD // several batches in one partition
  const crc = i32(bytes, BATCH.crcAt) >>> 0
  if (crc32c(bytes.subarray(BATCH.crcFrom, length)) !== crc) return KAFKA_ERROR.CORRUPT_MESSAGE
  const attributes = i16(bytes, 21)
  const recordCount = i32(bytes, 57)
  const producerId = i64(bytes, 43)
  const baseSequence = i32(bytes, 53)
  if (i64(bytes, 0) !== 0 || recordCount <= 0 || i32(bytes, 23) !== recordCount - 1) return KAFKA_ERROR.INVALID_RECORD
  const codec = attributes & BATCH.codecMask
  if (codec > BATCH.zstd) return KAFKA_ERROR.INVALID_RECORD
  if (codec === BATCH.zstd && !limits.zstdAllowed) return KAFKA_ERROR.UNSUPPORTED_COMPRESSION_TYPE
  if ((attributes & BATCH.controlBit) !== 0) return KAFKA_ERROR.INVALID_RECORD
  if ((attributes & BATCH.transactionalBit) !== 0) return KAFKA_ERROR.INVALID_TXN_STATE
  const maxTimestamp = i64(bytes, 35)
  if ((attributes & BATCH.timestampTypeBit) !== 0) return KAFKA_ERROR.INVALID_TIMESTAMP
  if (!Number.isSafeInteger(maxTimestamp)) return KAFKA_ERROR.INVALID_TIMESTAMP
  if (producerId !== -1) {
    if (producerId < 0 || !Number.isSafeInteger(producerId)) return KAFKA_ERROR.INVALID_RECORD
    if (baseSequence < 0 || i16(bytes, 51) < 0) return KAFKA_ERROR.INVALID_RECORD
  }
  facts.length = length
  facts.recordCount = recordCount
  facts.maxTimestamp = maxTimestamp
  facts.producerId = producerId
  facts.producerEpoch = i16(bytes, 51)
  facts.baseSequence = baseSequence
  facts.attributes = attributes
  facts.crc = crc
  return 0
}

/** Gives all records of a batch the time of its append, in place: type, time and CRC. @returns the new CRC */
export function stampAppendTime(bytes: Uint8Array, timeMs: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  view.setInt16(21, view.getInt16(21) | BATCH.timestampTypeBit)
  view.setBigInt64(35, BigInt(timeMs))
  const crc = crc32c(bytes.subarray(BATCH.crcFrom))
  view.setUint32(BATCH.crcAt, crc)
  return crc
}

/** Writes base offset and leader epoch (0) of one batch in place: both lie outside the CRC (PROTOCOL 2.2). */
export function patchBatch(bytes: Uint8Array, at: number, baseOffset: number): void {
  const high = Math.floor(baseOffset / 2 ** 32)
  bytes[at] = high >>> 24
  bytes[at + 1] = high >>> 16
  bytes[at + 2] = high >>> 8
  bytes[at + 3] = high
  bytes[at + 4] = baseOffset >>> 24
  bytes[at + 5] = baseOffset >>> 16
  bytes[at + 6] = baseOffset >>> 8
  bytes[at + 7] = baseOffset
  bytes[at + 12] = bytes[at + 13] = bytes[at + 14] = bytes[at + 15] = 0
}
