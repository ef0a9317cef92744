/** Goal: the cluster and its topics as clients of a zone see them (PROTOCOL 12-19). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handleMetadata } from '#gateway/api/metadata.ts'
import type { RequestContext } from '#gateway/api/handler.ts'
import { UUID_ZERO } from '#shared/binary/uuid.ts'
import { gatewayOf } from '#shared/cluster/ring.ts'
import { createTopicCall } from '#shared/rpc/admin.ts'
import type { MetadataRequest, MetadataResponse } from '#shared/wire/api/metadata.ts'
import { observedThroughListener, withClaim } from '#gateway/zone/client-zone.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import {
  CLUSTER_ID, contextOf, gatewayTwin, listenerOf, nodeOf, snapshotOf, topic, type Twin
} from '#test/support/gateway-twin.ts'

async function ask(
  twin: Twin, version: number, topics: MetadataRequest['topics'], given: Partial<MetadataRequest> =
    {}, context: RequestContext = contextOf()
): Promise<MetadataResponse> {
  const request = {
    topics, allowAutoTopicCreation: true, includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false, ...given
  }
  return (await handleMetadata(context, version, request, twin.services))!
}

const named = (...names: string[]): MetadataRequest['topics'] => names.map((name) => ({ name, topicId: UUID_ZERO }))
const errors = ({ topics }: MetadataResponse): number[] => topics.map(({ errorCode }) => errorCode)

test('metadata: brokers are the live gateways of the client\'s zone, one of them the controller (PROTOCOL 15, 18)', async () => {
  const twin = gatewayTwin()
  const answer = await ask(twin, 12, [])
  assert.deepEqual(answer.brokers.map(({ nodeId, host, port, rack }) => [nodeId, host, port, rack]),
    [[1, 'node-1.test', 9_092, 'az1'], [2, 'node-2.test', 9_092, 'az1']])
  assert.equal(answer.controllerId, 1)
  assert.equal(answer.clusterId, CLUSTER_ID)
  const other = await ask(twin, 12, [], {}, contextOf({ listener: listenerOf(1, 'az2') }))
  assert.deepEqual(other.brokers.map(({ nodeId }) => nodeId), [3])
  assert.equal(other.controllerId, 3)
})

test('metadata: a zone without a gateway is served by another, an unknown zone by ours', async () => {
  const twin = gatewayTwin()
  assert.notEqual((await ask(twin, 12, [], {}, contextOf({ zone: 'az7' }))).brokers.length, 0)
  const unknown = await ask(twin, 12, [], {}, contextOf({ zone: 'unknown' }))
  assert.deepEqual(unknown.brokers.map(({ nodeId }) => nodeId), [1, 2])
})

test('metadata: a client between two zones is named the gateway that it is to leave, for nothing, as long as it asks there', async () => {
  const twin = gatewayTwin()
  twin.catalog.add(topic('orders', { partitionCount: 4 }))
  const stopping = nodeOf(1, 'az1', { draining: true, stopping: true })
  twin.membership.set(snapshotOf([stopping, nodeOf(3, 'az2')], 2))
  const leaders = ({ topics }: MetadataResponse): number[] => topics[0]!.partitions.map(({ leaderId }) => leaderId)
  const leaving = await ask(twin, 12, named('orders'), {}, contextOf({ mustMove: true }))
  assert.deepEqual(leaving.brokers.map(({ nodeId }) => nodeId), [1, 3])
  assert.deepEqual(new Set(leaders(leaving)), new Set([3]))
  assert.equal(leaving.controllerId, 3)
  twin.membership.set(snapshotOf([nodeOf(1, 'az1'), nodeOf(3, 'az2')], 3))
  const zoneEvidence = withClaim(observedThroughListener('az1'), 'gateway', 'az2')
  const goingHome = await ask(twin, 12, named('orders'), {}, contextOf({ zone: 'az2', zoneEvidence, mustMove: true }))
  assert.deepEqual(goingHome.brokers.map(({ nodeId }) => nodeId), [1, 3])
  assert.deepEqual(new Set(leaders(goingHome)), new Set([3]))
  const tagged = await ask(twin, 12, named('orders'), {}, contextOf({ zone: 'az2', mustMove: true }))
  assert.deepEqual(tagged.brokers.map(({ nodeId }) => nodeId), [3])
})

test('metadata: addresses are those of the listener that the client came through', async () => {
  const twin = gatewayTwin()
  const listeners =
    [listenerOf(1, 'az1'), listenerOf(1, 'az1', { name: 'public', advertisedHost: 'public.test', advertisedPort: 443 })]
  twin.membership.set(snapshotOf([nodeOf(1, 'az1', { listeners }), nodeOf(2, 'az1')], 2))
  const answer = await ask(twin, 12, [], {}, contextOf({ listener: listeners[1]! }))
  assert.deepEqual(answer.brokers.map(({ host }) => host), ['public.test', 'node-2.test'])
})

test('metadata: the leader is the ring\'s pick, alone in replicas and ISR, at epoch 0 (PROTOCOL 16)', async () => {
  const twin = gatewayTwin()
  const known = topic('orders', { partitionCount: 20 })
  twin.catalog.add(known)
  const [answer] = (await ask(twin, 12, named('orders'))).topics
  assert.equal(answer!.topicId, known.topicId)
  const leaders = new Set<number>()
  for (const { partitionIndex, leaderId, leaderEpoch, replicaNodes, isrNodes, errorCode } of answer!.partitions) {
    assert.equal(leaderId, gatewayOf(twin.membership.current(), 'az1', known.topicId, partitionIndex)!.nodeId)
    assert.deepEqual({ leaderEpoch, replicaNodes, isrNodes, errorCode }, {
      leaderEpoch: 0, replicaNodes: [leaderId], isrNodes: [leaderId], errorCode: 0
    })
    leaders.add(leaderId)
  }
  assert.deepEqual([...leaders].sort(), [1, 2])
})

test('metadata: an empty list means all in version 0 and none later, null means all (PROTOCOL 12)', async () => {
  const twin = gatewayTwin()
  for (const name of ['a', 'b']) twin.catalog.add(topic(name))
  assert.equal((await ask(twin, 0, [])).topics.length, 2)
  assert.equal((await ask(twin, 1, [])).topics.length, 0)
  assert.equal((await ask(twin, 1, null)).topics.length, 2)
})

test('metadata: a topic being created has no leaders yet (PROTOCOL 15)', async () => {
  const twin = gatewayTwin()
  twin.catalog.add(topic('new', { state: 'creating', readyPartitionCount: 0 }))
  twin.catalog.add(topic('wider', { partitionCount: 3, readyPartitionCount: 2 }))
  const answer = await ask(twin, 12, named('new', 'wider'))
  assert.deepEqual(errors(answer), [KAFKA_ERROR.LEADER_NOT_AVAILABLE, KAFKA_ERROR.NONE])
  assert.deepEqual(answer.topics[0]!.partitions.map(({ leaderId }) => leaderId), [-1, -1, -1])
  assert.deepEqual(
    answer.topics[1]!.partitions.map(({ errorCode }) => errorCode), [0, 0, KAFKA_ERROR.LEADER_NOT_AVAILABLE]
  )
})

test('metadata: a name unknown here is looked for behind one barrier before it is called unknown (DESIGN 8)', async () => {
  const twin = gatewayTwin()
  twin.catalog.hidden.push(topic('made-elsewhere'))
  const answer = await ask(twin, 12, named('made-elsewhere', 'none'), { allowAutoTopicCreation: false })
  assert.deepEqual(errors(answer), [KAFKA_ERROR.NONE, KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION])
  assert.equal(twin.catalog.barriers, 1)
  twin.catalog.failing = true
  assert.deepEqual(errors(await ask(twin, 12, named('none'))), [KAFKA_ERROR.LEADER_NOT_AVAILABLE])
})

test('metadata: names out of Kafka\'s rule are refused and never created (PROTOCOL 13)', async () => {
  const twin = gatewayTwin()
  const answer = await ask(twin, 12, named('', '.', '..', 'a b', 'ä', 'x'.repeat(250)))
  assert.deepEqual(new Set(errors(answer)), new Set([KAFKA_ERROR.INVALID_TOPIC_EXCEPTION]))
  assert.equal(twin.transport.calls.length, 0)
})

test('metadata: by id since version 12; an unknown id has no name, ids and null names in 10 and 11 are invalid (PROTOCOL 14)', async () => {
  const twin = gatewayTwin()
  const known = topic('a')
  twin.catalog.add(known)
  const gone = topic('gone', { state: 'deleting' })
  twin.catalog.add(gone)
  const byId = (topicId: string): MetadataRequest['topics'] => [{ name: null, topicId }]
  assert.equal((await ask(twin, 12, byId(known.topicId))).topics[0]!.name, 'a')
  const [missing] = (await ask(twin, 12, byId(gone.topicId))).topics
  assert.deepEqual(
    [missing!.errorCode, missing!.name, missing!.topicId], [KAFKA_ERROR.UNKNOWN_TOPIC_ID, null, gone.topicId]
  )
  const [invalid] = (await ask(twin, 11, byId(known.topicId))).topics
  assert.deepEqual([invalid!.errorCode, invalid!.name], [KAFKA_ERROR.INVALID_REQUEST, ''])
})

test('metadata: an unknown name is created once for all who ask, unless the request or the settings forbid it (PROTOCOL 12)', async () => {
  const twin = gatewayTwin()
  twin.transport.on(createTopicCall, (_node, { name, partitionCount }) => {
    assert.equal(partitionCount, -1)
    twin.catalog.hidden.push(topic(name, { partitionCount: 1 }))
    return { errorCode: 0, errorMessage: null, topicId: topic(name).topicId, partitionCount: 1, replicationFactor: 1 }
  })
  const answers = await Promise.all([ask(twin, 12, named('fresh')), ask(twin, 12, named('fresh'))])
  for (const answer of answers) assert.deepEqual(errors(answer), [KAFKA_ERROR.NONE])
  assert.equal(twin.transport.calls.length, 1)
  assert.deepEqual(errors(await ask(twin, 12, named('no'), { allowAutoTopicCreation: false })), [
    KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION
  ])
  const closed = gatewayTwin({ autoCreateTopicsEnable: false })
  assert.deepEqual(errors(await ask(closed, 12, named('no'))), [KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION])
})

test('metadata: a topic named twice is answered once', async () => {
  const twin = gatewayTwin()
  twin.catalog.add(topic('a'))
  assert.deepEqual(
    (await ask(twin, 12, named('a', 'b.', 'a'), { allowAutoTopicCreation: false })).topics.map(({ name }) => name),
    ['a', 'b.']
  )
})

test('metadata: a creation that does not come through makes clients ask again', async () => {
  const twin = gatewayTwin()
  assert.deepEqual(errors(await ask(twin, 12, named('fresh'))), [KAFKA_ERROR.LEADER_NOT_AVAILABLE])
})

test('metadata: operations are told only to who asks (PROTOCOL 19)', async () => {
  const twin = gatewayTwin()
  twin.catalog.add(topic('a'))
  const silent = await ask(twin, 8, named('a'))
  assert.deepEqual(
    [silent.clusterAuthorizedOperations, silent.topics[0]!.topicAuthorizedOperations], [-(2 ** 31), -(2 ** 31)]
  )
  const told =
    await ask(twin, 8, named('a'), { includeClusterAuthorizedOperations: true, includeTopicAuthorizedOperations: true })
  assert.deepEqual([told.clusterAuthorizedOperations, told.topics[0]!.topicAuthorizedOperations], [8_096, 3_576])
})

test('metadata: a request that names too much closes the connection', async () => {
  const twin = gatewayTwin({ requestPartitionsMax: 2 })
  await assert.rejects(ask(twin, 12, named('a', 'b', 'c')), { code: 'FRAME_INVALID' })
})
