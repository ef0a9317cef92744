import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunkKey } from '#shared/object/chunk-ref.ts'
import { CHUNK, decodeFooter, decodeTrailer, encodeFooter, type ChunkFooter } from '#shared/object/chunk.ts'

const footer: ChunkFooter = {
  ref: { source: { nodeId: 2, nodeEpoch: 7, nonce: '00ff00ff12345678', lane: 0 }, chunkSeq: 41 },
  clusterId: 'abcdefghijklmnopqrstuw',
  partitions: [
    { shard: 1, topicId: 'abcdefghijklmnopqrstuw', partition: 3, batches: [
      { position: 0, length: 81, recordCount: 1, maxTimestamp: 5, crc: 77 }
    ] },
    { shard: 9, topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partition: 0, batches: [
      { position: 81, length: 100, recordCount: 4, maxTimestamp: -1, crc: 2 ** 32 - 1 }
    ] }
  ]
}

test('chunk: a footer comes back as it was, found from the last bytes alone', () => {
  const { bytes, checksum } = encodeFooter(footer)
  const trailer = decodeTrailer('k', bytes.subarray(-CHUNK.trailerBytes))
  assert.deepEqual(trailer, { footerBytes: bytes.byteLength - CHUNK.trailerBytes, checksum })
  assert.deepEqual(decodeFooter('k', bytes.subarray(0, trailer.footerBytes), checksum), footer)
  assert.equal(chunkKey(footer.ref), 'chunks/2-7-00ff00ff12345678-0/0000000000000041')
})

test('chunk: the layout of format version 1 never changes', () => {
  assert.equal(Buffer.from(
    encodeFooter({ ...footer, partitions: footer.partitions.slice(0, 1) }).bytes
  ).toString('hex'),
    '000100000002401c00000000000000ff00ff12345678004044800000000000' +
      '0016' + Buffer.from(footer.clusterId).toString('hex') + '00000001'
    + '0001' + '69b71d79f8218a39259a7a29aabb2dbb' .slice(0, 32) +
      '00000003' + '00000001' + '00000000' + '00000051' + '00000001' + '4014000000000000' + '0000004d'
    + Buffer.from(encodeFooter({ ...footer, partitions: footer.partitions.slice(0, 1) }).bytes.subarray(-12))
      .toString('hex'))
})

test('chunk: each flipped bit of the footer is found', () => {
  const { bytes, checksum } = encodeFooter(footer)
  const body = Buffer.from(bytes.subarray(0, bytes.byteLength - CHUNK.trailerBytes))
  for (let at = 0; at < body.byteLength; at++) {
    body[at]! ^= 0x10
    assert.throws(() => decodeFooter('chunks/x', body, checksum), { code: 'OBJECT_CORRUPT' })
    body[at]! ^= 0x10
  }
  assert.throws(() => decodeTrailer('chunks/x', new Uint8Array(12)), { code: 'OBJECT_CORRUPT' })
})
