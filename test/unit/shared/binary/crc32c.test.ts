import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32c, crc32cFallback } from '#shared/binary/crc32c.ts'
import { Rng } from '#shared/runtime/rng.ts'

for (const [name, sum] of [['native', crc32c], ['fallback', crc32cFallback]] as const) {
  test(`crc32c: the ${name} sum yields the check value and the vectors of RFC 3720`, () => {
    assert.equal(sum(Buffer.from('123456789')), 0xe3069283)
    assert.equal(sum(Buffer.alloc(32)), 0x8a9136aa)
    assert.equal(sum(Buffer.alloc(32, 0xff)), 0x62a8ab43)
    assert.equal(sum(Buffer.alloc(0)), 0)
  })
}

test('crc32c: both agree at every length and alignment, and go on from a sum before', () => {
  const bytes = new Rng(1).bytes(300)
  for (let start = 0; start < 9; start++) {
    for (let end = start; end < 300; end += 7) {
      const part = bytes.subarray(start, end)
      assert.equal(crc32cFallback(part), crc32c(part))
      assert.equal(crc32c(bytes.subarray(end), crc32c(part)), crc32c(bytes.subarray(start)))
      assert.equal(crc32cFallback(bytes.subarray(end), crc32cFallback(part)), crc32c(bytes.subarray(start)))
    }
  }
})
