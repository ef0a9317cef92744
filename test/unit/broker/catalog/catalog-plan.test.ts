import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  encodeProducerIdBlock, encodeTopicDelete, encodeTopicDone, encodeTopicGone
} from '#broker/catalog/catalog-entries.ts'
import {
  planCreatePartitions, planCreateTopic, planDeleteTopic, planProducerIds, shardsOfStep, stepOf, unfinishedTopics,
  type CatalogLimits
} from '#broker/catalog/catalog-plan.ts'
import {
  applyCatalogEntry, decodeCatalogState, encodeCatalogState, newCatalogState, nextProducerId, type CatalogState
} from '#broker/catalog/catalog-state.ts'
import { shardOfPartition } from '#shared/cluster/placement.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'

const LIMITS: CatalogLimits = {
  topicPartitionsMax: 10, partitionsMax: 15, producerIdsMax: 1_000, defaultPartitionCount: 3,
  defaultReplicationFactor: 2
}
const ID = 'Zv9-aB3dQfW_012345678A'
const OTHER_ID = 'Zv9-aB3dQfW_012345678Q'

type Asked = Partial<Parameters<typeof planCreateTopic>[1]>

function plan(state: CatalogState, asked: Asked = {}, topicId = ID): ReturnType<typeof planCreateTopic> {
  const request = {
    name: 'orders', partitionCount: 4, replicationFactor: 3, configs: [], validateOnly: false, timeoutMs: 0, ...asked
  }
  return planCreateTopic(state, request, { topicId, nowMs: 1_000 }, LIMITS)
}

function created(asked: Asked = {}, { done = true } = {}): CatalogState {
  const state = newCatalogState()
  const decision = plan(state, asked)
  assert.equal(decision.kind, 'decided')
  if (decision.kind === 'decided') applyCatalogEntry(state, decision.entry, 0)
  if (done) {
    applyCatalogEntry(state, encodeTopicDone({ topicId: ID, partitionCount: state.topics.get(ID)!.partitionCount }), 0)
  }
  return state
}

function refusalOf(decision: { readonly kind: string; readonly errorCode?: number }): number | undefined {
  return decision.errorCode
}

test('catalog-plan: a creation goes from creating to ready', () => {
  const state = created({ configs: [{ name: 'retention.ms', value: '-1' }] }, { done: false })
  assert.deepEqual(state.topics.get(ID), {
    topicId: ID, name: 'orders', partitionCount: 4, replicationFactor: 3, configs: { 'retention.ms': '-1' },
    createdMs: 1_000,
    state: 'creating', readyPartitionCount: 0, replacedMs: null
  })
  assert.deepEqual(
    stepOf(state.topics.get(ID)), { topicId: ID, drop: false, firstPartition: 0, partitionCount: 4, createdMs: 1_000 }
  )
  assert.equal(refusalOf(plan(state, {}, OTHER_ID)), KAFKA_ERROR.TOPIC_ALREADY_EXISTS)
  applyCatalogEntry(state, encodeTopicDone({ topicId: ID, partitionCount: 4 }), 0)
  assert.equal(state.topicsByName.get('orders')?.state, 'ready')
  assert.deepEqual(unfinishedTopics(state), [])
})

test('catalog-plan: -1 stands for the defaults', () => {
  const decision = plan(newCatalogState(), { partitionCount: -1, replicationFactor: -1 })
  assert(decision.kind === 'decided')
  assert.deepEqual([decision.partitionCount, decision.replicationFactor], [3, 2])
})

test('catalog-plan: what cannot be created is refused with Kafka\'s code', () => {
  const state = newCatalogState()
  const cases: [Asked, number][] = [
    ...['', '.', '..', 'a b', 'ä', 'x'.repeat(250)].map((name): [Asked, number] =>
      [{ name }, KAFKA_ERROR.INVALID_TOPIC_EXCEPTION]),
    [{ partitionCount: 0 }, KAFKA_ERROR.INVALID_PARTITIONS], [{ partitionCount: -2 }, KAFKA_ERROR.INVALID_PARTITIONS],
    [{ partitionCount: 11 }, KAFKA_ERROR.INVALID_PARTITIONS],
    [{ replicationFactor: 0 }, KAFKA_ERROR.INVALID_REPLICATION_FACTOR],
    [{ replicationFactor: 4 }, KAFKA_ERROR.INVALID_REPLICATION_FACTOR],
    [{ configs: [{ name: 'no.such', value: '1' }] }, KAFKA_ERROR.INVALID_CONFIG],
    [{ configs: [{ name: '__proto__', value: '1' }] }, KAFKA_ERROR.INVALID_CONFIG],
    [{ configs: [{ name: 'retention.ms', value: 'soon' }] }, KAFKA_ERROR.INVALID_CONFIG],
    [{ configs: [{ name: 'retention.ms', value: null }] }, KAFKA_ERROR.INVALID_CONFIG]
  ]
  for (const [asked, errorCode] of cases) assert.equal(refusalOf(plan(state, asked)), errorCode, JSON.stringify(asked))
  assert.equal(plan(state, { name: 'x'.repeat(249) }).kind, 'decided')
})

test('catalog-plan: the cluster\'s bound on partitions counts deleting topics until they are gone', () => {
  const state = created({ partitionCount: 10 })
  const more = { name: 'more', partitionCount: 6 }
  assert.equal(refusalOf(plan(state, more, OTHER_ID)), KAFKA_ERROR.POLICY_VIOLATION)
  applyCatalogEntry(state, encodeTopicDelete({ topicId: ID }), 0)
  assert.equal(refusalOf(plan(state, more, OTHER_ID)), KAFKA_ERROR.POLICY_VIOLATION)
  applyCatalogEntry(state, encodeTopicGone({ topicId: ID }), 0)
  assert.equal(plan(state, more, OTHER_ID).kind, 'decided')
})

test('catalog-plan: a deleted name is free at once, the old id goes on to be dropped', () => {
  const state = created()
  const decision = planDeleteTopic(state, ID)
  assert(decision.kind === 'decided' && decision.entry !== null)
  applyCatalogEntry(state, decision.entry, 0)
  assert.deepEqual(planDeleteTopic(state, ID), { kind: 'decided', entry: null })
  assert.equal(stepOf(state.topics.get(ID))?.drop, true)
  const again = plan(state, {}, OTHER_ID)
  assert(again.kind === 'decided')
  applyCatalogEntry(state, again.entry, 0)
  applyCatalogEntry(state, encodeTopicGone({ topicId: ID }), 0)
  assert.equal(state.topicsByName.get('orders')?.topicId, OTHER_ID)
  assert.equal(refusalOf(planDeleteTopic(state, ID)), KAFKA_ERROR.UNKNOWN_TOPIC_ID)
  applyCatalogEntry(state, encodeTopicDone({ topicId: ID, partitionCount: 4 }), 0) // of a topic that is gone: nothing
  assert.deepEqual([...state.topics.keys()], [OTHER_ID])
})

test('catalog-plan: partitions are added behind the ready ones', () => {
  const state = created()
  const ask = (partitionCount: number, topicId = ID): ReturnType<typeof planCreatePartitions> =>
    planCreatePartitions(state, { topicId, partitionCount, validateOnly: false, timeoutMs: 0 }, LIMITS)
  assert.equal(refusalOf(ask(5, OTHER_ID)), KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION)
  for (const partitionCount of [-1, 3, 4, 11]) {
    assert.equal(refusalOf(ask(partitionCount)), KAFKA_ERROR.INVALID_PARTITIONS)
  }
  const decision = ask(6)
  assert(decision.kind === 'decided' && decision.entry !== null)
  applyCatalogEntry(state, decision.entry, 0)
  assert.equal(stepOf(state.topics.get(ID))?.firstPartition, 4)
  assert.equal(state.topics.get(ID)?.readyPartitionCount, 4)
  assert.deepEqual(ask(6), { kind: 'decided', entry: null })
  assert.equal(refusalOf(ask(7)), KAFKA_ERROR.REASSIGNMENT_IN_PROGRESS)
  applyCatalogEntry(state, encodeTopicDone({ topicId: ID, partitionCount: 6 }), 0)
  assert.deepEqual([state.topics.get(ID)?.readyPartitionCount, state.partitionCount], [6, 6])
})

test('catalog-plan: a step goes to the shards of its partitions only', () => {
  const step = { topicId: ID, drop: false, firstPartition: 2, partitionCount: 5, createdMs: 0 }
  const expected = [2, 3, 4].map((partition) => shardOfPartition(ID, partition, 16))
  assert.deepEqual(shardsOfStep(step, 16), [...new Set(expected)].sort((a, b) => a - b))
})

test('catalog-state: producer id blocks are dense and keep their time to the minute', () => {
  const state = newCatalogState()
  for (const nowMs of [1, 59_999, 60_001]) {
    const { entry, block } = planProducerIds(state, { count: 5_000, nowMs }, LIMITS)
    assert.equal(block.count, LIMITS.producerIdsMax)
    applyCatalogEntry(state, entry, nowMs)
  }
  assert.equal(nextProducerId(state), 3_000)
  assert.deepEqual(
    state.producerIds, [{ firstId: 0, endId: 2_000, timeMs: 60_000 }, { firstId: 2_000, endId: 3_000, timeMs: 120_000 }]
  )
})

test('catalog-state: ranges of producer ids are bounded', () => {
  const state = newCatalogState()
  for (let i = 0; i < 5_000; i++) {
    applyCatalogEntry(state, encodeProducerIdBlock({ firstId: i, count: 1, timeMs: i * 60_000 }), 0)
  }
  assert(state.producerIds.length <= 4_096)
  assert.deepEqual(state.producerIds[0], { firstId: 0, endId: 905, timeMs: 904 * 60_000 })
})

test('catalog-state: a snapshot holds all of it', () => {
  const state = created({ configs: [{ name: 'cleanup.policy', value: 'compact' }] })
  const second = plan(state, { name: 'second' }, OTHER_ID)
  assert(second.kind === 'decided')
  applyCatalogEntry(state, second.entry, 0)
  applyCatalogEntry(state, encodeTopicDelete({ topicId: ID }), 0)
  applyCatalogEntry(state, encodeProducerIdBlock({ firstId: 0, count: 10, timeMs: 5 }), 0)
  state.cluster = { clusterId: 'c', shardCount: 16, clusterVersion: 1 }
  assert.deepEqual(decodeCatalogState(Buffer.concat(encodeCatalogState(state))), state)
  assert.deepEqual(decodeCatalogState(Buffer.concat(encodeCatalogState(newCatalogState()))), newCatalogState())
})

/** Deletes the topic and gives its name to another one, `laterMs` after. */
function recreated(laterMs: number, state = created()): CatalogState {
  applyCatalogEntry(state, encodeTopicDelete({ topicId: ID }), 5_000)
  applyCatalogEntry(state, encodeTopicGone({ topicId: ID }), 5_001)
  const request =
    { name: 'orders', partitionCount: 1, replicationFactor: 1, configs: [], validateOnly: false, timeoutMs: 0 }
  const decision = planCreateTopic(state, request, { topicId: OTHER_ID, nowMs: 5_000 + laterMs }, LIMITS)
  assert(decision.kind === 'decided')
  applyCatalogEntry(state, decision.entry, 5_000 + laterMs)
  return state
}

test('catalog-state: a topic that takes the name of one deleted not long before says so, while producers remember it', () => {
  assert.equal(recreated(60_000).topics.get(OTHER_ID)!.replacedMs, 65_000)
  assert.equal(recreated(86_400_000).topics.get(OTHER_ID)!.replacedMs, 86_405_000)
  assert.equal(recreated(86_400_001).topics.get(OTHER_ID)!.replacedMs, null)
  assert.equal(created().topics.get(ID)!.replacedMs, null)
  assert.equal(recreated(1).freedNames.size, 0, 'the name is taken again')
  const restored = decodeCatalogState(Buffer.concat(encodeCatalogState(recreated(1))))
  assert.equal(restored.topics.get(OTHER_ID)!.replacedMs, 5_001)
})

test('catalog-state: names that became free are forgotten with time, and beyond their bound', () => {
  const state = newCatalogState()
  const idOf = (n: number): string => Buffer.from(String(n).padStart(16, '.')).toString('base64url')
  for (let n = 0; n <= 10_001; n++) {
    const decision = plan(state, { name: `t${n}`, partitionCount: 1 }, idOf(n))
    assert(decision.kind === 'decided')
    applyCatalogEntry(state, decision.entry, 0)
    applyCatalogEntry(state, encodeTopicDelete({ topicId: idOf(n) }), n)
    applyCatalogEntry(state, encodeTopicGone({ topicId: idOf(n) }), n)
  }
  assert.equal(state.freedNames.size, 10_000)
  assert.equal(state.freedNames.has('t1'), false)
  const last = created()
  last.freedNames.set('old', 0)
  applyCatalogEntry(last, encodeTopicDelete({ topicId: ID }), 86_400_001)
  assert.deepEqual([...last.freedNames.keys()], ['orders'])
})

test('catalog-state: a snapshot of the first format is read', () => {
  const bytes =
    '010000000100016300000010000000010000000166ff7e681ddd41f5bfd35db7e39ebbf000066f726465727300000002000000020003' +
    '00000001000c726574656e74696f6e2e6d7300022d31408f40000000000001000000010000000000000000402400000000000040ed4c0000000000'
  const state = decodeCatalogState(Buffer.from(bytes, 'hex'))
  assert.deepEqual(state.topics.get(ID), {
    topicId: ID, name: 'orders', partitionCount: 2, replicationFactor: 3, configs: { 'retention.ms': '-1' },
    createdMs: 1_000,
    state: 'ready', readyPartitionCount: 2, replacedMs: null
  })
  assert.deepEqual([state.freedNames.size, state.producerIds.length], [0, 1])
})
