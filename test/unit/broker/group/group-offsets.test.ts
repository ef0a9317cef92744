import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TopicInfo } from '#shared/cluster/catalog-reader.ts'
import { GroupBench, SHARD, TOPIC } from './group-bench.ts'

const DAY = 86_400_000

test('group-offsets: nothing committed is offset -1 without an error, of unknown groups too (PROTOCOL 44)', async () => {
  const bench = new GroupBench()
  const { errorCode, topics } = await bench.fetch('unknown', [{ topicId: TOPIC, partitionIndexes: [0, 7] }])
  assert.equal(errorCode, 0)
  assert.deepEqual(topics[0]!.partitions, [0, 7].map((partitionIndex) =>
    ({ partitionIndex, committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode: 0 })))
  assert.deepEqual((await bench.fetch('unknown', 'all')).topics, [])
  assert.deepEqual(await bench.list(), []) // asking makes no group
})

test('group-offsets: a simple consumer commits without a generation; the last write wins (PROTOCOL 43, 44)', async () => {
  const bench = new GroupBench()
  assert.equal(await bench.commit(10, { metadata: 'note' }), 0)
  assert.equal(await bench.commit(5, { partition: 2 }), 0)
  assert.equal(await bench.commit(4, { partition: 2 }), 0)
  const { topics } = await bench.fetch('g', 'all')
  assert.deepEqual(topics.map(
    ({ topicId, partitions }) => [topicId, partitions.map((p) => [p.partitionIndex, p.committedOffset, p.metadata])]
  ),
    [[TOPIC, [[0, 10, 'note'], [2, 4, '']]]])
  assert.deepEqual(await bench.list(), [{ groupId: 'g', protocolType: '', groupState: 'Empty', groupType: 'classic' }])
  bench.takeOver()
  assert.equal(await bench.committed('g', TOPIC, 2), 4)
})

test('group-offsets: a group with members takes commits of its members alone (PROTOCOL 43)', async () => {
  const bench = new GroupBench()
  const { memberId } = await bench.stableGroup()
  assert.equal(await bench.commit(1, { memberId, generationId: 1 }), 0)
  assert.equal(await bench.commit(2), 25)
  assert.equal(await bench.commit(2, { memberId, generationId: -1 }), 22)
  assert.equal(await bench.commit(2, { memberId, generationId: 0 }), 22)
  assert.equal(await bench.commit(2, { memberId: 'stranger', generationId: 1 }), 25)
  assert.equal(await bench.committed(), 1)
})

test('group-offsets: a generation of a group that does not exist is refused, of an empty one too (PROTOCOL 43)', async () => {
  const bench = new GroupBench()
  assert.equal(await bench.commit(1, { memberId: 'm', generationId: 1, clientVersion: 8 }), 22)
  assert.equal(await bench.commit(1, { memberId: 'm', generationId: 1, clientVersion: 9 }), 69)
  assert.equal(await bench.commit(1), 0)
  assert.equal(await bench.commit(1, { memberId: 'm', generationId: 1 }), 25)
})

test('group-offsets: a commit counts as a heartbeat, is taken while others join, not before the assignment (PROTOCOL 41, 43)', async () => {
  const bench = new GroupBench()
  const { memberId } = await bench.stableGroup()
  await bench.runtime.advance(9_000)
  assert.equal(await bench.commit(1, { memberId, generationId: 1 }), 0)
  await bench.runtime.advance(9_000)
  const second = await bench.newMember()
  assert.equal(await bench.commit(2, { memberId, generationId: 1 }), 0)
  await bench.now(bench.join({ memberId }))
  await bench.now(second.joined)
  assert.equal(await bench.commit(3, { memberId, generationId: 2 }), 27)
  assert.equal(await bench.committed(), 2)
})

test('group-offsets: metadata and count of offsets are bounded, partition by partition (PROTOCOL 43)', async () => {
  const bench = new GroupBench({ settings: { groupOffsetCountMax: 1 } })
  assert.equal(await bench.commit(1, { metadata: 'x'.repeat(4_097) }), 12)
  assert.equal(await bench.commit(1, { metadata: 'x'.repeat(4_096) }), 0)
  assert.equal(await bench.commit(1, { partition: 1 }), 28)
  assert.equal(await bench.commit(2), 0) // not a new one
})

test('group-offsets: a topic that does not exist is refused, after a barrier (PROTOCOL 43)', async () => {
  const topic: TopicInfo = {
    topicId: TOPIC, name: 't', partitionCount: 1, replicationFactor: 1, configs: {}, state: 'ready',
    readyPartitionCount: 1, replacedMs: null
  }
  let barriers = 0
  const topics = { topicById: () => (barriers < 2 ? null : topic), barrier: async () => { barriers += 1 } }
  const bench = new GroupBench({ topics })
  assert.equal(await bench.commit(1), 100)
  assert.equal(await bench.commit(1), 0) // this barrier shows it
  assert.equal(await bench.commit(1, { partition: 1 }), 3)
  const older = new GroupBench({ topics: { topicById: () => null, barrier: async () => {} } })
  assert.equal(await older.commit(1, { clientVersion: 9 }), 3)
})

test('group-offsets: offsets of a group without members expire, and with them the group (PROTOCOL 45)', async () => {
  const bench = new GroupBench()
  await bench.commit(1)
  await bench.runtime.advance(6 * DAY)
  await bench.commit(2, { partition: 1 })
  await bench.runtime.advance(DAY + 600_000)
  assert.deepEqual([await bench.committed(), await bench.committed('g', TOPIC, 1)], [-1, 2])
  await bench.runtime.advance(6 * DAY)
  assert.deepEqual(await bench.list(), [])
})

test('group-offsets: while a group has members its offsets do not expire, those of a deleted topic do (PROTOCOL 45)', async () => {
  let gone = false
  const topic: TopicInfo = {
    topicId: TOPIC, name: 't', partitionCount: 9, replicationFactor: 1, configs: {}, state: 'ready',
    readyPartitionCount: 9, replacedMs: null
  }
  const bench = new GroupBench({ settings: { offsetsRetentionMs: 20_000, offsetsRetentionCheckMs: 1_000 },
    topics: { topicById: () => (gone ? null : topic), barrier: async () => {} } })
  const { memberId } = await bench.stableGroup()
  assert.equal(await bench.commit(1, { memberId, generationId: 1 }), 0)
  for (let i = 0; i < 6; i++) {
    await bench.runtime.advance(9_000)
    assert.equal(await bench.heartbeat(memberId, 1), 0)
  }
  assert.equal(await bench.committed(), 1)
  gone = true
  await bench.runtime.advance(1_000)
  assert.equal(await bench.committed(), -1)
  assert.equal(bench.shards.state(SHARD).groups.groups.get('g')?.members.length, 1)
})
