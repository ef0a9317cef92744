import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  array, bytes, decodeMessage, defaultsOf, encodeMessage, field, int32, int64, message, records, string, struct, uuid,
  type Infer, type Message
} from '#shared/binary/message.ts'
import { Reader } from '#shared/binary/reader.ts'
import { UUID_ZERO } from '#shared/binary/uuid.ts'
import { Writer } from '#shared/binary/writer.ts'

const invalid = { code: 'FRAME_INVALID' }

const sample = message('Sample', { versions: [0, 3], flexibleSince: 2 }, {
  name: field(string, { nullableSince: 1 }),
  gone: field(int32, { until: 1, default: -7 }),
  topicId: field(uuid, { since: 1 }),
  rows: field(array(struct({ key: field(string), note: field(string, { since: 1, default: 'none' }) }))),
  payload: field(records),
  leader: field(struct({
    id: field(int32, { default: -1 }), epoch: field(int64, { default: -1 })
  }), { since: 2, tag: 0 }),
  extra: field(array(int32), { since: 3, tag: 4 })
})
type Sample = Infer<typeof sample>

const value: Sample = {
  name: 'a', gone: -7, topicId: UUID_ZERO, rows: [{ key: 'k', note: 'none' }], payload: null,
  leader: { id: -1, epoch: -1 }, extra: []
}

function encode<T>(of: Message<T>, version: number, body: T): Buffer {
  const writer = new Writer()
  encodeMessage(of, version, body, writer)
  return Buffer.concat(writer.finish())
}

test('message: a field outside its versions is not written and decodes to its default', () => {
  const written = encode(sample, 0, { ...value, gone: 5, topicId: '__79_Pv6-fj39vX08_Lx8A', extra: [1] })
  assert.equal(written.toString('hex'), '000161' + '00000005' + '00000001' + '00016b' + 'ffffffff')
  assert.deepEqual(decodeMessage(sample, 0, new Reader(written)), { ...value, gone: 5 })
})

test('message: tagged fields are written only when they differ from their default', () => {
  assert.equal(encode(sample, 3, value).at(-1), 0)
  const changed: Sample = { ...value, leader: { id: 4, epoch: -1 }, extra: [1, 2] }
  const written = encode(sample, 3, changed)
  assert.deepEqual(decodeMessage(sample, 3, new Reader(written)), changed)
})

test('message: tags of later versions are stepped over, a tag that lies about its size is refused', () => {
  const later = encode(sample, 3, { ...value, extra: [9] })
  assert.deepEqual(decodeMessage(sample, 2, new Reader(later)).leader, { id: -1, epoch: -1 })
  const lying = Buffer.concat([encode(sample, 3, value).subarray(0, -1), Buffer.from('0104020000', 'hex')])
  assert.throws(() => decodeMessage(sample, 3, new Reader(lying)), invalid)
})

test('message: null is refused where the version has none, both ways', () => {
  assert.throws(() => encode(sample, 0, { ...value, name: null }), invalid)
  assert.throws(() => decodeMessage(sample, 0, new Reader(Buffer.from('ffff', 'hex'))), invalid)
  assert.equal(decodeMessage(sample, 1, new Reader(encode(sample, 1, { ...value, name: null }))).name, null)
  const nullRows = Buffer.from('000161' + '00000000' + 'ffffffff', 'hex')
  assert.throws(() => decodeMessage(sample, 0, new Reader(nullRows)), invalid)
})

test('message: a version that the message does not have is refused', () => {
  for (const version of [-1, 4, 1.5]) {
    assert.throws(() => decodeMessage(sample, version, new Reader(Buffer.alloc(100))), invalid)
    assert.throws(() => encode(sample, version, value), invalid)
  }
})

test('message: records are written by reference, also out of several chunks', () => {
  const [first, second] = [Buffer.alloc(2000, 1), Buffer.alloc(3000, 2)]
  const writer = new Writer()
  encodeMessage(sample, 0, { ...value, payload: [first, second] }, writer)
  const chunks = writer.finish()
  assert.ok(chunks.includes(first) && chunks.includes(second))
  const decoded = decodeMessage(sample, 0, new Reader(Buffer.concat(chunks)))
  assert.deepEqual(decoded.payload, Buffer.concat([first, second]))
})

test('message: bytes decode to views of the frame, and messages may follow each other', () => {
  const blob = message('Blob', { versions: [0, 0], flexibleSince: null }, { data: field(bytes) })
  const frame = Buffer.concat(['ab', 'c'].map((text) => encode(blob, 0, { data: Buffer.from(text) })))
  const reader = new Reader(frame)
  const { data } = decodeMessage(blob, 0, reader)
  assert.equal(data.buffer, frame.buffer)
  assert.equal(Buffer.from(decodeMessage(blob, 0, reader).data).toString(), 'c')
  reader.expectEnd()
})

test('message: a count larger than the bytes could hold is refused', () => {
  const counted = Buffer.from('000161' + '00000005' + '7fffffff', 'hex')
  assert.throws(() => decodeMessage(sample, 0, new Reader(counted)), invalid)
})

test('message: defaults are those of an empty message', () => {
  assert.deepEqual(defaultsOf(sample), {
    name: null, gone: -7, topicId: UUID_ZERO, rows: [], payload: null, leader: { id: -1, epoch: -1 }, extra: []
  })
})
