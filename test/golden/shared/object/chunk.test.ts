/**
 * Goal: chunks of format version 1 stay readable for ever, and what is written today is what was written then.
 * Method: a whole chunk, byte for byte, with its parts read by offsets of docs/object-format.md and not by our codec.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { OpenChunk, type SealedChunk } from '#gateway/ingest/open-chunk.ts'
import { crc32c } from '#shared/binary/crc32c.ts'
import { CHUNK, decodeFooter, decodeTrailer } from '#shared/object/chunk.ts'
import { LANE, type ChunkRef } from '#shared/object/chunk-ref.ts'
import { makeBatch, type BatchSpec } from '#test/support/batches.ts'

const REF: ChunkRef =
  { source: { nodeId: 3, nodeEpoch: 12, nonce: 'fedcba9876543210', lane: LANE.region }, chunkSeq: 2 ** 40 + 7 }
const CLUSTER_ID = 'Y2x1c3Rlci1mb3ItdGVzdA'
const TOPICS = ['AAECAwQFBgcICQoLDA0ODw', '_-7dzLuqmYh3ZlVEMyIRAA'] as const

/** Taken in an order that is not the chunk's. */
const TAKEN: readonly (readonly [shard: number, topicId: string, partition: number, spec: BatchSpec])[] = [
  [9, TOPICS[1], 0, { recordCount: 2, valueBytes: 3, maxTimestamp: 1_700_000_000_001 }],
  [4, TOPICS[1], 1, { producerId: 2 ** 33, producerEpoch: 5, baseSequence: 70, maxTimestamp: 1_700_000_000_002 }],
  [4, TOPICS[0], 8, { maxTimestamp: -1 }],
  [9, TOPICS[1], 0, { attributes: 2, maxTimestamp: 1_700_000_000_000 }],
  [4, TOPICS[0], 2, { recordCount: 100, valueBytes: 1, maxTimestamp: 1_700_000_000_003 }]
]

function sealed(): SealedChunk {
  const open = new OpenChunk()
  for (const [shard, topicId, partition, spec] of TAKEN) {
    const bytes = makeBatch(spec)
    const {
      recordCount = 1, maxTimestamp = 0, producerId = -1, producerEpoch = -1, baseSequence = -1, attributes = 0
    } = spec
    open.add({
      bytes, length: bytes.length, position: 0, leftOut: false,
      shard, topicId, partition, recordCount, maxTimestamp, producerId, producerEpoch, baseSequence, attributes,
      crc: bytes.readUInt32BE(17), origin: 'c', answer() {}
    })
  }
  return open.seal(REF, CLUSTER_ID)
}

const golden = (): Buffer =>
  Buffer.from(readFileSync(new URL('chunk-v1.hex', import.meta.url), 'latin1').replace(/\s/g, ''), 'hex')

test('chunk: format version 1 is written as it was', () => {
  const { key, payload, footer } = sealed()
  assert.equal(key, 'chunks/3-12-fedcba9876543210-0/0001099511627783')
  assert.equal(Buffer.concat([...payload, footer]).toString('hex'), golden().toString('hex'))
})

test('chunk: format version 1 is read as it was written', () => {
  const bytes = golden()
  const { footerBytes, checksum } = decodeTrailer('k', bytes.subarray(-CHUNK.trailerBytes))
  const end = bytes.byteLength - CHUNK.trailerBytes
  const { ref, clusterId, partitions } = decodeFooter('k', bytes.subarray(end - footerBytes, end), checksum)
  assert.deepEqual([ref, clusterId], [REF, CLUSTER_ID])
  assert.deepEqual(partitions.map(({ shard, topicId, partition, batches }) => [
    shard, topicId, partition, batches.map(({ recordCount }) => recordCount)
  ]),
    [[4, TOPICS[0], 2, [100]], [4, TOPICS[0], 8, [1]], [4, TOPICS[1], 1, [1]], [9, TOPICS[1], 0, [2, 1]]])
  let position = 0
  for (const batch of partitions.flatMap(({ batches }) => batches)) {
    assert.equal(batch.position, position)
    assert.equal(batch.length, bytes.readInt32BE(position + 8) + 12)
    assert.equal(batch.crc, bytes.readUInt32BE(position + 17))
    assert.equal(batch.maxTimestamp, Number(bytes.readBigInt64BE(position + 35)))
    position += batch.length
  }
  assert.equal(position, end - footerBytes)
})

test('chunk: the parts lie where docs/object-format.md says', () => {
  const bytes = golden()
  const size = bytes.byteLength
  assert.equal(bytes.subarray(size - 4).toString('latin1'), 'ZWCH')
  const footer = bytes.subarray(size - 12 - bytes.readUInt32BE(size - 12), size - 12)
  assert.equal(bytes.readUInt32BE(size - 8), crc32c(footer))
  assert.equal(footer.readUInt16BE(0), 1)
  assert.deepEqual(
    [footer.readInt32BE(2), footer.readDoubleBE(6), footer.toString('hex', 14, 22), footer.readUInt8(22)],
    [3, 12, 'fedcba9876543210', 0]
  )
  assert.equal(footer.readDoubleBE(23), REF.chunkSeq)
  assert.equal(footer.toString('latin1', 33, 33 + footer.readInt16BE(31)), CLUSTER_ID)
  const partitions = 33 + CLUSTER_ID.length
  assert.equal(footer.readUInt32BE(partitions), 4)
  const first = partitions + 4
  assert.deepEqual(
    [footer.readUInt16BE(first), footer.toString('hex', first + 2, first + 18)], [4, '000102030405060708090a0b0c0d0e0f']
  )
  assert.deepEqual([footer.readUInt32BE(first + 18), footer.readUInt32BE(first + 22)], [2, 1])
  const batch = first + 26
  assert.deepEqual([0, 4, 8].map((at) => footer.readUInt32BE(batch + at)), [0, 161, 100])
  assert.equal(footer.readDoubleBE(batch + 12), 1_700_000_000_003)
  assert.equal(footer.readUInt32BE(batch + 20), bytes.readUInt32BE(17))
  assert.equal(footer.byteLength, first + 4 * 26 + 5 * 24)
})
