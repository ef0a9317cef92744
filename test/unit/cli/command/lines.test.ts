import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lines } from '#cli/command/lines.ts'

test('lines: bytes are cut at newlines, wherever the reads end', () => {
  const input = Buffer.from([0x61, 0x0a, 0x0a, 0xff, 0x0d, 0x0a, 0x00, 0x62])
  for (let size = 1; size <= input.length; size++) {
    const lines = new Lines()
    const found: Buffer[] = []
    for (let at = 0; at < input.length; at += size) found.push(...lines.push(input.subarray(at, at + size)))
    const last = lines.end()
    if (last !== null) found.push(last)
    assert.deepEqual(found, [[0x61], [], [0xff, 0x0d], [0x00, 0x62]].map((bytes) => Buffer.from(bytes)))
    assert.equal(lines.end(), null)
  }
})

test('lines: nothing follows a newline at the end', () => {
  const lines = new Lines()
  assert.equal(lines.push(Buffer.from('a\n')).length, 1)
  assert.equal(lines.end(), null)
})
