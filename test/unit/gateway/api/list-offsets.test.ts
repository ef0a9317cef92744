import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handleListOffsets } from '#gateway/api/list-offsets.ts'
import type { ListOffsetsRequest, ListOffsetsResponse } from '#shared/wire/api/list-offsets.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { dataTwin, type DataTwin } from '#test/support/data-twin.ts'
import { contextOf, nodeOf, snapshotOf, topic } from '#test/support/gateway-twin.ts'

type Answer = ListOffsetsResponse['topics'][number]['partitions'][number]

function setUp(): DataTwin {
  const t = dataTwin()
  t.catalog.add(topic('orders'))
  return t
}

async function ask(
  t: DataTwin, partitions: readonly (readonly [number, number])[], version = 11, name = 'orders'
): Promise<Answer[]> {
  const request: ListOffsetsRequest = { replicaId: -1, isolationLevel: 0, timeoutMs: 0, topics: [{
    name,
    partitions: partitions.map(([partitionIndex, timestamp]) => ({ partitionIndex, timestamp, currentLeaderEpoch: -1 }))
  }] }
  const response = await handleListOffsets(contextOf(), version, request, t.services)
  return response!.topics.flatMap(({ partitions: answers }) => [...answers])
}

const codesOf = (answers: readonly Answer[]): number[] => answers.map(({ errorCode }) => errorCode)

test('list-offsets: partitions are answered in the order asked for', async () => {
  assert.deepEqual(await ask(setUp(), [[2, -2], [0, -1], [1, 5]]), [
    { partitionIndex: 2, errorCode: 0, offset: 0, timestamp: -1, leaderEpoch: 0 },
    { partitionIndex: 0, errorCode: 0, offset: 0, timestamp: -1, leaderEpoch: 0 },
    { partitionIndex: 1, errorCode: 0, offset: -1, timestamp: -1, leaderEpoch: -1 }
  ])
})

test('list-offsets: a special timestamp below its version is told apart from none (PROTOCOL 36)', async () => {
  const t = setUp()
  const old = KAFKA_ERROR.UNSUPPORTED_VERSION
  for (const [timestamp, since] of [[-3, 7], [-4, 8], [-5, 9], [-6, 11]] as const) {
    assert.deepEqual(codesOf(await ask(t, [[0, timestamp], [1, -1]], since - 1)), [old, 0])
    assert.deepEqual(codesOf(await ask(t, [[0, timestamp], [1, -1]], since)), [0, 0])
  }
  assert.deepEqual(codesOf(await ask(t, [[0, -7]])), [old])
})

test('list-offsets: a partition named twice is INVALID_REQUEST, the others are answered (PROTOCOL 36)', async () => {
  assert.deepEqual(codesOf(await ask(setUp(), [[0, -1], [1, -1], [0, -2]])), [
    KAFKA_ERROR.INVALID_REQUEST, 0, KAFKA_ERROR.INVALID_REQUEST
  ])
})

test('list-offsets: what is unknown is asked of the catalog first', async () => {
  const t = setUp()
  t.catalog.hidden.push(topic('orders', { partitionCount: 5 }))
  assert.deepEqual(codesOf(await ask(t, [[4, -1], [5, -1], [-1, -1]])), [
    0, KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION
  ])
  assert.deepEqual(codesOf(await ask(t, [[0, -1]], 11, 'never')), [KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION])
  t.catalog.failing = true
  assert.deepEqual(codesOf(await ask(t, [[0, -1]], 11, 'never')), [KAFKA_ERROR.LEADER_NOT_AVAILABLE])
})

test('list-offsets: without a reader in the zone clients are told to ask again (PROTOCOL 36)', async () => {
  const t = setUp()
  t.membership.set(snapshotOf([nodeOf(1, 'az2')], 2))
  assert.deepEqual(codesOf(await ask(t, [[0, -1]], 5)), [KAFKA_ERROR.OFFSET_NOT_AVAILABLE])
  assert.deepEqual(codesOf(await ask(t, [[0, -1]], 4)), [KAFKA_ERROR.LEADER_NOT_AVAILABLE])
})
