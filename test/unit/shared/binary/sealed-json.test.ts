import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sealJson, unsealJson } from '#shared/binary/sealed-json.ts'

const VALUE = { format: 1, name: 'größe "x"', list: [1, 2], nothing: null }

test('sealed-json: reads back what was sealed, and stays JSON', () => {
  const bytes = sealJson(VALUE)
  assert.deepEqual(unsealJson(bytes, 1), { kind: 'good', value: VALUE })
  assert.equal(typeof (JSON.parse(Buffer.from(bytes).toString()) as { crc32c: string }).crc32c, 'string')
})

test('sealed-json: each flipped bit is damage, and so is a file cut short', () => {
  const bytes = sealJson(VALUE)
  for (let bit = 0; bit < (bytes.length - 1) * 8; bit++) {
    const damaged = bytes.slice()
    damaged[bit >>> 3]! ^= 1 << (bit & 7)
    assert.deepEqual(unsealJson(damaged, 1), { kind: 'damaged' }, `bit ${bit}`)
  }
  for (let length = 0; length < bytes.length - 1; length++)
    assert.deepEqual(unsealJson(bytes.subarray(0, length), 1), { kind: 'damaged' })
})

test('sealed-json: a newer format is no damage, sealed or not; what is not sealed is', () => {
  assert.deepEqual(unsealJson(sealJson({ format: 3, other: 1 }), 2), { kind: 'newer', format: 3 })
  assert.deepEqual(unsealJson(Buffer.from('{"format":3}'), 2), { kind: 'newer', format: 3 })
  assert.deepEqual(unsealJson(Buffer.from('{"format":2}'), 2), { kind: 'damaged' })
  assert.deepEqual(unsealJson(Buffer.from('16'), 2), { kind: 'damaged' })
})

test('sealed-json: the layout is fixed', () => {
  const text = Buffer.from(sealJson({ format: 1, clusterId: 'abc' })).toString()
  assert.equal(text, '{"format":1,"clusterId":"abc","crc32c":"9f281fa2"}\n')
})
