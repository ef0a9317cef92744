import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  baseOffsetAt, batchCrcMatches, checkBatch, maxTimestampAt, newBatchFacts, patchBatch, stampAppendTime
} from '#shared/records/batch-header.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { makeBatch, seal } from '#test/support/batches.ts'

const limits = { messageBytesMax: 1_048_588, zstdAllowed: true }
const check = (bytes: Uint8Array, other = limits): number => checkBatch(bytes, other, newBatchFacts())
const changed = (change: (batch: Buffer) => void, sealed = true): Buffer => {
  const batch = makeBatch({ recordCount: 3 })
  change(batch)
  return sealed ? seal(batch) : batch
}

test('batch-header: a good batch is taken and its facts are read', () => {
  const facts = newBatchFacts()
  const batch = makeBatch(
    { recordCount: 3, producerId: 2 ** 40, producerEpoch: 4, baseSequence: 9, maxTimestamp: 1_700_000_000_123 }
  )
  assert.equal(checkBatch(batch, limits, facts), 0)
  assert.deepEqual(facts, {
    length: batch.byteLength, recordCount: 3, maxTimestamp: 1_700_000_000_123, producerId: 2 ** 40, producerEpoch: 4,
    baseSequence: 9, attributes: 0, crc: batch.readUInt32BE(17)
  })
})

test('batch-header: what PROTOCOL 2.1 forbids gets the code it names', () => {
  assert.equal(check(changed((b) => b.writeInt8(1, 16))), KAFKA_ERROR.INVALID_RECORD)
  assert.equal(check(changed((b) => b.writeInt8(0, 16))), KAFKA_ERROR.INVALID_RECORD)
  assert.equal(check(changed((b) => b.writeInt8(3, 16))), KAFKA_ERROR.CORRUPT_MESSAGE)
  assert.equal(check(changed((b) => b.writeInt8(-1, 16))), KAFKA_ERROR.CORRUPT_MESSAGE)
  assert.equal(check(changed((b) => { b[100]! ^= 1 }, false)), KAFKA_ERROR.CORRUPT_MESSAGE)
  // As in Kafka: what is not whole is no batch, a length that no batch can have is damage.
  assert.equal(check(changed((b) => b.writeInt32BE(1_000_000, 8))), KAFKA_ERROR.INVALID_RECORD)
  assert.equal(check(changed((b) => b.writeInt32BE(48, 8))), KAFKA_ERROR.CORRUPT_MESSAGE)
  assert.equal(check(changed((b) => b.writeInt32BE(0, 8))), KAFKA_ERROR.CORRUPT_MESSAGE)
  assert.equal(check(changed((b) => b.writeInt32BE(-5, 8))), KAFKA_ERROR.CORRUPT_MESSAGE)
  assert.equal(check(new Uint8Array(10)), KAFKA_ERROR.INVALID_RECORD)
  assert.equal(check(new Uint8Array(17)), KAFKA_ERROR.CORRUPT_MESSAGE)
  assert.equal(check(makeBatch().subarray(0, 30)), KAFKA_ERROR.INVALID_RECORD)
  assert.equal(check(Buffer.concat([makeBatch(), makeBatch()])), KAFKA_ERROR.INVALID_RECORD)
  assert.equal(check(changed((b) => b.writeBigInt64BE(5n, 0))), KAFKA_ERROR.INVALID_RECORD)
  assert.equal(check(changed((b) => b.writeInt32BE(7, 23))), KAFKA_ERROR.INVALID_RECORD)
  assert.equal(check(changed((b) => b.writeInt32BE(0, 57))), KAFKA_ERROR.INVALID_RECORD)
  assert.equal(check(changed((b) => b.writeInt16BE(32, 21))), KAFKA_ERROR.INVALID_RECORD)
  assert.equal(check(changed((b) => b.writeInt16BE(8, 21))), KAFKA_ERROR.INVALID_TIMESTAMP)
  assert.equal(check(changed((b) => b.writeBigInt64BE(2n ** 62n, 35))), KAFKA_ERROR.INVALID_TIMESTAMP)
  assert.equal(check(changed((b) => b.writeInt16BE(16, 21))), KAFKA_ERROR.INVALID_TXN_STATE)
  assert.equal(check(makeBatch({ producerId: 1, producerEpoch: 0, baseSequence: -1 })), KAFKA_ERROR.INVALID_RECORD)
  assert.equal(
    check(makeBatch({ attributes: 4 }), { ...limits, zstdAllowed: false }), KAFKA_ERROR.UNSUPPORTED_COMPRESSION_TYPE
  )
  assert.equal(check(makeBatch(), { ...limits, messageBytesMax: 60 }), KAFKA_ERROR.MESSAGE_TOO_LARGE)
})

test('batch-header: the patch writes offset and epoch outside the CRC (PROTOCOL 2.2)', () => {
  const batch = makeBatch({ recordCount: 2 })
  for (const offset of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 45 + 3]) {
    patchBatch(batch, 0, offset)
    assert.equal(batch.readBigInt64BE(0), BigInt(offset))
    assert.equal(baseOffsetAt(batch, 0), offset)
    assert.equal(batch.readInt32BE(12), 0)
    assert(batchCrcMatches(batch, 0, batch.byteLength))
  }
})

test('batch-header: the time of append takes the place of the producer\'s, under a CRC that fits (PROTOCOL 2.2)', () => {
  const batch = makeBatch({ recordCount: 2, attributes: 1, maxTimestamp: 5 })
  const crc = stampAppendTime(batch, 1_700_000_000_123)
  assert.equal(maxTimestampAt(batch, 0), 1_700_000_000_123)
  assert.equal(batch.readInt16BE(21), 9, 'the codec stays')
  assert.equal(batch.readUInt32BE(17), crc)
  assert(batchCrcMatches(batch, 0, batch.byteLength))
})
