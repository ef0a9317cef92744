/**
 * Goal: the reader of a zone answers plans when they are enough and no later, reads each range for itself, finds offsets
 * by time exact to the batch, and gives all memory back, also of answers that nobody waits for any more.
 * Method: the real reader and cache behind the in-process transport, a view and a store that the test fills.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockCache } from '#broker/cache/block-cache.ts'
import { brokerSettings } from '#broker/config.ts'
import { ZoneReader } from '#broker/reader/zone-reader.ts'
import { MemoryPool, releaseAll } from '#shared/binary/memory-pool.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { offsetsCall, planCall, readCall, type PlanRequest, type PlanResponse } from '#shared/rpc/read.ts'
import { FaultyStore } from '#shared/store/faulty-store.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import { InProcessNetwork } from '#shared/transport/in-process.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { nodeOf, RecordingLog } from '#test/support/gateway-twin.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'
import { TWIN_SOURCE, ViewTwin } from '#test/support/view-twin.ts'

const TOPIC = 'abcdefghijklmnopqrstuw'
const BATCH = 161
const batch = { recordCount: 10, valueBytes: 10 }

function setUp(given: Partial<ReturnType<typeof brokerSettings.defaults>> = {}) {
  const runtime = new ManualRuntime()
  const network = new InProcessNetwork({ ledger: new Ledger(), timer: runtime.timer })
  const transport = network.attach(nodeOf(1, 'az1'))
  const caller = network.attach(nodeOf(2, 'az1'))
  const inner = new MemoryStore(runtime.clock)
  const store = new FaultyStore(inner, runtime.timer, runtime.chance)
  const memory = new MemoryPool({ regionBytes: 2 ** 20, poison: true })
  const settings = { ...brokerSettings.defaults(), ...given }
  const cache = new BlockCache(store, memory, settings)
  const view = new ViewTwin(inner)
  view.create(TOPIC, [0, 1])
  const log = new RecordingLog()
  new ZoneReader({ views: view, transport, cache, runtime, log, settings })
  const ask = (fetchOffsets: readonly number[], request: Partial<PlanRequest> = {}): PlanRequest => ({
    isFresh: false, shard: 0, waitMs: 0, minBytes: 1, isolationLevel: 0,
    partitions: fetchOffsets.map((fetchOffset, partition) => ({ topicId: TOPIC, partition, fetchOffset, maxBytes: 10_000, currentLeaderEpoch: -1 })),
    ...request
  })
  /** Plans; `at` tells when the answer came, null while it did not. */
  const plan = (fetchOffsets: readonly number[], request: Partial<PlanRequest> = {}, signal?: AbortSignal) => {
    const poll: { response: PlanResponse | null; failed: boolean } = { response: null, failed: false }
    caller.call(1, planCall, ask(fetchOffsets, request), { deadlineMs: 100_000, ...(signal === undefined ? {} : { signal }) })
      .then(({ response }) => { poll.response = response }, () => { poll.failed = true })
    return poll
  }
  const read = (chunkSeq: number, ranges: readonly { start: number; end: number }[], isAhead = false, signal?: AbortSignal) =>
    caller.call(1, readCall, { source: TWIN_SOURCE, chunkSeq, chunksBehind: 0, isAhead, ranges },
      { deadlineMs: 1_000, ...(signal === undefined ? {} : { signal }) })
  const offsetOf = async (timestamp: number) => (await caller.call(1, offsetsCall, {
    shard: 0, isolationLevel: 0, partitions: [{ topicId: TOPIC, partition: 0, currentLeaderEpoch: -1, timestamp }]
  }, { deadlineMs: 1_000 })).response.partitions[0]!
  return { runtime, network, inner, store, memory, cache, view, log, plan, read, offsetOf }
}

const runsOf = ({ response }: { response: PlanResponse | null }): number[] | undefined => response?.partitions.map(({ runs }) => runs.length)

test('zone-reader: a long poll ends with the news that are enough, of whatever partition, and not before (PROTOCOL 29)', async () => {
  const t = setUp()
  const poll = t.plan([0, 0], { waitMs: 500, minBytes: 2 * BATCH })
  await t.runtime.settle()
  await t.view.commit([1, batch])
  await t.runtime.settle()
  assert.equal(poll.response, null)
  await t.view.commit([0, batch])
  await t.runtime.settle()
  assert.deepEqual(runsOf(poll), [1, 1])
})

test('zone-reader: a long poll ends when its time is over, with what there is', async () => {
  const t = setUp()
  const poll = t.plan([0, 0], { waitMs: 500, minBytes: 1_000 })
  await t.view.commit([1, batch])
  await t.runtime.advance(499)
  assert.equal(poll.response, null)
  await t.runtime.advance(2)
  assert.deepEqual(runsOf(poll), [0, 1])
})

test('zone-reader: more long polls than the setting says are refused, and ended ones make room', async () => {
  const t = setUp({ waitersMax: 2 })
  const leaving = new AbortController()
  const polls = [t.plan([0], { waitMs: 500 }, leaving.signal), t.plan([0], { waitMs: 500 })]
  await t.runtime.settle()
  const refused = t.plan([0], { waitMs: 500 })
  await t.runtime.settle()
  assert.deepEqual([refused.failed, polls[0]!.failed], [true, false])
  leaving.abort(new DOMException('gone', 'AbortError'))
  await t.runtime.settle()
  const later = t.plan([0], { waitMs: 500 })
  await t.runtime.advance(600)
  assert.deepEqual([polls[1], later].map((poll) => runsOf(poll!)), [[0], [0]])
})

test('zone-reader: an offset beyond the view is out of range only after a barrier', async () => {
  const t = setUp()
  t.view.hidden.push(async () => { await t.view.commit([0, batch]) })
  const poll = t.plan([10])
  await t.runtime.settle()
  assert.equal(t.view.barriers, 1)
  assert.deepEqual(poll.response?.partitions.map(({ errorCode, highWatermark }) => [errorCode, highWatermark]), [[0, 10]])
  const beyond = t.plan([11])
  await t.runtime.settle()
  assert.deepEqual(beyond.response?.partitions.map(({ errorCode }) => errorCode), [KAFKA_ERROR.OFFSET_OUT_OF_RANGE])
})

test('zone-reader: a damaged batch fails its own range, with key and position in the log, and spares the others of the call', async () => {
  const t = setUp()
  const key = await t.view.commit([0, batch], [1, batch])
  const bytes = Buffer.from(await t.inner.get(key))
  bytes[BATCH + 100]! ^= 1
  await t.inner.put(key, [bytes])
  const ranges = [{ start: 0, end: BATCH }, { start: BATCH, end: 2 * BATCH }]
  const { response, payload } = await t.read(1, ranges)
  assert.deepEqual(response.errorCodes, [0, KAFKA_ERROR.KAFKA_STORAGE_ERROR])
  assert.deepEqual(payload.map(({ byteLength }) => byteLength), [BATCH])
  const line = t.log.lines.find(({ message }) => message === 'chunk cannot be read')
  assert.equal(line?.level, 'error')
  assert.match(String(line.fields['reason']), new RegExp(`${BATCH}`))
  assert.equal(line.fields['key'], key)
  releaseAll(payload)
  t.cache.clear()
  assert.equal(t.memory.heldBytes, 0)
})

test('zone-reader: an answer that comes too late, or to a caller that is gone, gives its memory back', async () => {
  const t = setUp()
  await t.view.commit([0, batch])
  t.store.faults.delayMsMin = t.store.faults.delayMsMax = 5_000
  const leaving = new AbortController()
  const tooLate = t.read(1, [{ start: 0, end: BATCH }])
  const left = t.read(1, [{ start: 0, end: BATCH }], false, leaving.signal)
  const [late, gone] = [assert.rejects(tooLate, { code: 'RPC_TIMED_OUT' }), assert.rejects(left, { name: 'AbortError' })]
  leaving.abort(new DOMException('gone', 'AbortError'))
  await t.runtime.advance(10_000)
  await Promise.all([late, gone])
  assert.ok(t.memory.heldBytes > 0, 'the cache has it')
  t.cache.clear()
  assert.equal(t.memory.heldBytes, 0)
})

test('zone-reader: what is read ahead is in the cache when it is asked for', async () => {
  const t = setUp()
  await t.view.commit([0, batch])
  assert.deepEqual(await t.read(1, [{ start: 0, end: BATCH }], true), { response: { errorCodes: [] }, payload: [] })
  await t.runtime.settle()
  t.store.faults.errorBeforePerMille = 1_000
  const { response, payload } = await t.read(1, [{ start: 0, end: BATCH }])
  assert.deepEqual(response.errorCodes, [0])
  releaseAll(payload)
})

test('zone-reader: a time finds the first batch that is not older, whatever order times come in (PROTOCOL 36)', async () => {
  const t = setUp()
  // Neighbours in one chunk are one entry of the index: the batch is found by its own header.
  await t.view.commit([0, { ...batch, maxTimestamp: 100 }], [0, { ...batch, maxTimestamp: 300 }], [0, { ...batch, maxTimestamp: 200 }])
  await t.view.commit([1, batch])
  await t.view.commit([0, { ...batch, maxTimestamp: 250 }])
  await t.view.commit([0, { ...batch, maxTimestamp: 400 }], [0, { ...batch, maxTimestamp: 500 }])
  const found = new Map<number, number>([[0, 0], [100, 0], [101, 10], [300, 10], [301, 40], [400, 40], [401, 50], [501, -1], [-3, 50], [-1, 60], [-2, 0]])
  for (const [timestamp, offset] of found) assert.equal((await t.offsetOf(timestamp)).offset, offset, `of ${timestamp}`)
  assert.deepEqual(await t.offsetOf(101), { errorCode: 0, offset: 10, timestamp: 300 })
  assert.equal(t.view.barriers, found.size + 1, 'no answer is older than its question')
  t.cache.clear()
  assert.equal(t.memory.heldBytes, 0)
})

test('zone-reader: a time whose chunk cannot be read is a retriable error', async () => {
  const t = setUp()
  await t.view.commit([0, { ...batch, maxTimestamp: 100 }])
  t.store.faults.errorBeforePerMille = 1_000
  assert.deepEqual(await t.offsetOf(50), { errorCode: KAFKA_ERROR.KAFKA_STORAGE_ERROR, offset: -1, timestamp: -1 })
})

test('zone-reader: a view that nothing proves to be up to date refuses to wait at its tail, and still serves what it has', async () => {
  const { runtime, view, plan } = setUp()
  await view.commit([0, batch])
  view.ageMs = 10_001
  const behind = plan([0], { waitMs: 1_000 })
  const tail = plan([10], { waitMs: 1_000 })
  await runtime.settle()
  assert.equal(behind.response?.partitions[0]?.runs.length, 1)
  assert.equal(tail.failed, true)
})
