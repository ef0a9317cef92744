/**
 * Goal: consumers get what PROTOCOL 27-34 promise them.
 * Method: the real handlers, ingest and fetcher over a memory store and a broker twin, on time that stands still.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handleFetch } from '#gateway/api/fetch.ts'
import { handleProduce } from '#gateway/api/produce.ts'
import { FetchedLately, LATELY_MS } from '#gateway/fetch/fetched-lately.ts'
import { shardOfPartition } from '#shared/cluster/placement.ts'
import { baseOffsetAt } from '#shared/records/batch-header.ts'
import type { Clock } from '#shared/runtime/runtime.ts'
import type { FetchRequest, FetchResponse } from '#shared/wire/api/fetch.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { makeBatch, type BatchSpec } from '#test/support/batches.ts'
import { dataTwin, type DataTwin } from '#test/support/data-twin.ts'
import { contextOf, topic } from '#test/support/gateway-twin.ts'

type Asked = {
  readonly topic?: string; readonly partition?: number; readonly fetchOffset?: number;
  readonly partitionMaxBytes?: number
}
type PartitionAnswer = FetchResponse['responses'][number]['partitions'][number]

const LENGTH = makeBatch().byteLength
const COUNT = 40 // partitions: more than the shards of the twin

function requestOf(asked: readonly Asked[], given: Partial<FetchRequest> = {}): FetchRequest {
  return {
    clusterId: null, replicaId: -1, maxWaitMs: 0, minBytes: 1, maxBytes: 50_000_000, isolationLevel: 0, sessionId: 0,
    sessionEpoch: -1,
    forgottenTopicsData: [], rackId: '',
    topics: asked.map(({ topic: name = 'orders', partition = 0, fetchOffset = 0, partitionMaxBytes = 1_000_000 }) => ({
      topic: name, partitions: [
        { partition, fetchOffset, partitionMaxBytes, currentLeaderEpoch: -1, lastFetchedEpoch: -1, logStartOffset: -1 }
      ]
    })), ...given
  }
}

function setUp(settings: Parameters<typeof dataTwin>[0] = {}): DataTwin {
  const t = dataTwin(settings)
  t.catalog.add(topic('orders', { partitionCount: COUNT }))
  return t
}

async function write(t: DataTwin, partition: number, spec: BatchSpec = {}): Promise<void> {
  const topicData = [{ name: 'orders', partitionData: [{ index: partition, records: makeBatch(spec) }] }]
  const done = Promise.resolve(
    handleProduce(contextOf(), 9, { transactionalId: null, acks: -1, timeoutMs: 60_000, topicData }, t.services)
  )
  await t.runtime.advance(10)
  assert.equal((await done)?.responses[0]?.partitionResponses[0]?.errorCode, 0)
}

function shardOfTwin({ catalog, membership }: DataTwin, partition: number): number {
  return shardOfPartition(catalog.topicByName('orders')!.topicId, partition, membership.current().shardCount)
}

/** A fetch under way: its answer once there is one. */
function begin(t: DataTwin, request: FetchRequest, { version = 11, signal = new AbortController().signal } = {}) {
  const fetching: { answer: FetchResponse | null } = { answer: null }
  const context = contextOf({ signal })
  const done = Promise.resolve(handleFetch(context, version, request, t.services))
    .then((response) => { fetching.answer = response })
  return Object.assign(fetching, { done })
}

async function fetch(t: DataTwin, request: FetchRequest, version = 11): Promise<PartitionAnswer[]> {
  const fetching = begin(t, request, { version })
  await t.runtime.settle()
  assert(fetching.answer !== null, 'the fetch waits')
  return fetching.answer.responses.flatMap(({ partitions }) => partitions)
}

const bytesOf = ({ records }: PartitionAnswer): Buffer => {
  assert(Array.isArray(records))
  return Buffer.concat(records as Uint8Array[])
}
const lengthsOf = (answers: readonly PartitionAnswer[]): number[] => answers.map((one) => bytesOf(one).byteLength)

for (const logCacheBytesMax of [0, 1_000_000]) {
  const from = logCacheBytesMax === 0 ? 'the zone\'s reader' : 'the log cache'
  test(`fetch: records come back from ${from} with their offsets, and all that PROTOCOL 29 wants beside them`, async () => {
    const t = setUp({ logCacheBytesMax })
    for (let i = 0; i < 3; i++) await write(t, 0, { recordCount: 2 })
    const [answer] = await fetch(t, requestOf([{ fetchOffset: 3 }]))
    const { errorCode, highWatermark, lastStableOffset, logStartOffset, abortedTransactions, preferredReadReplica } =
      answer!
    assert.deepEqual({
      errorCode, highWatermark, lastStableOffset, logStartOffset, abortedTransactions, preferredReadReplica
    },
      {
        errorCode: 0, highWatermark: 6, lastStableOffset: 6, logStartOffset: 0, abortedTransactions: null,
        preferredReadReplica: -1
      })
    const bytes = bytesOf(answer!)
    assert.deepEqual([baseOffsetAt(bytes, 0), baseOffsetAt(bytes, 101), bytes.byteLength], [2, 4, 202])
    assert.equal(t.broker.reads.length === 0, logCacheBytesMax > 0)
  })
}

test('fetch: partitions are served in the order asked for, at least one batch whatever the bounds (PROTOCOL 27)', async () => {
  const t = setUp()
  for (const partition of [5, 6, 7]) { await write(t, partition); await write(t, partition) }
  const asked = [{ partition: 9 }, { partition: 6 }, { partition: 5 }, { partition: 7 }]
  const answers = await fetch(t, requestOf(asked, { maxBytes: 1 }))
  assert.deepEqual(answers.map(({ partitionIndex }) => partitionIndex), [9, 6, 5, 7])
  assert.deepEqual(lengthsOf(answers), [0, LENGTH, 0, 0])
  assert.deepEqual(
    lengthsOf(await fetch(t, requestOf(asked, { maxBytes: 3 * LENGTH + 5 }))), [0, 2 * LENGTH, LENGTH, 0]
  )
  const small = asked.map((one) => ({ ...one, partitionMaxBytes: LENGTH - 1 }))
  assert.deepEqual(lengthsOf(await fetch(t, requestOf(small))), [0, LENGTH, 0, 0])
  assert.deepEqual(lengthsOf(await fetch(t, requestOf(asked))), [0, 2 * LENGTH, 2 * LENGTH, 2 * LENGTH])
})

test('fetch: whoever may have been shown more elsewhere is answered behind a barrier, whoever stays is not', async () => {
  const t = setUp()
  const asks = async (connection: FetchedLately, partitions: readonly number[]): Promise<boolean[]> => {
    t.broker.plans.splice(0)
    const asked = partitions.map((partition) => ({ partition }))
    await handleFetch(contextOf({ fetchedLately: connection }), 11, requestOf(asked), t.services)
    return t.broker.plans.map(({ isFresh }) => isFresh)
  }
  const [one, other] = [new FetchedLately(), new FetchedLately()]
  const elsewhere = Array.from({ length: COUNT }, (_, partition) => partition)
    .find((partition) => shardOfTwin(t, partition) !== shardOfTwin(t, 0))!
  assert.deepEqual(await asks(one, [0]), [true])
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await asks(one, [0]), [false])
    await t.runtime.advance(LATELY_MS - 1)
  }
  assert.deepEqual(await asks(other, [0]), [true]) // a client that comes from another gateway, or zone
  await asks(one, [0])
  assert.deepEqual((await asks(one, [0, elsewhere])).toSorted(), [false, true])
  await t.runtime.advance(2 * LATELY_MS)
  assert.deepEqual(await asks(one, [0]), [true]) // it was away
})

test('fetch: a process that stood still looks again before it answers what waited meanwhile', async () => {
  const t = setUp()
  let stoodStillMs = 0
  const { clock: still } = t.runtime
  const clock: Clock = { nowMs: () => still.nowMs(), monotonicMs: () => still.monotonicMs() + stoodStillMs }
  const { timer, chance } = t.runtime
  const services = { ...t.services, runtime: { clock, timer, chance } }
  const fetching = begin({ ...t, services }, requestOf([{ partition: 0 }], { maxWaitMs: 500 }))
  await t.runtime.advance(400)
  t.broker.plans.splice(0)
  stoodStillMs = LATELY_MS + 500
  await t.runtime.advance(100)
  assert.deepEqual(t.broker.plans.map(({ isFresh, waitMs }) => [isFresh, waitMs]), [[true, 0]])
  assert.notEqual(fetching.answer, null)
})

test('fetch: at the end of the log it waits, and wakes at the first record of any shard (PROTOCOL 29)', async () => {
  const t = setUp()
  const fetching =
    begin(t, requestOf(Array.from({ length: COUNT }, (_, partition) => ({ partition })), { maxWaitMs: 500 }))
  await t.runtime.advance(400)
  assert.equal(fetching.answer, null)
  assert(t.broker.waiting > 1)
  await write(t, 17)
  await t.runtime.settle()
  const [found] =
    fetching.answer!.responses.flatMap(({ partitions }) => partitions).filter((one) => bytesOf(one).byteLength > 0)
  assert.equal(found?.partitionIndex, 17)
  assert.equal(t.broker.waiting, 0) // the others wait no more
})

test('fetch: a shard that lets nobody wait ends the wait for all: it is not asked again and again', async () => {
  const t = setUp()
  let refused = 0
  const first = { partition: 0 }
  t.broker.canWait = ({ partitions }) => {
    if (partitions.every(({ partition }) => partition !== first.partition)) return true
    return ++refused > 10 // a gateway that asks for ever ends all the same
  }
  const others = Array.from({ length: COUNT - 1 }, (_, i) => ({ partition: i + 1 }))
  const fetching = begin(t, requestOf([first, ...others], { maxWaitMs: 500 }))
  await t.runtime.settle()
  assert.equal(refused, 1)
  const answers = fetching.answer!.responses.flatMap(({ partitions }) => partitions)
  const refusing = answers.filter(({ errorCode }) => errorCode === KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER)
  assert(refusing.some(({ partitionIndex }) => partitionIndex === first.partition))
  assert(refusing.length < COUNT) // of that shard only
})

test('fetch: answers empty when its time is over', async () => {
  const t = setUp()
  const fetching = begin(t, requestOf([{ partition: 0 }, { partition: 1 }, { partition: 2 }], { maxWaitMs: 500 }))
  await t.runtime.advance(499)
  assert.equal(fetching.answer, null)
  await t.runtime.advance(1)
  const answers = fetching.answer!.responses.flatMap(({ partitions }) => partitions)
  assert.deepEqual(answers.map(({ errorCode, highWatermark }) => [errorCode, highWatermark]), [[0, 0], [0, 0], [0, 0]])
  assert.deepEqual(lengthsOf(answers), [0, 0, 0])
})

test('fetch: min.bytes counts over all partitions, and readers are woken only when there can be enough', async () => {
  const t = setUp()
  const asked = [0, 1, 2, 3, 4, 5].map((partition) => ({ partition }))
  const fetching = begin(t, requestOf(asked, { maxWaitMs: 60_000, minBytes: 12 * LENGTH }))
  for (let i = 0; i < 11; i++) await write(t, i % 6)
  await t.runtime.settle()
  assert.equal(fetching.answer, null)
  assert(t.broker.plans.length < 40, `${t.broker.plans.length} plans`)
  await write(t, 5)
  await t.runtime.settle()
  const answers = fetching.answer!.responses.flatMap(({ partitions }) => partitions)
  assert.deepEqual(lengthsOf(answers), Array(6).fill(2 * LENGTH))
})

test('fetch: min.bytes above max.bytes, and zero, do not wait for what can never come', async () => {
  const t = setUp()
  await write(t, 0)
  assert.deepEqual(
    lengthsOf(await fetch(t, requestOf([{}], { maxWaitMs: 60_000, minBytes: 1_000, maxBytes: 10 }))), [LENGTH]
  )
  assert.deepEqual(lengthsOf(await fetch(t, requestOf([{ partition: 1 }], { maxWaitMs: 60_000, minBytes: 0 }))), [0])
  assert.deepEqual(await fetch(t, requestOf([], { maxWaitMs: 0 })), [])
})

test('fetch: an error of one partition answers at once (PROTOCOL 29)', async () => {
  const t = setUp()
  await write(t, 1)
  const answers = await fetch(t, requestOf(
    [{ partition: 0 }, { partition: 1, fetchOffset: 9 }, { topic: 'never' }, { partition: COUNT }],
    { maxWaitMs: 60_000 }
  ))
  assert.deepEqual(answers.map(({ errorCode }) => errorCode),
    [
      0, KAFKA_ERROR.OFFSET_OUT_OF_RANGE, KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION
    ])
})

test('fetch: no topic and no partition is unknown before the catalog was asked', async () => {
  const t = setUp()
  t.catalog.hidden.push(topic('new'), topic('orders', { partitionCount: COUNT + 1 }))
  const asked = [{ topic: 'new' }, { partition: COUNT }]
  assert.deepEqual((await fetch(t, requestOf(asked))).map(({ errorCode }) => errorCode), [0, 0])
  t.catalog.failing = true
  assert.deepEqual((await fetch(t, requestOf([{ topic: 'other' }]))).map(({ errorCode }) => errorCode), [
    KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER
  ])
})

test('fetch: what cannot be read fails its partition only, in a code that the version knows (PROTOCOL 26)', async () => {
  const t = setUp()
  await write(t, 0)
  await write(t, 1)
  const [first] = await t.memory.list('chunks/')
  t.broker.canRead = (key) => key !== first!.key
  const asked = [{ partition: 0 }, { partition: 1 }]
  const answers = await fetch(t, requestOf(asked))
  assert.deepEqual(answers.map(({ errorCode }) => errorCode), [KAFKA_ERROR.KAFKA_STORAGE_ERROR, 0])
  assert.deepEqual(lengthsOf(answers), [0, LENGTH])
  assert.deepEqual(
    (await fetch(t, requestOf(asked), 5)).map(({ errorCode }) => errorCode), [KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER, 0]
  )
})

test('fetch: behind a chunk that cannot be read nothing more of its partition is given out', async () => {
  const t = setUp()
  for (let i = 0; i < 3; i++) await write(t, 0)
  const chunks = await t.memory.list('chunks/')
  t.broker.canRead = (key) => key !== chunks[1]!.key
  const answers = await fetch(t, requestOf([{}]))
  assert.deepEqual([answers[0]?.errorCode, ...lengthsOf(answers)], [0, LENGTH])
  assert.equal((await fetch(t, requestOf([{ fetchOffset: 1 }])))[0]?.errorCode, KAFKA_ERROR.KAFKA_STORAGE_ERROR)
})

test('fetch: bytes that are not what the index says are given to nobody, and a human is told', async () => {
  const t = setUp()
  await write(t, 0)
  const [chunk] = await t.memory.list('chunks/')
  await t.memory.put(chunk!.key, [Buffer.alloc(chunk!.bytes)])
  assert.equal((await fetch(t, requestOf([{}])))[0]?.errorCode, KAFKA_ERROR.KAFKA_STORAGE_ERROR)
  assert.deepEqual(t.log.of('error'), ['bytes of a chunk are not what the index says'])
})

test('fetch: zstd goes to version 10 and above (PROTOCOL 2.3)', async () => {
  const t = setUp()
  await write(t, 0, { attributes: 4 })
  assert.equal((await fetch(t, requestOf([{}]), 9))[0]?.errorCode, KAFKA_ERROR.UNSUPPORTED_COMPRESSION_TYPE)
  assert.deepEqual(lengthsOf(await fetch(t, requestOf([{}]), 10)), [LENGTH])
})

test('fetch: a session is never made, and going on with one is an error of the whole answer (PROTOCOL 30)', async () => {
  const t = setUp()
  for (
    const [sessionId, sessionEpoch, errorCode] of [[0, 0, 0], [0, -1, 0], [77, -1, 0], [77, 3, 70], [0, 3, 70]] as const
  ) {
    const fetching = begin(t, requestOf([{}], { sessionId, sessionEpoch }))
    await t.runtime.settle()
    assert.deepEqual([fetching.answer?.sessionId, fetching.answer?.errorCode], [0, errorCode])
    assert.equal(fetching.answer?.responses.length, errorCode === 0 ? 1 : 0)
  }
})

test('fetch: read_committed gets a list of aborted transactions, and it is empty (PROTOCOL 34)', async () => {
  const t = setUp()
  assert.deepEqual((await fetch(t, requestOf([{}], { isolationLevel: 1 })))[0]?.abortedTransactions, [])
})

test('fetch: a client that is gone is waited for no more', async () => {
  const t = setUp()
  const gone = new AbortController()
  const fetching =
    begin(t, requestOf([{ partition: 0 }, { partition: 1 }], { maxWaitMs: 60_000 }), { signal: gone.signal })
  await t.runtime.advance(100)
  assert(t.broker.waiting > 0)
  gone.abort(new Error('client is gone'))
  await fetching.done.catch(() => {})
  assert.equal(t.broker.waiting, 0)
})
