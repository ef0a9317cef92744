import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { leaderOf } from '#shared/cluster/placement.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import {
  createPartitionsCall, createTopicCall, deleteTopicCall, producerIdsCall, shardTopicCall, type CreateTopicRequest
} from '#shared/rpc/admin.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { ENTRY_KIND } from '#broker/shard/entry.ts'
import { FakeCatalogCluster } from '#test/support/fake-catalog-cluster.ts'
import { RecordingLog } from '#test/support/gateway-twin.ts'

const CREATE: CreateTopicRequest =
  { name: 'orders', partitionCount: 6, replicationFactor: 3, configs: [], validateOnly: false, timeoutMs: 5_000 }

const newCluster = (): FakeCatalogCluster => new FakeCatalogCluster(new Rng(1))

function otherNode(cluster: FakeCatalogCluster): number {
  return 1 + (leaderOf(cluster.membership.current(), CATALOG_SHARD) % 3)
}

test('catalog-driver: a topic is on all its shards when the creation is answered', async () => {
  const cluster = newCluster()
  const { topicId, ...rest } = await cluster.call(createTopicCall, CREATE)
  assert.deepEqual(rest, { errorCode: 0, errorMessage: null, partitionCount: 6, replicationFactor: 3 })
  assert.deepEqual(
    [...cluster.partitions().keys()].sort(), [0, 1, 2, 3, 4, 5].map((partition) => `${topicId}/${partition}`)
  )
  assert.equal((await cluster.call(createTopicCall, CREATE)).errorCode, KAFKA_ERROR.TOPIC_ALREADY_EXISTS)
  assert.equal(cluster.shards.state(CATALOG_SHARD).catalog.cluster?.clusterId, 'test-cluster')
})

test('catalog-driver: validateOnly decides without leaving anything', async () => {
  const cluster = newCluster()
  const before = cluster.shards.entries(CATALOG_SHARD).length
  assert.equal((await cluster.call(createTopicCall, { ...CREATE, validateOnly: true })).errorCode, KAFKA_ERROR.NONE)
  assert.equal(
    (await cluster.call(createTopicCall, { ...CREATE, validateOnly: true, partitionCount: 0 })).errorCode,
    KAFKA_ERROR.INVALID_PARTITIONS
  )
  assert.equal(cluster.partitions().size, 0)
  assert(cluster.shards.entries(CATALOG_SHARD).slice(before).every(({ kind }) => kind === ENTRY_KIND.cluster))
})

test('catalog-driver: a deleted topic leaves its shards, and its name comes back under another id', async () => {
  const cluster = newCluster()
  const first = await cluster.call(createTopicCall, CREATE)
  assert.equal(
    (await cluster.call(deleteTopicCall, { topicId: first.topicId, timeoutMs: 5_000 })).errorCode, KAFKA_ERROR.NONE
  )
  assert.equal(cluster.partitions().size, 0)
  assert.equal(
    (await cluster.call(deleteTopicCall, { topicId: first.topicId, timeoutMs: 5_000 })).errorCode,
    KAFKA_ERROR.UNKNOWN_TOPIC_ID
  )
  const second = await cluster.call(createTopicCall, CREATE)
  assert.notEqual(second.topicId, first.topicId)
  assert.equal(cluster.partitions().size, 6)
})

test('catalog-driver: partitions are added on their shards', async () => {
  const cluster = newCluster()
  const { topicId } = await cluster.call(createTopicCall, CREATE)
  const ask = { topicId, partitionCount: 9, validateOnly: false, timeoutMs: 5_000 }
  assert.equal((await cluster.call(createPartitionsCall, { ...ask, validateOnly: true })).errorCode, KAFKA_ERROR.NONE)
  assert.equal(cluster.partitions().size, 6)
  assert.equal((await cluster.call(createPartitionsCall, ask)).errorCode, KAFKA_ERROR.NONE)
  assert.equal(cluster.partitions().size, 9)
  assert.equal((await cluster.call(createPartitionsCall, ask)).errorCode, KAFKA_ERROR.INVALID_PARTITIONS)
})

test('catalog-driver: a creation that a shard holds up is answered in time and goes on', async () => {
  const cluster = newCluster()
  let blocked = true
  cluster.network.fault = (_from, _to, call) =>
    ({ delayMs: 0, dropRequest: blocked && call.id === shardTopicCall.id, dropReply: false })
  const { errorCode, topicId } = await cluster.call(createTopicCall, { ...CREATE, timeoutMs: 1_000 })
  assert.equal(errorCode, KAFKA_ERROR.REQUEST_TIMED_OUT)
  const { topics } = cluster.shards.state(CATALOG_SHARD).catalog
  assert.equal(topics.get(topicId)?.state, 'creating')
  blocked = false
  await cluster.runtime.advance(2_000)
  assert.equal(topics.get(topicId)?.state, 'ready')
  assert.equal(cluster.partitions().size, 6)
})

test('catalog-driver: what holds a creation up for long is said once, and again when it is something else', async () => {
  const log = new RecordingLog()
  const cluster = new FakeCatalogCluster(new Rng(1), { log })
  const repeats = (): number => log.of('warn').filter((message) => message === 'topic step is repeated').length
  let isHeldUp = (_node: number): boolean => true
  cluster.network.fault = (_from, to, call) =>
    ({ delayMs: 0, dropRequest: call.id === shardTopicCall.id && isHeldUp(to), dropReply: false })
  await cluster.call(createTopicCall, { ...CREATE, timeoutMs: 20_000 }, 30_000)
  assert.equal(repeats(), 1)
  isHeldUp = (node) => node === leaderOf(cluster.membership.current(), 0)
  await cluster.runtime.advance(20_000)
  assert.equal(repeats(), 2)
  isHeldUp = () => false
  await cluster.runtime.advance(2_000)
  assert.equal(cluster.partitions().size, 6)
})

test('catalog-driver: the next leader finishes what the last one began', async () => {
  const cluster = newCluster()
  cluster.network.fault = (_from, _to, call) =>
    ({ delayMs: 0, dropRequest: call.id === shardTopicCall.id, dropReply: false })
  const { topicId } = await cluster.call(createTopicCall, { ...CREATE, timeoutMs: 100 })
  cluster.crash(leaderOf(cluster.membership.current(), CATALOG_SHARD))
  cluster.network.fault = null
  await cluster.runtime.advance(1_000)
  assert.equal(cluster.shards.state(CATALOG_SHARD).catalog.topics.get(topicId)?.state, 'ready')
  assert.equal(cluster.partitions().size, 6)
})

test('catalog-driver: a node that does not lead the catalog says so', async () => {
  const cluster = newCluster()
  const node = otherNode(cluster)
  const reply = await cluster.client.call(node, createTopicCall, CREATE, { deadlineMs: 0 })
  assert.equal(reply.response.errorCode, KAFKA_ERROR.NOT_CONTROLLER)
  await assert.rejects(cluster.client.call(node, producerIdsCall, { count: 1 }, { deadlineMs: 0 }),
    (error: unknown) => error instanceof ZonewiseError && error.code === 'NOT_LEADER')
})

test('catalog-driver: producer ids are never given out twice, by whatever leader', async () => {
  const cluster = newCluster()
  assert.deepEqual(await cluster.call(producerIdsCall, { count: 1_000 }), { firstId: 0, count: 1_000 })
  cluster.crash(leaderOf(cluster.membership.current(), CATALOG_SHARD))
  assert.deepEqual(await cluster.call(producerIdsCall, { count: 10 }), { firstId: 1_000, count: 10 })
})
