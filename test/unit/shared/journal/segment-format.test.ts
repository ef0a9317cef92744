import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  aligned, decodeFrame, decodeRecordHeader, decodeSegmentHeader, encodeRecordHeader, encodeSegmentHeader, RECORD, sealFrame,
  SEGMENT, viewOf
} from '#shared/journal/segment-format.ts'

const LIFE = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8])

test('segment-format: a segment header reads back, a damaged one does not', () => {
  const header = { version: 2, life: LIFE, number: 2 ** 40 + 3, firstFrameSeq: 2 ** 45 + 7, fileBytes: 2 ** 33 + 1 }
  const bytes = encodeSegmentHeader(header)
  assert.equal(bytes.byteLength, SEGMENT.alignBytes)
  assert.deepEqual(decodeSegmentHeader(bytes), header)
  for (let at = 0; at < SEGMENT.headerBytes; at++) {
    const damaged = bytes.slice()
    damaged[at]! ^= 0x10
    assert.equal(decodeSegmentHeader(damaged), null)
  }
  assert.equal(decodeSegmentHeader(bytes.subarray(0, 20)), null)
})

test('segment-format: the bytes of a segment header are fixed', () => {
  assert.equal(Buffer.from(encodeSegmentHeader({ version: 2, life: LIFE, number: 5, firstFrameSeq: 6, fileBytes: 7 })).subarray(0, 40).toString('hex'),
    '5a574a53' + '00000002' + '0102030405060708' + '0000000000000005' + '0000000000000006' + '0000000000000007')
})

test('segment-format: a frame over several chunks reads back at its place and life only', () => {
  const first = new Uint8Array(SEGMENT.frameHeaderBytes + 3).fill(9)
  const more = [new Uint8Array(5).fill(1), new Uint8Array(7).fill(2)]
  const header = { bodyBytes: 15, frameSeq: 2 ** 33, recordCount: 4 }
  sealFrame(first, more, LIFE, header)
  const file = Buffer.concat([new Uint8Array(SEGMENT.alignBytes), first, ...more, new Uint8Array(100)])
  assert.deepEqual(decodeFrame(file, SEGMENT.alignBytes, LIFE), header)
  assert.equal(decodeFrame(file, SEGMENT.alignBytes + 1, LIFE), null)
  assert.equal(decodeFrame(file, 0, LIFE), null)
  assert.equal(decodeFrame(file, SEGMENT.alignBytes, LIFE.map((byte) => byte + 1)), null)
  assert.equal(decodeFrame(file.subarray(0, SEGMENT.alignBytes + 40), SEGMENT.alignBytes, LIFE), null)
})

test('segment-format: a record header reads back in its frame, a damaged one does not', () => {
  const record = {
    kind: RECORD.copiedGroup, shard: 0xffff, position: { epoch: 2 ** 52 + 1, seq: 2 ** 41 }, after: { epoch: 7, seq: 2 ** 32 },
    afterCrc: 0xffff_fffe, crc: 0x8000_0001, bodyBytes: 12_345
  }
  const bytes = new Uint8Array(SEGMENT.recordHeaderBytes + 4)
  encodeRecordHeader(viewOf(bytes), 4, record, 2 ** 40 + 9)
  assert.deepEqual(decodeRecordHeader(viewOf(bytes), 4, 2 ** 40 + 9), record)
  assert.equal(decodeRecordHeader(viewOf(bytes), 4, 2 ** 40 + 8), null)
  assert.equal(decodeRecordHeader(viewOf(bytes), 5, 2 ** 40 + 9), null)
  for (let bit = 0; bit < SEGMENT.recordHeaderBytes * 8; bit++) {
    const damaged = bytes.slice()
    damaged[4 + (bit >>> 3)]! ^= 1 << (bit & 7)
    assert.equal(decodeRecordHeader(viewOf(damaged), 4, 2 ** 40 + 9), null)
  }
})

test('segment-format: frames start at multiples of a sector', () => {
  assert.deepEqual([0, 1, 511, 512, 513].map(aligned), [0, 512, 512, 512, 1_024])
})
