/**
 * Goal: a client that is to take its requests to another gateway is told so in the codes that make every client ask for
 * metadata or its coordinator again (PROTOCOL 20, 26, 31), and what needs no moving is served.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handleFetch } from '#gateway/api/fetch.ts'
import type { Handler } from '#gateway/api/handler.ts'
import { handleHeartbeat } from '#gateway/api/heartbeat.ts'
import { handleJoinGroup } from '#gateway/api/join-group.ts'
import { handleLeaveGroup } from '#gateway/api/leave-group.ts'
import { handleListOffsets } from '#gateway/api/list-offsets.ts'
import { handleOffsetForLeaderEpoch } from '#gateway/api/offset-for-leader-epoch.ts'
import { handleProduce } from '#gateway/api/produce.ts'
import { handleSyncGroup } from '#gateway/api/sync-group.ts'
import { defaultsOf } from '#shared/binary/message.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { groupCall } from '#shared/rpc/group.ts'
import { API, type Api } from '#shared/wire/api-registry.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { makeBatch } from '#test/support/batches.ts'
import { dataTwin, type DataTwin } from '#test/support/data-twin.ts'
import { contextOf, gatewayTwin, nodeOf, snapshotOf, topic } from '#test/support/gateway-twin.ts'

const MOVED = contextOf({ mustMove: true })

function setUp(): DataTwin {
  const t = dataTwin()
  t.catalog.add(topic('orders'))
  return t
}

async function ask<Request, Response>(
  t: DataTwin, api: Api<Request, Response>, handler: Handler<Request, Response>, given: Partial<Request>
): Promise<string> {
  const request = { ...defaultsOf(api.request), ...given }
  return JSON.stringify(await handler(MOVED, api.versionMax, request, t.services))
}

const PARTITION = { currentLeaderEpoch: -1 }

test('moves: what is asked of a leader gets NOT_LEADER_OR_FOLLOWER', async () => {
  const t = setUp()
  const code = new RegExp(`"errorCode":${KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER}\\b`)
  const partitionData = [{ index: 0, records: makeBatch() }]
  const produced = { acks: -1, topicData: [{ name: 'orders', partitionData }] }
  assert.match(await ask(t, API.produce, handleProduce, produced), code)
  const fetched = {
    partition: 0, fetchOffset: 0, partitionMaxBytes: 100, lastFetchedEpoch: -1, logStartOffset: -1, ...PARTITION
  }
  const wait = { maxWaitMs: 60_000, minBytes: 1, maxBytes: 1_000, sessionEpoch: -1, rackId: '' }
  const topics = [{ topic: 'orders', partitions: [fetched] }]
  assert.match(await ask(t, API.fetch, handleFetch, { ...wait, topics }), code)
  assert.match(await ask(t, API.listOffsets, handleListOffsets, {
    topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, timestamp: -1, ...PARTITION }] }]
  }), code)
  assert.match(await ask(t, API.offsetForLeaderEpoch, handleOffsetForLeaderEpoch, {
    topics: [{ topic: 'orders', partitions: [{ partition: 0, leaderEpoch: 0, ...PARTITION }] }]
  }), code)
})

test('moves: records without acks are taken: nobody would hear where to go', async () => {
  const t = setUp()
  const partitionData = [{ index: 0, records: makeBatch() }]
  const request = { transactionalId: null, acks: 0, timeoutMs: 60_000, topicData: [{ name: 'orders', partitionData }] }
  const answered = Promise.resolve(handleProduce(MOVED, 9, request, t.services))
  await t.runtime.advance(10)
  assert.equal(await answered, null)
})

test('moves: a member hears NOT_COORDINATOR, and may leave all the same', async () => {
  const t = setUp()
  const code = new RegExp(`"errorCode":${KAFKA_ERROR.NOT_COORDINATOR}\\b`)
  const member = { groupId: 'g', memberId: 'm' }
  const protocol = { protocolType: 'consumer', protocolName: 'range' }
  assert.match(await ask(t, API.joinGroup, handleJoinGroup, member), code)
  assert.match(await ask(t, API.syncGroup, handleSyncGroup, { ...member, ...protocol }), code)
  assert.match(await ask(t, API.heartbeat, handleHeartbeat, member), code)
  const twin = gatewayTwin()
  twin.transport.on(groupCall, () => ({ errorCode: KAFKA_ERROR.COORDINATOR_LOAD_IN_PROGRESS, body: new Uint8Array(0) }))
  await handleLeaveGroup(MOVED, 5, { groupId: 'g', memberId: 'm', members: [] }, twin.services)
  assert.deepEqual(twin.transport.calls.map(({ name }) => name), [groupCall.name])
})

const OTHERS = [nodeOf(1, 'az1', { draining: true }), nodeOf(2, 'az1')]

test('moves: a long poll ends when the node begins to drain', async () => {
  const t = setUp()
  const request = {
    ...defaultsOf(API.fetch.request), maxWaitMs: 600_000, minBytes: 1, maxBytes: 1_000, sessionEpoch: -1,
    topics: [{ topic: 'orders', partitions: [{
      partition: 0, fetchOffset: 0, partitionMaxBytes: 100, lastFetchedEpoch: -1, logStartOffset: -1, ...PARTITION
    }] }]
  }
  let codes: readonly number[] | null = null
  void Promise.resolve(handleFetch(contextOf(), 11, request, t.services)).then((answer) => {
    codes = answer!.responses.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
  })
  await t.runtime.advance(1_000)
  assert.equal(codes, null)
  t.membership.set(snapshotOf(OTHERS, 2))
  await t.runtime.settle()
  assert.deepEqual(codes, [KAFKA_ERROR.NONE])
})

test('moves: a member that waits for its group hears NOT_COORDINATOR when the node begins to drain', async () => {
  const twin = gatewayTwin()
  twin.transport.on(groupCall, (_node, _request, { signal }) => new Promise((_resolve, reject) => {
    signal!.addEventListener('abort', () => { reject(signal!.reason as ZonewiseError) })
  }))
  const request = { ...defaultsOf(API.joinGroup.request), groupId: 'g', memberId: 'm', rebalanceTimeoutMs: 600_000 }
  const joined = Promise.resolve(handleJoinGroup(contextOf(), 5, request, twin.services))
  twin.membership.set(snapshotOf(OTHERS, 2))
  assert.equal((await joined)!.errorCode, KAFKA_ERROR.NOT_COORDINATOR)
})
