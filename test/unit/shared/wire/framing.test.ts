import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reader } from '#shared/binary/reader.ts'
import { API } from '#shared/wire/api-registry.ts'
import {
  decodeRequestBody, decodeResponseFrame, encodeRequestFrame, encodeResponseFrame, FrameSplitter
} from '#shared/wire/framing.ts'
import { decodeRequestHeader } from '#shared/wire/request-header.ts'

const heartbeat = { groupId: 'g', generationId: 3, memberId: 'm', groupInstanceId: null }

test('framing: a request survives the way to the other side', () => {
  for (const version of [0, 3, 4]) {
    const header = { version, correlationId: 77, clientId: 'me' }
    const frame = Buffer.concat(encodeRequestFrame(API.heartbeat, header, heartbeat))
    assert.equal(frame.readInt32BE(0), frame.length - 4)
    const reader = new Reader(frame, 4)
    const read = decodeRequestHeader(reader)
    assert.deepEqual(read, { apiKey: 12, apiVersion: version, correlationId: 77, clientId: 'me' })
    assert.deepEqual(decodeRequestBody(API.heartbeat, version, reader), heartbeat)
  }
})

test('framing: left-over bytes of a request are not looked at, as in Kafka; those of a response are refused', () => {
  const header = { version: 0, correlationId: 1, clientId: null }
  const frame = Buffer.concat([...encodeRequestFrame(API.heartbeat, header, heartbeat), Buffer.alloc(3)])
  const reader = new Reader(frame, 4)
  decodeRequestHeader(reader)
  assert.deepEqual(decodeRequestBody(API.heartbeat, 0, reader), heartbeat)
  const response = Buffer.concat(
    [...encodeResponseFrame(API.heartbeat, 0, 1, { throttleTimeMs: 0, errorCode: 0 }), Buffer.alloc(1)]
  )
  assert.throws(() => decodeResponseFrame(API.heartbeat, 0, response.subarray(4)), { code: 'FRAME_INVALID' })
})

test('framing: responses have tags in their header when flexible, but never those of ApiVersions', () => {
  const body = { throttleTimeMs: 0, errorCode: 27 }
  assert.equal(Buffer.concat(encodeResponseFrame(API.heartbeat, 3, 5, body)).toString('hex'),
    '0000000a' + '00000005' + '00000000' + '001b')
  assert.equal(Buffer.concat(encodeResponseFrame(API.heartbeat, 4, 5, body)).toString('hex'),
    '0000000c' + '00000005' + '00' + '00000000' + '001b' + '00')
  const versions = { errorCode: 0, apiKeys: [], throttleTimeMs: 0, supportedFeatures: [], finalizedFeaturesEpoch: -1,
    finalizedFeatures: [], zkMigrationReady: false }
  const frame = Buffer.concat(encodeResponseFrame(API.apiVersions, 3, 5, versions))
  assert.equal(frame.toString('hex'), '0000000c' + '00000005' + '0000' + '01' + '00000000' + '00')
  assert.deepEqual(decodeResponseFrame(API.apiVersions, 3, frame.subarray(4)), { correlationId: 5, body: versions })
})

test('framing: a stream is cut into frames wherever its chunks end', () => {
  const frames = ['', 'a', 'bb'.repeat(40), 'ccc'].map((text) => Buffer.from(text))
  const stream = Buffer.concat(frames.flatMap((frame) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(frame.length)
    return [length, frame]
  }))
  for (let size = 1; size <= stream.length; size++) {
    const splitter = new FrameSplitter(1000)
    const found: Uint8Array[] = []
    for (let at = 0; at < stream.length; at += size) found.push(...splitter.push(stream.subarray(at, at + size)))
    assert.deepEqual(found.map((frame) => Buffer.from(frame).toString()), frames.map((frame) => frame.toString()))
    assert.equal(splitter.heldBytes, 0)
  }
})

test('framing: a frame inside one chunk is a view of it', () => {
  const chunk = Buffer.from('000000026869', 'hex')
  assert.equal(new FrameSplitter(10).push(chunk)[0]!.buffer, chunk.buffer)
})

test('framing: a length below zero or above the bound is refused at once', () => {
  assert.throws(() => new FrameSplitter(100).push(Buffer.from('00000065', 'hex')), { code: 'FRAME_INVALID' })
  assert.throws(() => new FrameSplitter(100).push(Buffer.from('ffffffff', 'hex')), { code: 'FRAME_INVALID' })
  const splitter = new FrameSplitter(100)
  splitter.push(Buffer.from('00', 'hex'))
  assert.throws(() => splitter.push(Buffer.from('ffff65', 'hex')), { code: 'FRAME_INVALID' })
})

test('framing: a frame that comes byte by byte is joined', () => {
  const splitter = new FrameSplitter(10_000)
  const frame = Buffer.concat([Buffer.from('00001388', 'hex'), Buffer.alloc(5000, 9)])
  const found: Uint8Array[] = []
  for (const byte of frame) found.push(...splitter.push(Uint8Array.of(byte)))
  assert.equal(found.length, 1)
  assert.deepEqual(Buffer.from(found[0]!), frame.subarray(4))
})
