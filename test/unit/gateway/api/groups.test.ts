/**
 * Goal: group calls reach the leader of the group's shard in our newest version, one group each, topics by id, and what
 * comes back fits the client's version (PROTOCOL 20, 38-46).
 * Method: the coordinator is a function that decodes the forwarded body and answers in the same version.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handleDeleteGroups } from '#gateway/api/delete-groups.ts'
import { handleDescribeGroups } from '#gateway/api/describe-groups.ts'
import { handleFindCoordinator } from '#gateway/api/find-coordinator.ts'
import type { Handler } from '#gateway/api/handler.ts'
import { handleHeartbeat } from '#gateway/api/heartbeat.ts'
import { handleJoinGroup } from '#gateway/api/join-group.ts'
import { handleLeaveGroup } from '#gateway/api/leave-group.ts'
import { handleListGroups } from '#gateway/api/list-groups.ts'
import { handleOffsetCommit } from '#gateway/api/offset-commit.ts'
import { handleOffsetFetch } from '#gateway/api/offset-fetch.ts'
import { handleSyncGroup } from '#gateway/api/sync-group.ts'
import { decodeMessage, defaultsOf, encodeMessage } from '#shared/binary/message.ts'
import { Reader } from '#shared/binary/reader.ts'
import { UUID_ZERO } from '#shared/binary/uuid.ts'
import { Writer } from '#shared/binary/writer.ts'
import { leaderOf, shardOfGroup } from '#shared/cluster/placement.ts'
import { gatewayForGroup } from '#shared/cluster/ring.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { groupCall, type GroupRequest } from '#shared/rpc/group.ts'
import { API, type Api } from '#shared/wire/api-registry.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { contextOf, gatewayTwin, topic, type Twin } from '#test/support/gateway-twin.ts'

/** Answers the calls of one API; what it was sent is in the list that it returns. */
function coordinate<Request, Response>(
  twin: Twin, api: Api<Request, Response>, answer: (request: Request, call: GroupRequest) => Response
): { readonly request: Request; readonly call: GroupRequest; readonly node: number; readonly deadlineMs: number }[] {
  const received: { request: Request; call: GroupRequest; node: number; deadlineMs: number }[] = []
  twin.transport.on(groupCall, (node, call, { deadlineMs }) => {
    assert.equal(call.apiKey, api.apiKey)
    const request = decodeMessage(api.request, api.versionMax, new Reader(call.body))
    received.push({ request, call, node, deadlineMs })
    const writer = new Writer()
    encodeMessage(api.response, api.versionMax, answer(request, call), writer)
    return { errorCode: 0, body: Buffer.concat(writer.finish()) }
  })
  return received
}

/** Decodes and encodes as the listener does, so that what an old version lacks is lacking here too. */
async function ask<Request, Response>(
  twin: Twin, api: Api<Request, Response>, handler: Handler<Request, Response>, version: number, given: Partial<Request>
): Promise<Response> {
  const asked = new Writer()
  encodeMessage(api.request, version, { ...defaultsOf(api.request), ...given }, asked)
  const request = decodeMessage(api.request, version, new Reader(Buffer.concat(asked.finish())))
  const response = (await handler(contextOf(), version, request, twin.services))!
  const answered = new Writer()
  encodeMessage(api.response, version, response, answered)
  return decodeMessage(api.response, version, new Reader(Buffer.concat(answered.finish())))
}

test('group-forward: a join goes to the leader of the shard with the ids drawn here and time to wait (PROTOCOL 38, 46)', async () => {
  const twin = gatewayTwin()
  const received = coordinate(twin, API.joinGroup, (request, { memberId }) =>
    ({
      ...defaultsOf(API.joinGroup.response), errorCode: 0, generationId: 1, protocolType: request.protocolType,
      protocolName: 'range', leader: memberId, memberId
    }))
  const given = {
    groupId: 'g', sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 60_000, memberId: '', protocolType: 'consumer',
    protocols: []
  }
  const answer = await ask(twin, API.joinGroup, handleJoinGroup, 5, given)
  const [{ call, node, deadlineMs, request }] = received as [typeof received[number]]
  const snapshot = twin.membership.current()
  assert.equal(call.shard, shardOfGroup('g', snapshot.shardCount))
  assert.equal(node, leaderOf(snapshot, call.shard))
  assert.ok(deadlineMs >= 60_000)
  assert.equal(call.clientVersion, 5)
  assert.equal(call.clientHost, '/10.0.0.7')
  assert.match(call.memberId, /^test-[0-9a-f-]{36}$/)
  assert.equal(request.rebalanceTimeoutMs, 60_000)
  assert.deepEqual([answer.memberId, answer.protocolName], [call.memberId, 'range'])
})

test('join-group: version 0 rebalances within the session timeout, and an old client gets no null protocol (PROTOCOL 39)', async () => {
  const twin = gatewayTwin()
  const received = coordinate(twin, API.joinGroup, () =>
    ({ ...defaultsOf(API.joinGroup.response), errorCode: KAFKA_ERROR.UNKNOWN_MEMBER_ID, protocolName: null }))
  const answer = await ask(
    twin, API.joinGroup, handleJoinGroup, 0, { groupId: 'g', sessionTimeoutMs: 7_000, protocolType: 'consumer' }
  )
  assert.equal(received[0]!.request.rebalanceTimeoutMs, 7_000)
  assert.deepEqual([answer.errorCode, answer.protocolName], [KAFKA_ERROR.UNKNOWN_MEMBER_ID, ''])
  coordinate(twin, API.joinGroup, () => (
    { ...defaultsOf(API.joinGroup.response), errorCode: KAFKA_ERROR.UNKNOWN_MEMBER_ID, protocolName: '' }
  ))
  assert.equal(
    (await ask(twin, API.joinGroup, handleJoinGroup, 7, { groupId: 'g' })).protocolName, null, 'version 7 and above do'
  )
})

test('sync-group: since version 5 it names the protocol (PROTOCOL 40)', async () => {
  const twin = gatewayTwin()
  coordinate(twin, API.syncGroup, () => ({ ...defaultsOf(API.syncGroup.response), errorCode: 0 }))
  const sync = async (version: number, protocolType: string | null, protocolName: string | null): Promise<number> =>
    (await ask(twin, API.syncGroup, handleSyncGroup, version, { groupId: 'g', protocolType, protocolName })).errorCode
  assert.equal(await sync(4, null, null), 0)
  assert.equal(await sync(5, 'consumer', 'range'), 0)
  assert.equal(await sync(5, null, 'range'), KAFKA_ERROR.INCONSISTENT_GROUP_PROTOCOL)
  assert.equal(await sync(5, 'consumer', null), KAFKA_ERROR.INCONSISTENT_GROUP_PROTOCOL)
})

test('group-forward: what the way does is told in codes that clients retry', async () => {
  const cases: [ConstructorParameters<typeof ZonewiseError>[0], number][] = [
    ['RPC_UNAVAILABLE', KAFKA_ERROR.NOT_COORDINATOR], ['RPC_TIMED_OUT', KAFKA_ERROR.NOT_COORDINATOR],
    ['NOT_LEADER', KAFKA_ERROR.NOT_COORDINATOR], ['OVERLOADED', KAFKA_ERROR.COORDINATOR_LOAD_IN_PROGRESS]
  ]
  for (const [code, expected] of cases) {
    const twin = gatewayTwin()
    twin.transport.on(groupCall, () => { throw new ZonewiseError(code, 'for the test') })
    assert.equal((await ask(twin, API.heartbeat, handleHeartbeat, 4, { groupId: 'g' })).errorCode, expected)
  }
  const twin = gatewayTwin()
  twin.transport.on(groupCall, () => ({ errorCode: KAFKA_ERROR.COORDINATOR_LOAD_IN_PROGRESS, body: Buffer.alloc(0) }))
  assert.equal(
    (await ask(twin, API.heartbeat, handleHeartbeat, 0, { groupId: 'g' })).errorCode,
    KAFKA_ERROR.COORDINATOR_LOAD_IN_PROGRESS
  )
  assert.equal(
    (await ask(twin, API.heartbeat, handleHeartbeat, 0, { groupId: '' })).errorCode, KAFKA_ERROR.INVALID_GROUP_ID
  )
})

test('leave-group: an old client\'s member becomes a list of one, its error the answer\'s (PROTOCOL 45)', async () => {
  const twin = gatewayTwin()
  const received = coordinate(twin, API.leaveGroup, ({ members }) => ({
    throttleTimeMs: 0, errorCode: 0,
    members: members.map((member) => ({ ...member, errorCode: KAFKA_ERROR.UNKNOWN_MEMBER_ID }))
  }))
  assert.equal(
    (await ask(twin, API.leaveGroup, handleLeaveGroup, 1, { groupId: 'g', memberId: 'm1' })).errorCode,
    KAFKA_ERROR.UNKNOWN_MEMBER_ID
  )
  assert.deepEqual(received[0]!.request.members.map(({ memberId }) => memberId), ['m1'])
  const members = [{ memberId: '', groupInstanceId: 'i1', reason: null }]
  const answer = await ask(twin, API.leaveGroup, handleLeaveGroup, 3, { groupId: 'g', members })
  assert.deepEqual([answer.errorCode, answer.members[0]!.errorCode], [0, KAFKA_ERROR.UNKNOWN_MEMBER_ID])
})

test('offset-commit: names travel as ids; unknown topics and partitions are answered here (PROTOCOL 43)', async () => {
  const twin = gatewayTwin()
  const known = topic('a', { partitionCount: 2 })
  twin.catalog.hidden.push(known)
  const received = coordinate(twin, API.offsetCommit, ({ topics }) => ({
    throttleTimeMs: 0,
    topics: topics.map((each) => (
      { ...each, partitions: each.partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: 0 })) }
    ))
  }))
  const partition = (partitionIndex: number): {
    partitionIndex: number; committedOffset: number; committedLeaderEpoch: number; committedMetadata: string
  } =>
    ({ partitionIndex, committedOffset: 5, committedLeaderEpoch: -1, committedMetadata: 'm' })
  const topics = [
    { name: 'a', topicId: UUID_ZERO, partitions: [partition(0), partition(9)] },
    { name: 'none', topicId: UUID_ZERO, partitions: [partition(0)] }
  ]
  const answer = await ask(twin, API.offsetCommit, handleOffsetCommit, 8, { groupId: 'g', topics })
  assert.deepEqual(answer.topics.map(({ name, partitions }) => [name, partitions.map(({ errorCode }) => errorCode)]), [
    ['a', [0, KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION]], ['none', [KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION]]
  ])
  assert.deepEqual(received[0]!.request.topics, [{ name: '', topicId: known.topicId, partitions: [partition(0)] }])
  const byId = await ask(twin, API.offsetCommit, handleOffsetCommit, 10, {
    groupId: 'g', topics: [{ name: '', topicId: topic('gone').topicId, partitions: [partition(0)] }]
  })
  assert.equal(byId.topics[0]!.partitions[0]!.errorCode, KAFKA_ERROR.UNKNOWN_TOPIC_ID)
  const part = await ask(twin, API.offsetCommit, handleOffsetCommit, 10, {
    groupId: 'g', topics: [{ name: '', topicId: known.topicId, partitions: [partition(9)] }]
  })
  assert.equal(part.topics[0]!.partitions[0]!.errorCode, KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION)
})

function fetchable(twin: Twin, topicId: string): { request: { groups: readonly { groupId: string }[] } }[] {
  return coordinate(twin, API.offsetFetch, ({ groups }) => ({
    throttleTimeMs: 0, topics: [], errorCode: 0,
    groups: groups.map(({ groupId, topics }) => ({
      groupId, errorCode: 0,
      topics: (
        topics ?? [{ topicId, partitionIndexes: [1] }, { topicId: topic('gone').topicId, partitionIndexes: [0] }]
      ).map((each) => ({
        name: '', topicId: each.topicId,
        partitions: each.partitionIndexes.map((partitionIndex) => (
          { partitionIndex, committedOffset: 42, committedLeaderEpoch: 0, metadata: 'm', errorCode: 0 }
        ))
      }))
    }))
  }))
}

test('offset-fetch: one group in old versions, none of an unknown topic is no error (PROTOCOL 44)', async () => {
  const twin = gatewayTwin()
  const known = topic('a')
  twin.catalog.add(known)
  const received = fetchable(twin, known.topicId)
  const topics = [{ name: 'a', partitionIndexes: [0, 1] }, { name: 'none', partitionIndexes: [0] }]
  const answer = await ask(twin, API.offsetFetch, handleOffsetFetch, 5, { groupId: 'g', topics })
  assert.deepEqual(answer.topics.map(({ name, partitions }) => [
    name, partitions.map(({ committedOffset, errorCode, metadata }) => [committedOffset, errorCode, metadata])
  ]), [
    ['a', [[42, 0, 'm'], [42, 0, 'm']]], ['none', [[-1, 0, '']]]
  ])
  assert.equal(received.length, 1)
})

test('offset-fetch: null means all topics, by their names, without those that are gone (PROTOCOL 44)', async () => {
  const twin = gatewayTwin()
  const known = topic('a')
  twin.catalog.add(known)
  fetchable(twin, known.topicId)
  const answer = await ask(twin, API.offsetFetch, handleOffsetFetch, 7, { groupId: 'g', topics: null })
  assert.deepEqual(answer.topics.map(({ name, partitions }) => [name, partitions.length]), [['a', 1]])
})

test('offset-fetch: several groups are asked one by one, each with its own outcome (PROTOCOL 20, 44)', async () => {
  const twin = gatewayTwin()
  const known = topic('a')
  twin.catalog.add(known)
  const received = fetchable(twin, known.topicId)
  const group = (groupId: string): { groupId: string; memberId: null; memberEpoch: number; topics: {
    name: string; topicId: string; partitionIndexes: number[]
  }[] } =>
    ({ groupId, memberId: null, memberEpoch: -1, topics: [{ name: 'a', topicId: UUID_ZERO, partitionIndexes: [0] }] })
  const answer = await ask(twin, API.offsetFetch, handleOffsetFetch, 9, { groups: [group('g1'), group('g2')] })
  assert.deepEqual(answer.groups.map(({ groupId, errorCode, topics }) => [groupId, errorCode, topics[0]!.name]), [
    ['g1', 0, 'a'], ['g2', 0, 'a']
  ])
  assert.deepEqual(received.map(({ request }) => request.groups.map(({ groupId }) => groupId)), [['g1'], ['g2']])
})

test('offset-fetch: version 1 carries a failure in its partitions', async () => {
  const twin = gatewayTwin()
  twin.catalog.add(topic('a'))
  const answer = await ask(
    twin, API.offsetFetch, handleOffsetFetch, 1, { groupId: 'g', topics: [{ name: 'a', partitionIndexes: [0] }] }
  )
  assert.equal(answer.topics[0]!.partitions[0]!.errorCode, KAFKA_ERROR.NOT_COORDINATOR)
})

test('describe-groups: a group that is not there is dead for old clients and an error since version 6 (PROTOCOL 45)', async () => {
  const twin = gatewayTwin()
  coordinate(twin, API.describeGroups, ({ groups }) => ({
    throttleTimeMs: 0,
    groups: groups.map((groupId) => ({
      errorCode: KAFKA_ERROR.GROUP_ID_NOT_FOUND, errorMessage: 'no such group', groupId, groupState: 'Dead',
      protocolType: '', protocolData: '',
      members: [], authorizedOperations: 0
    }))
  }))
  const old = await ask(twin, API.describeGroups, handleDescribeGroups, 5, { groups: ['g1', 'g2'] })
  assert.deepEqual(old.groups.map(({ groupId, errorCode, groupState }) => [groupId, errorCode, groupState]), [
    ['g1', 0, 'Dead'], ['g2', 0, 'Dead']
  ])
  const recent = await ask(twin, API.describeGroups, handleDescribeGroups, 6, { groups: ['g1'] })
  assert.equal(recent.groups[0]!.errorCode, KAFKA_ERROR.GROUP_ID_NOT_FOUND)
  const withOperations =
    await ask(twin, API.describeGroups, handleDescribeGroups, 6, { groups: ['g1'], includeAuthorizedOperations: true })
  assert.equal(
    withOperations.groups[0]!.authorizedOperations, 0,
    'of a group that is not there nothing is permitted that the coordinator did not say'
  )
})

test('list-groups: every shard is asked, and the gateways of a zone name each group once (PROTOCOL 45)', async () => {
  const twin = gatewayTwin()
  const all = Array.from({ length: 40 }, (_, i) => `group-${i}`)
  const received = coordinate(twin, API.listGroups, (_request, { shard }) => ({
    throttleTimeMs: 0, errorCode: 0,
    groups: all.filter((groupId) => shardOfGroup(groupId, 4) === shard)
      .map((groupId) => ({ groupId, protocolType: 'consumer', groupState: 'Stable', groupType: 'classic' }))
  }))
  const answer = await ask(twin, API.listGroups, handleListGroups, 4, {})
  assert.deepEqual(received.map(({ call }) => call.shard), [0, 1, 2, 3])
  const mine = all.filter((groupId) => gatewayForGroup(twin.membership.current(), 'az1', groupId)!.nodeId === 1)
  assert.deepEqual(answer.groups.map(({ groupId }) => groupId).sort(), mine.sort())
  assert.ok(mine.length > 0 && mine.length < all.length)
})

test('delete-groups: each group has its own outcome', async () => {
  const twin = gatewayTwin()
  coordinate(twin, API.deleteGroups, ({ groupsNames }) => ({
    throttleTimeMs: 0, results: groupsNames
      .map((groupId) => ({ groupId, errorCode: groupId === 'busy' ? KAFKA_ERROR.NON_EMPTY_GROUP : 0 }))
  }))
  const answer = await ask(twin, API.deleteGroups, handleDeleteGroups, 2, { groupsNames: ['busy', 'empty'] })
  assert.deepEqual(
    answer.results, [{ groupId: 'busy', errorCode: KAFKA_ERROR.NON_EMPTY_GROUP }, { groupId: 'empty', errorCode: 0 }]
  )
})

test('find-coordinator: the ring picks a gateway of the zone; transactions are refused for good (PROTOCOL 20)', async () => {
  const twin = gatewayTwin()
  const { nodeId } = gatewayForGroup(twin.membership.current(), 'az1', 'g')!
  const single = await ask(twin, API.findCoordinator, handleFindCoordinator, 2, { key: 'g', keyType: 0 })
  assert.deepEqual([single.errorCode, single.nodeId, single.host], [0, nodeId, `node-${nodeId}.test`])
  const batched =
    await ask(twin, API.findCoordinator, handleFindCoordinator, 4, { keyType: 0, coordinatorKeys: ['g', 'h'] })
  assert.deepEqual(batched.coordinators.map(({ key, errorCode }) => [key, errorCode]), [['g', 0], ['h', 0]])
  const transactional =
    await ask(twin, API.findCoordinator, handleFindCoordinator, 4, { keyType: 1, coordinatorKeys: ['t'] })
  assert.equal(transactional.coordinators[0]!.errorCode, KAFKA_ERROR.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
})
