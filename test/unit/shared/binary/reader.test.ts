import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reader } from '#shared/binary/reader.ts'

const invalid = { code: 'FRAME_INVALID' }
const of = (hex: string): Reader => new Reader(Buffer.from(hex.replace(/ /g, ''), 'hex'))

test('reader: reads integers big-endian and in order', () => {
  const reader = of('ff fffe 00000003 80 8000 ffffffff ffffffffffffffff 001fffffffffffff 3ff8000000000000 01')
  assert.deepEqual([reader.int8(), reader.int16(), reader.int32()], [-1, -2, 3])
  assert.deepEqual([reader.uint8(), reader.uint16(), reader.uint32()], [0x80, 0x8000, 0xffffffff])
  assert.deepEqual([reader.int64(), reader.int64()], [-1, Number.MAX_SAFE_INTEGER])
  assert.deepEqual([reader.float64(), reader.bool()], [1.5, true])
  assert.equal(reader.remaining, 0)
  reader.expectEnd()
})

test('reader: an integer beyond 2^53 is refused', () => {
  assert.throws(() => of('7fffffffffffffff').int64(), invalid)
  assert.throws(() => of('8000000000000000').int64(), invalid)
  assert.equal(of('ffe0000000000001').int64(), Number.MIN_SAFE_INTEGER)
})

test('reader: varints of 32 and 64 bits, and those that are too long', () => {
  assert.equal(of('ffffffff0f').uvarint(), 0xffffffff)
  assert.throws(() => of('ffffffff1f').uvarint(), invalid)
  assert.throws(() => of('8080808080').uvarint(), invalid)
  assert.deepEqual(['01', 'fdffffff0f', 'ffffffff0f'].map((hex) => of(hex).varint()), [-1, -0x7fffffff, -0x80000000])
  const varlongs = ['00', '01', 'feffffffffffff1f'].map((hex) => of(hex).varlong())
  assert.deepEqual(varlongs, [0, -1, Number.MAX_SAFE_INTEGER])
  assert.throws(() => of('ffffffffffffffffff01').varlong(), invalid)
  assert.throws(() => of('8080808080808080808000').varlong(), invalid)
})

test('reader: a read past the end is refused, also the end given', () => {
  assert.throws(() => of('00').int16(), invalid)
  assert.throws(() => of('').int8(), invalid)
  const within = new Reader(Buffer.from('0102030405', 'hex'), 1, 3)
  assert.equal(within.int16(), 0x0203)
  assert.equal(within.position, 3)
  assert.throws(() => within.int8(), invalid)
  assert.throws(() => new Reader(Buffer.alloc(2), 0, 3), invalid)
})

test('reader: strings, and lengths that lie', () => {
  assert.equal(of('0002 6869').string(false), 'hi')
  assert.equal(of('03 6869').string(true), 'hi')
  assert.equal(of('ffff').nullableString(false), null)
  assert.equal(of('00').nullableString(true), null)
  assert.equal(of('04 e697a5').string(true), '日')
  assert.throws(() => of('ffff').string(false), invalid)
  assert.throws(() => of('00').string(true), invalid)
  assert.throws(() => of('fffe').nullableString(false), invalid)
  assert.throws(() => of('7fff 00').string(false), invalid)
})

test('reader: bytes are views, and lengths that lie', () => {
  const frame = Buffer.from('00000002aabb', 'hex')
  const view = new Reader(frame).bytes(false)
  frame[4] = 0xcc
  assert.deepEqual([...view], [0xcc, 0xbb])
  assert.equal(of('ffffffff').nullableBytes(false), null)
  assert.throws(() => of('ffffffff').bytes(false), invalid)
  assert.throws(() => of('80000000').nullableBytes(false), invalid)
  assert.throws(() => of('7fffffff00').bytes(false), invalid)
  assert.throws(() => of('ffffffff0f').nullableBytes(true), invalid)
  assert.throws(() => of('00').slice(2), invalid)
})

test('reader: a count that the bytes could not hold is refused before anything is built', () => {
  assert.equal(of('00000002 00000000').arrayCount(false, 2), 2)
  assert.throws(() => of('00000003 00000000').arrayCount(false, 2), invalid)
  assert.throws(() => of('7fffffff').arrayCount(false, 1), invalid)
  assert.throws(() => of('fffffffe').arrayCount(false, 1), invalid)
  assert.equal(of('00').arrayCount(true, 1), -1)
})

test('reader: unknown tags are stepped over, left-over bytes are not', () => {
  const reader = of('02 00 01 ff 07 02 aabb 09')
  reader.skipTags()
  assert.throws(() => { reader.expectEnd() }, invalid)
  assert.equal(reader.int8(), 9)
  assert.throws(() => { of('01 00 7f').skipTags() }, invalid)
  assert.throws(() => { of('ffffffff0f').skipTags() }, invalid)
})
