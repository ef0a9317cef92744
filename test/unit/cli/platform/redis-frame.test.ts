import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeFrame } from '#cli/platform/redis-frame.ts'

test('redis-frame: arguments of every kind are bulk strings', () => {
  const frame = encodeFrame('XADD', ['käy', 12, Buffer.from('a\r\nb'), [Buffer.from('x'), Buffer.alloc(0), Buffer.from('yz')], ''])
  assert.equal(frame.toString(), '*6\r\n$4\r\nXADD\r\n$4\r\nkäy\r\n$2\r\n12\r\n$4\r\na\r\nb\r\n$3\r\nxyz\r\n$0\r\n\r\n')
})

test('redis-frame: sizes of every number of digits fit', () => {
  for (const bytes of [0, 9, 10, 99, 100, 999, 1_000, 9_999, 10_000, 99_999, 1_000_000]) {
    const body = Buffer.alloc(bytes, 0x61)
    for (const argument of [body, [body], body.toString()]) {
      const frame = encodeFrame('SET', ['k', argument])
      assert.equal(frame.toString(), `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${bytes}\r\n${body.toString()}\r\n`)
    }
  }
  const many = Array.from({ length: 1_200 }, (_, i) => i)
  assert.ok(encodeFrame('XREAD', many).toString().startsWith('*1201\r\n$5\r\nXREAD\r\n$1\r\n0\r\n'))
  assert.ok(encodeFrame('X', [Number.MAX_SAFE_INTEGER]).toString().endsWith('$16\r\n9007199254740991\r\n'))
})
