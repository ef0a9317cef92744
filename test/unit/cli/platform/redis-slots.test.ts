import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSlotMap, SlotMap, slotOf } from '#cli/platform/redis-slots.ts'

test('redis-slots: a key is in the slot that the cluster specification gives it', () => {
  // CRC-16/XMODEM of "123456789" is 0x31c3; the others are what CLUSTER KEYSLOT of Redis 7.0.15 answers.
  assert.equal(slotOf('123456789'), 0x31c3 % 16_384)
  for (const [key, slot] of [['foo', 12_182], ['bar', 5_061], ['{user1000}.following', 3_443], ['{user1000}.followers', 3_443], ['zonewise:{zw-1}:', 8_590], ['', 0]] as const)
    assert.equal(slotOf(key), slot, key)
  assert.equal(slotOf('foo{}{bar}'), slotOf('foo{}{bar}'))
  assert.notEqual(slotOf('foo{}{bar}'), slotOf('bar')) // nothing between the first braces: the whole key counts
  assert.equal(slotOf('foo{{bar}}zap'), slotOf('{bar'))
  assert.equal(slotOf('a{bar}{zap}'), slotOf('bar'))
})

test('redis-slots: the map names the primary of each slot; a server that does not know its name is who was asked', () => {
  const bytes = (text: string): Uint8Array => Buffer.from(text)
  const map = new SlotMap(parseSlotMap([
    [0, 99, [bytes('a'), 7_000, bytes('id')], [bytes('replica'), 7_009, bytes('id')]],
    [100, 16_383, [bytes(''), 7_001, bytes('id')]]
  ], { host: 'asked', port: 1 }))
  assert.deepEqual([...map.endpoints.keys()], ['a:7000', 'asked:7001'])
  assert.deepEqual([map.endpointOf(0), map.endpointOf(99)], [{ host: 'a', port: 7_000 }, { host: 'a', port: 7_000 }])
  assert.deepEqual(map.endpointOf(100), { host: 'asked', port: 7_001 })
  assert.equal(new SlotMap([]).endpointOf(5), undefined)
})
