/**
 * Goal: a partition and a group stay on their shard for the life of a cluster, whatever version runs.
 * Method: fixed values. They must never be changed to make this test pass: data would be looked for in the wrong shard.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashNumbers, hashText, hashTextAndNumber } from '#shared/cluster/hash.ts'
import { shardOfGroup, shardOfPartition } from '#shared/cluster/placement.ts'

const TOPIC = 'Zv9-aB3dQfW_0123456789'

test('placement: hashes are what they were', () => {
  const texts = ['', 'a', 'orders', 'group-1', 'größe', '消費者']
  assert.deepEqual(texts.map(hashText), [0xab3e7c0b, 0x91e9da27, 0xd0c3aa88, 0x36dbf3d8, 0x19087a17, 0xf6de422b])
  assert.equal(hashTextAndNumber('AAAAAAAAAAAAAAAAAAAAAA', 0), 0x8fac5625)
  assert.equal(hashTextAndNumber('AAAAAAAAAAAAAAAAAAAAAA', 1), 0x87b3525e)
  assert.equal(hashTextAndNumber(TOPIC, 4711), 0x13cc90b2)
  assert.equal(hashNumbers('ring', 3, 255), 0x290eaa90)
})

test('placement: shards of partitions and groups are what they were', () => {
  const shards = Array.from({ length: 12 }, (_, partition) => shardOfPartition(TOPIC, partition, 16))
  assert.deepEqual(shards, [1, 8, 0, 11, 6, 1, 12, 7, 14, 11, 14, 15])
  assert.deepEqual(
    ['', 'group-1', 'console-consumer-1', 'größe'].map((group) => shardOfGroup(group, 16)), [11, 8, 14, 7]
  )
})
