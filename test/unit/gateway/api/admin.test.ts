/** Goal: topics, configs, producer ids and the table of versions, as clients expect them (PROTOCOL 3-6, 55-59). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiVersionsHandler } from '#gateway/api/api-versions.ts'
import { handleCreatePartitions } from '#gateway/api/create-partitions.ts'
import { handleCreateTopics } from '#gateway/api/create-topics.ts'
import { handleDeleteTopics } from '#gateway/api/delete-topics.ts'
import { handleDescribeCluster } from '#gateway/api/describe-cluster.ts'
import { handleDescribeConfigs } from '#gateway/api/describe-configs.ts'
import { handleInitProducerId } from '#gateway/api/init-producer-id.ts'
import { handleOffsetForLeaderEpoch } from '#gateway/api/offset-for-leader-epoch.ts'
import { UUID_ZERO } from '#shared/binary/uuid.ts'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { leaderOf } from '#shared/cluster/placement.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { createPartitionsCall, createTopicCall, deleteTopicCall, producerIdsCall } from '#shared/rpc/admin.ts'
import { offsetsCall } from '#shared/rpc/read.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { contextOf, gatewayTwin, topic } from '#test/support/gateway-twin.ts'

const asked = (name: string, given: object = {}): {
  name: string; numPartitions: number; replicationFactor: number; assignments: never[]; configs: never[]
} =>
  ({ name, numPartitions: 2, replicationFactor: 3, assignments: [], configs: [], ...given })

test('api-versions: features are none, and a client software out of the rule is refused (PROTOCOL 5, 6)', async () => {
  const { services } = gatewayTwin()
  const handler = apiVersionsHandler(() => [])
  const answer = async (version: number, clientSoftwareName: string): Promise<number> =>
    (await handler(contextOf(), version, { clientSoftwareName, clientSoftwareVersion: '1.0' }, services))!.errorCode
  assert.equal(await answer(3, 'apache-kafka-java'), KAFKA_ERROR.NONE)
  assert.equal(await answer(3, 'bad name'), KAFKA_ERROR.INVALID_REQUEST)
  assert.equal(await answer(3, '-x'), KAFKA_ERROR.INVALID_REQUEST)
  assert.equal(await answer(2, ''), KAFKA_ERROR.NONE)
})

test('create-topics: each goes to the catalog\'s leader; what is there is answered with its configs (PROTOCOL 55)', async () => {
  const { services, transport, membership } = gatewayTwin()
  transport.on(createTopicCall, (node, { name, partitionCount, replicationFactor }) => {
    assert.equal(node, leaderOf(membership.current(), CATALOG_SHARD))
    const errorCode = name === 'there' ? KAFKA_ERROR.TOPIC_ALREADY_EXISTS : 0
    return { errorCode, errorMessage: null, topicId: topic(name).topicId, partitionCount, replicationFactor }
  })
  const topics = [asked('new'), asked('there'), asked('twice'), asked('twice'), asked(
    'placed', { numPartitions: -1, replicationFactor: -1, assignments: [{ partitionIndex: 0, brokerIds: [1, 2] }] }
  )]
  const answer =
    (await handleCreateTopics(contextOf(), 7, { topics, timeoutMs: 1_000, validateOnly: false }, services))!
  assert.deepEqual(answer.topics.map(
    ({ name, errorCode, numPartitions, replicationFactor }) => [name, errorCode, numPartitions, replicationFactor]
  ), [
    ['new', 0, 2, 3], ['there', KAFKA_ERROR.TOPIC_ALREADY_EXISTS, -1, -1],
    ['twice', KAFKA_ERROR.INVALID_REQUEST, -1, -1], ['placed', 0, 1, 2]
  ])
  assert.ok(answer.topics[0]!.configs!.some(({ name }) => name === 'cleanup.policy'))
})

test('create-topics: placements that contradict themselves are refused, named brokers must exist (PROTOCOL 55)', async () => {
  const { services, transport } = gatewayTwin()
  transport.on(createTopicCall, (_node, { partitionCount, replicationFactor }) =>
    ({ errorCode: 0, errorMessage: null, topicId: topic('a').topicId, partitionCount, replicationFactor }))
  const place = async (...placements: [partitionIndex: number, ...brokerIds: number[]][]): Promise<number[]> => {
    const assignments = placements.map(([partitionIndex, ...brokerIds]) => ({ partitionIndex, brokerIds }))
    const topics = [asked('a', { numPartitions: -1, replicationFactor: -1, assignments })]
    const answer = (
      await handleCreateTopics(contextOf(), 7, { topics, timeoutMs: 1_000, validateOnly: false }, services)
    )!.topics[0]!
    return [answer.errorCode, answer.numPartitions, answer.replicationFactor]
  }
  assert.deepEqual(await place([1, 1, 2], [0, 3, 1]), [0, 2, 2])
  const refused = [KAFKA_ERROR.INVALID_REPLICA_ASSIGNMENT, -1, -1]
  assert.deepEqual(await place([1, 1]), refused, 'no partition 0')
  assert.deepEqual(await place([0, 1], [0, 2]), refused, 'partition 0 twice')
  assert.deepEqual(await place([0]), refused, 'no replicas')
  assert.deepEqual(await place([0, 1, 1]), refused, 'a broker twice')
  assert.deepEqual(await place([0, 77]), refused, 'no such broker')
  assert.deepEqual(await place([0, 1, 2], [1, 1]), refused, 'replicas differ in number')
})

test('catalog-calls: a leader that moved or does not answer makes clients ask again', async () => {
  for (
    const [code, expected] of [
      ['NOT_LEADER', KAFKA_ERROR.NOT_CONTROLLER], ['RPC_TIMED_OUT', KAFKA_ERROR.REQUEST_TIMED_OUT]
    ] as const
  ) {
    const { services, transport } = gatewayTwin()
    transport.on(createTopicCall, () => { throw new ZonewiseError(code, 'for the test') })
    const answer = (await handleCreateTopics(
      contextOf(), 7, { topics: [asked('a')], timeoutMs: 1_000, validateOnly: false }, services
    ))!
    assert.equal(answer.topics[0]!.errorCode, expected)
  }
})

test('delete-topics: by name and by id, never by both (PROTOCOL 57)', async () => {
  const { services, transport, catalog } = gatewayTwin()
  catalog.add(topic('a'))
  catalog.add(topic('b'))
  transport.on(deleteTopicCall, () => ({ errorCode: 0, errorMessage: null }))
  const old =
    (await handleDeleteTopics(contextOf(), 1, { topics: [], topicNames: ['a', 'none'], timeoutMs: 1_000 }, services))!
  assert.deepEqual(old.responses.map(({ name, errorCode }) => [name, errorCode]), [
    ['a', 0], ['none', KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION]
  ])
  const b = topic('b').topicId
  const topics =
    [{ name: null, topicId: b }, { name: null, topicId: topic('gone').topicId }, { name: 'b', topicId: b }, {
      name: null, topicId: UUID_ZERO
    }]
  const recent = (await handleDeleteTopics(contextOf(), 6, { topics, topicNames: [], timeoutMs: 1_000 }, services))!
  assert.deepEqual(recent.responses.map(({ errorCode }) => errorCode),
    [0, KAFKA_ERROR.UNKNOWN_TOPIC_ID, KAFKA_ERROR.INVALID_REQUEST, KAFKA_ERROR.INVALID_REQUEST])
  assert.equal(recent.responses[0]!.name, 'b')
})

test('delete-topics: what is named twice is answered once, and not deleted (PROTOCOL 57)', async () => {
  const { services, transport, catalog } = gatewayTwin()
  catalog.add(topic('a'))
  catalog.add(topic('b'))
  transport.on(deleteTopicCall, () => ({ errorCode: 0, errorMessage: null }))
  const a = topic('a').topicId
  const remove = async (...topics: { name: string | null; topicId: string }[]): Promise<number[]> =>
    (await handleDeleteTopics(contextOf(), 6, { topics, topicNames: [], timeoutMs: 1_000 }, services))!.responses
      .map(({ errorCode }) => errorCode)
  const byName = { name: 'a', topicId: UUID_ZERO }
  const byId = { name: null, topicId: a }
  assert.deepEqual(await remove(byName, byName), [KAFKA_ERROR.INVALID_REQUEST])
  assert.deepEqual(await remove(byId, byId, { name: 'b', topicId: UUID_ZERO }), [KAFKA_ERROR.INVALID_REQUEST, 0])
  assert.deepEqual(await remove(byName, byId), [KAFKA_ERROR.INVALID_REQUEST, 0], 'its name and its id: once by the id')
})

test('create-partitions: placements must fit the count, the rest is the catalog\'s to say (PROTOCOL 59)', async () => {
  const { services, transport, catalog } = gatewayTwin()
  catalog.add(topic('a', { partitionCount: 3 }))
  transport.on(createPartitionsCall, (_node, { partitionCount }) =>
    ({ errorCode: partitionCount <= 3 ? KAFKA_ERROR.INVALID_PARTITIONS : 0, errorMessage: null }))
  const grow =
    async (name: string, count: number, assignments: { brokerIds: number[] }[] | null = null): Promise<number> => {
    const request = { topics: [{ name, count, assignments }], timeoutMs: 1_000, validateOnly: false }
    return (await handleCreatePartitions(contextOf(), 3, request, services))!.results[0]!.errorCode
  }
  assert.equal(await grow('a', 5), 0)
  assert.equal(await grow('a', 3), KAFKA_ERROR.INVALID_PARTITIONS)
  assert.equal(await grow('a', 5, [{ brokerIds: [1] }]), KAFKA_ERROR.INVALID_REPLICA_ASSIGNMENT)
  assert.equal(await grow('none', 5), KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION)
  assert.equal(await grow('a', 4, [{ brokerIds: [9] }]), KAFKA_ERROR.INVALID_REPLICA_ASSIGNMENT)
  const twice = {
    topics: [{ name: 'a', count: 5, assignments: null }, { name: 'a', count: 6, assignments: null }], timeoutMs: 1_000,
    validateOnly: false
  }
  assert.deepEqual((await handleCreatePartitions(contextOf(), 3, twice, services))!.results,
    [{ name: 'a', errorCode: KAFKA_ERROR.INVALID_REQUEST, errorMessage: 'Duplicate topic name.' }])
})

test('describe-configs: all rows of a topic and of this node, or those asked for (PROTOCOL 56)', async () => {
  const { services, catalog } = gatewayTwin()
  catalog.add(topic('a', { configs: { 'retention.ms': '5' } }))
  const resource = (resourceType: number, resourceName: string, configurationKeys: string[] | null = null): {
    resourceType: number; resourceName: string; configurationKeys: string[] | null
  } =>
    ({ resourceType, resourceName, configurationKeys })
  const resources = [
    resource(2, 'a'), resource(2, 'a', ['retention.ms']), resource(2, 'none'), resource(4, '1'), resource(4, '9'),
    resource(99, 'x'),
    resource(2, 'a', []), resource(4, '')
  ]
  const request = { resources, includeSynonyms: true, includeDocumentation: true }
  const [all, one, none, own, other, odd, unnamed, ofAllBrokers] =
    (await handleDescribeConfigs(contextOf(), 4, request, services))!.results
  assert.ok(all!.configs.length > 20)
  assert.deepEqual(
    one!.configs.map(({ name, value, configSource }) => [name, value, configSource]), [['retention.ms', '5', 1]]
  )
  assert.equal(one!.configs[0]!.synonyms.length, 2)
  assert.equal(own!.configs.find(({ name }) => name === 'broker.rack')!.value, 'az1')
  assert.deepEqual(unnamed!.configs, all!.configs, 'no names are all names, as kafka-python asks')
  assert.deepEqual([ofAllBrokers!.errorCode, ofAllBrokers!.configs], [0, []])
  assert.deepEqual([none, other, odd].map((each) => each!.errorCode),
    [KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, KAFKA_ERROR.INVALID_REQUEST, KAFKA_ERROR.INVALID_REQUEST])
})

test('describe-cluster: the gateways of the zone; controllers are not here', async () => {
  const { services } = gatewayTwin()
  const ask = async (endpointType: number): Promise<[number, number[]]> => {
    const request = { includeClusterAuthorizedOperations: false, endpointType, includeFencedBrokers: false }
    const { errorCode, brokers } = (await handleDescribeCluster(contextOf(), 2, request, services))!
    return [errorCode, brokers.map(({ brokerId }) => brokerId)]
  }
  assert.deepEqual(await ask(1), [0, [1, 2]])
  assert.deepEqual(await ask(2), [KAFKA_ERROR.MISMATCHED_ENDPOINT_TYPE, []])
})

test('init-producer-id: ids differ, one block serves many, transactional ids are refused for good', async () => {
  const { services, transport } = gatewayTwin({ producerIdBlock: 10 })
  let firstId = 1_000
  transport.on(producerIdsCall, (_node, { count }) => ({ firstId: (firstId += count), count }))
  const init = async (transactionalId: string | null): Promise<readonly [number, number]> => {
    const request = { transactionalId, transactionTimeoutMs: 1_000, producerId: 5, producerEpoch: 3 }
    const { errorCode, producerId, producerEpoch } = (await handleInitProducerId(contextOf(), 4, request, services))!
    assert.equal(producerEpoch, errorCode === 0 ? 0 : -1)
    return [errorCode, producerId]
  }
  const answers = await Promise.all(Array.from({ length: 15 }, () => init(null)))
  assert.ok(answers.every(([errorCode]) => errorCode === 0))
  assert.equal(new Set(answers.map(([, producerId]) => producerId)).size, 15)
  assert.equal(transport.calls.length, 2)
  assert.deepEqual(await init('tx'), [KAFKA_ERROR.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, -1])
  assert.deepEqual(await init(''), [KAFKA_ERROR.INVALID_REQUEST, -1])
})

test('init-producer-id: an id without an epoch, or an epoch without an id, is invalid', async () => {
  const { services, transport } = gatewayTwin()
  transport.on(producerIdsCall, () => ({ firstId: 5, count: 1 }))
  const ask = async (producerId: number, producerEpoch: number): Promise<number> =>
    (await handleInitProducerId(
      contextOf(), 4, { transactionalId: null, transactionTimeoutMs: 1_000, producerId, producerEpoch }, services
    ))!.errorCode
  assert.deepEqual([await ask(500, -1), await ask(-1, 3), await ask(500, 3)], [
    KAFKA_ERROR.INVALID_REQUEST, KAFKA_ERROR.INVALID_REQUEST, 0
  ])
})

test('init-producer-id: without the catalog clients ask again', async () => {
  const { services } = gatewayTwin()
  const request = { transactionalId: null, transactionTimeoutMs: 1_000, producerId: -1, producerEpoch: -1 }
  assert.equal(
    (await handleInitProducerId(contextOf(), 4, request, services))!.errorCode, KAFKA_ERROR.COORDINATOR_LOAD_IN_PROGRESS
  )
})

test('offset-for-leader-epoch: the only epoch ends at the high watermark, no other is known (PROTOCOL 32)', async () => {
  const { services, transport, catalog } = gatewayTwin()
  catalog.add(topic('a'))
  transport.on(offsetsCall, (_node, { partitions }) =>
    (
      { partitions: partitions.map(({ partition }) => (
        { errorCode: partition === 2 ? KAFKA_ERROR.FENCED_LEADER_EPOCH : 0, offset: 100 + partition, timestamp: -1 }
      )) }
    ))
  const partition =
    (index: number, leaderEpoch: number): { partition: number; currentLeaderEpoch: number; leaderEpoch: number } =>
    ({ partition: index, currentLeaderEpoch: -1, leaderEpoch })
  const topics = [
    { topic: 'a', partitions: [partition(0, 0), partition(1, 7), partition(2, 0), partition(0, -1), partition(9, 0)] },
    { topic: 'none', partitions: [partition(0, 0)] }
  ]
  const answer = (await handleOffsetForLeaderEpoch(contextOf(), 4, { replicaId: -1, topics }, services))!
  assert.deepEqual(answer.topics.flatMap(
    ({ partitions }) => partitions.map(({ errorCode, leaderEpoch, endOffset }) => [errorCode, leaderEpoch, endOffset])
  ), [
    [0, 0, 100], [0, -1, -1], [KAFKA_ERROR.FENCED_LEADER_EPOCH, -1, -1], [0, -1, -1],
    [KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, -1, -1],
    [KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, -1, -1]
  ])
})
