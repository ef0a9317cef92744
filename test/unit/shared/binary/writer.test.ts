import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'

const bytesOf = (write: (writer: Writer) => void, capacity?: number): Buffer => {
  const writer = new Writer(capacity)
  write(writer)
  const length = writer.byteLength
  const joined = Buffer.concat(writer.finish())
  assert.equal(joined.length, length)
  return joined
}

test('writer: every primitive is written as the reader reads it, while the buffer grows', () => {
  const numbers = [0, 1, -1, 127, 128, 2 ** 31 - 1, -(2 ** 31), 2 ** 32, -(2 ** 32), -(2 ** 32) - 1,
    Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]
  for (const capacity of [1, 3, 512]) {
    const reader = new Reader(bytesOf((writer) => {
      for (const n of numbers) {
        writer.int64(n)
        writer.varlong(n)
        writer.varint(n | 0)
        writer.uvarint(n >>> 0)
        writer.float64(n)
      }
      writer.int8(-3)
      writer.uint8(250)
      writer.int16(-300)
      writer.uint16(60_000)
      writer.int32(-70_000)
      writer.uint32(4_000_000_000)
      writer.bool(true)
      writer.uuid('__79_Pv6-fj39vX08_Lx8A')
      writer.nullableString('größe', true)
      writer.nullableString(null, false)
    }, capacity))
    for (const n of numbers) {
      assert.equal(reader.int64(), n)
      assert.equal(reader.varlong(), n)
      assert.equal(reader.varint(), n | 0)
      assert.equal(reader.uvarint(), n >>> 0)
      assert.equal(reader.float64(), n)
    }
    assert.deepEqual([reader.int8(), reader.uint8(), reader.int16(), reader.uint16()], [-3, 250, -300, 60_000])
    assert.deepEqual([reader.int32(), reader.uint32(), reader.bool()], [-70_000, 4_000_000_000, true])
    assert.equal(reader.uuid(), '__79_Pv6-fj39vX08_Lx8A')
    assert.equal(reader.nullableString(true), 'größe')
    assert.equal(reader.nullableString(false), null)
    reader.expectEnd()
  }
})

test('writer: long payload is taken by reference, small parts share chunks', () => {
  const payload = Buffer.alloc(100_000, 7)
  const writer = new Writer()
  writer.int32(1)
  writer.bytesByReference([Buffer.from('small'), payload])
  writer.int32(2)
  writer.bytes(Buffer.from('tail'), false)
  const chunks = writer.finish()
  assert.equal(chunks.length, 3)
  assert.equal(chunks[1], payload)
  assert.equal(chunks[2]!.length, 4 + 4 + 4)
})

test('writer: chunks finished before the buffer grew keep their bytes', () => {
  const chunks = bytesOf((writer) => {
    writer.string('head', false)
    writer.raw(Buffer.alloc(600, 1))
    for (let i = 0; i < 1000; i++) writer.int32(i)
  }, 16)
  const reader = new Reader(chunks)
  assert.equal(reader.string(false), 'head')
  reader.slice(600)
  for (let i = 0; i < 1000; i++) assert.equal(reader.int32(), i)
  reader.expectEnd()
})

test('writer: a string above 32,767 bytes has no form in old versions', () => {
  assert.throws(() => bytesOf((writer) => { writer.string('x'.repeat(32_768), false) }), { code: 'FRAME_INVALID' })
  assert.equal(bytesOf((writer) => { writer.string('x'.repeat(32_768), true) }).length, 32_771)
})

test('writer: goes on behind what was taken, in the rest of its buffer, and grows no further than it must', () => {
  const writer = new Writer(100)
  const taken: Buffer[] = []
  const payload = Buffer.alloc(600, 9)
  for (let round = 0; round < 50; round++) {
    writer.int32(round)
    if (round % 5 === 0) writer.raw(payload)
    writer.int32(1_000 + round)
    const { byteLength } = writer
    const chunks = writer.take()
    assert.equal(writer.byteLength, 0)
    taken.push(Buffer.concat(chunks))
    assert.equal(taken.at(-1)!.length, byteLength)
    if (round % 5 === 0) assert.equal(chunks[1], payload)
  }
  taken.forEach((bytes, round) => { // what was handed over has not been written over
    assert.deepEqual([bytes.readInt32BE(0), bytes.readInt32BE(bytes.length - 4)], [round, 1_000 + round])
  })
  assert.deepEqual(writer.take(), [])
})

test('writer: takes back what was written since a position, wherever the chunks are cut', () => {
  for (const capacity of [1, 16, 512]) {
    for (let position = 0; position <= 5; position++) {
      const writer = new Writer(capacity)
      const long = Buffer.alloc(600, 7)
      const pieces = [Buffer.from('ab'), long, Buffer.from('cdef'), Buffer.from('g'), long]
      const whole = Buffer.concat(pieces)
      const ends = pieces.map((_, i) => Buffer.concat(pieces.slice(0, i)).length).concat(whole.length)
      for (const piece of pieces) writer.raw(piece)
      const at = ends[position]!
      assert.deepEqual(Buffer.concat(writer.cutFrom(at)), whole.subarray(at))
      assert.equal(writer.byteLength, at)
      writer.raw(Buffer.from('xyz'))
      assert.deepEqual(Buffer.concat(writer.take()), Buffer.concat([whole.subarray(0, at), Buffer.from('xyz')]))
    }
  }
})

test('writer: writes over four bytes of before, in the open part and behind payload', () => {
  for (const capacity of [4, 16, 512]) {
    const writer = new Writer(capacity)
    const places: number[] = []
    for (let i = 0; i < 6; i++) {
      places.push(writer.byteLength)
      writer.uint32(0)
      writer.raw(Buffer.alloc(i % 2 === 0 ? 600 : 3, 5))
    }
    places.forEach((place, i) => { writer.patchUint32(place, 0xfffffff0 + i) })
    const bytes = Buffer.concat(writer.take())
    places.forEach((place, i) => { assert.equal(bytes.readUInt32BE(place), 0xfffffff0 + i) })
    assert.equal(bytes.filter((byte) => byte === 5).length, 3 * 603)
  }
})

test('writer: a number that is no safe integer is refused by the varint of 64 bits, which would not end', () => {
  for (const value of [Infinity, -Infinity, NaN, 2 ** 53, -(2 ** 53), 0.5])
    assert.throws(() => { new Writer().varlong(value) }, { code: 'FRAME_INVALID' }, String(value))
})
