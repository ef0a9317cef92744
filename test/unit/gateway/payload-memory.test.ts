/**
 * Goal: whatever becomes of a produce or a fetch, every hold on payload memory ends: when all is over, nothing is held.
 * Method: real handlers, ingest and fetcher with a pool that writes over what is released; batches lie in lent frames,
 * as they do when they come from a socket; stores that fail, clients that leave.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handleFetch } from '#gateway/api/fetch.ts'
import { release } from '#shared/binary/memory-pool.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { batchCrcMatches } from '#shared/records/batch-header.ts'
import { CHUNK_STATUS } from '#shared/rpc/commit.ts'
import type { FetchRequest, FetchResponse } from '#shared/wire/api/fetch.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { makeBatch } from '#test/support/batches.ts'
import { dataTwin, type DataTwin } from '#test/support/data-twin.ts'
import { contextOf, topic } from '#test/support/gateway-twin.ts'

const ORDERS = topic('orders', { partitionCount: 40 })
const BATCH = makeBatch({ valueBytes: 20_000 })

function setUp(given: Parameters<typeof dataTwin>[0] = {}): DataTwin {
  const t = dataTwin(given)
  t.catalog.add(ORDERS)
  return t
}

/** Appends a batch that lies in a frame of its own, whose request is answered when the batch is. */
function append(t: DataTwin, partition = 0, origin = 'c1'): { code: number | null } {
  const answer: { code: number | null } = { code: null }
  const frame = t.ingest.arena.lend(BATCH.length)
  frame.set(BATCH)
  const code = t.ingest.append({
    bytes: frame, length: frame.length, position: 0, leftOut: false,
    shard: partition % 4, topicId: ORDERS.topicId, partition, recordCount: 1, maxTimestamp: 1,
    producerId: -1, producerEpoch: -1, baseSequence: -1, attributes: 0, crc: frame.readUInt32BE(17), origin,
    answer: (errorCode) => { answer.code = errorCode; release(frame) }
  })
  if (code !== 0) {
    answer.code = code
    release(frame)
  }
  return answer
}

function requestOf(partitions: readonly number[], given: Partial<FetchRequest> = {}): FetchRequest {
  return {
    clusterId: null, replicaId: -1, maxWaitMs: 0, minBytes: 1, maxBytes: 50_000_000, isolationLevel: 0,
    sessionId: 0, sessionEpoch: -1, forgottenTopicsData: [], rackId: '',
    topics: [{ topic: 'orders', partitions: partitions.map((partition) => ({
      partition, fetchOffset: 0, partitionMaxBytes: 1_000_000,
      currentLeaderEpoch: -1, lastFetchedEpoch: -1, logStartOffset: -1
    })) }],
    ...given
  }
}

/** A fetch whose answer a connection has yet to take over: `finish` does. */
function fetch(t: DataTwin, request: FetchRequest, signal = new AbortController().signal) {
  const afterwards: (() => void)[] = []
  const fetching: { answer: FetchResponse | null; failed: boolean } = { answer: null, failed: false }
  const context = contextOf({ signal, afterwards: (fn) => { afterwards.push(fn) } })
  Promise.resolve(handleFetch(context, 11, request, t.services))
    .then((answer) => { fetching.answer = answer }, () => { fetching.failed = true })
  return { fetching, finish: () => { for (const fn of afterwards.splice(0)) fn() } }
}

const recordsOf = ({ answer }: { answer: FetchResponse | null }): Uint8Array[] =>
  answer!.responses.flatMap(({ partitions }) => partitions.flatMap(({ records }) => records as Uint8Array[]))

/** Stops the ingest and proves that nobody holds anything. */
async function assertNothingHeld(t: DataTwin): Promise<void> {
  const stopped = t.ingest.stop(0)
  await t.runtime.advance(100)
  await stopped
  assert.equal(t.pool.heldBytes, 0)
  assert.equal(t.services.answerBytes.bytes, 0)
}

test('payload memory: what was produced is held by the log cache only, and no more than its bound', async () => {
  const t = setUp({ logCacheBytesMax: 3 * BATCH.length })
  for (let n = 0; n < 300; n++) {
    append(t, n % 7)
    if (n % 10 === 0) await t.runtime.advance(20)
  }
  await t.runtime.advance(100)
  assert.equal(t.ingest.bytes, 0)
  assert.ok(t.pool.heldBytes <= 2 * 4 * 2 ** 20, 'the slab that is carved, and that of the newest batches')
  await assertNothingHeld(t)
})

test('payload memory: chunks that are given up, and what falls with them, come back when no PUT reads them any more', async () => {
  const t = setUp({ chunkGiveUpMs: 100, putsMax: 1, chunkBytesMax: 2 * BATCH.length })
  Object.assign(t.store.faults, { delayMsMin: 30, delayMsMax: 30, errorBeforePerMille: 1_000 })
  const answers = Array.from({ length: 9 }, () => append(t))
  await t.runtime.advance(10_000)
  assert.deepEqual(new Set(answers.map(({ code }) => code)), new Set([KAFKA_ERROR.KAFKA_STORAGE_ERROR]))
  assert.equal(t.ingest.bytes, 0)
  await assertNothingHeld(t)
})

test('payload memory: a source whose key another writer holds gives back what it wrote and what it had yet to write', async () => {
  const t = setUp({ putsMax: 2, chunkBytesMax: BATCH.length })
  t.memory.putIfAbsent = async (key) => {
    await t.memory.put(key, [new Uint8Array(3)]) // another writer was first
    throw new ZonewiseError('OBJECT_EXISTS', 'the key is taken', { key })
  }
  Object.assign(t.store.faults, { delayMsMin: 20, delayMsMax: 40 })
  const answers = Array.from({ length: 8 }, (_, n) => append(t, n))
  await t.runtime.advance(2_000)
  assert.deepEqual(new Set(answers.map(({ code }) => code)), new Set([KAFKA_ERROR.KAFKA_STORAGE_ERROR]))
  await assertNothingHeld(t)
})

test('payload memory: batches that no leader decides are held until the end, and no longer', async () => {
  const t = setUp()
  t.broker.decide = ({ chunks }) => ({
    leader: 1, membershipVersion: 1,
    chunks: chunks.map(({ chunkSeq }) => ({ chunkSeq, status: CHUNK_STATUS.unknown, answers: new Uint8Array(0) }))
  })
  const answer = append(t)
  await t.runtime.advance(1_000)
  assert.equal(answer.code, null)
  const stopped = t.ingest.stop(0)
  await t.runtime.advance(100)
  await stopped
  assert.ok(t.pool.heldBytes > 0, 'its request is not answered: the connection holds the frame')
})

for (const logCacheBytesMax of [0, 10_000_000]) {
  const from = logCacheBytesMax === 0 ? 'the zone\'s reader' : 'the log cache'
  test(`payload memory: an answer from ${from} stays whole until it is taken over, whatever the caches do meanwhile`, async () => {
    const t = setUp({ logCacheBytesMax })
    for (const partition of [0, 1]) append(t, partition)
    await t.runtime.advance(100)
    const { fetching, finish } = fetch(t, requestOf([0, 1]))
    await t.runtime.settle()
    t.ingest.cache.clear()
    const records = recordsOf(fetching)
    assert.equal(records.length, 2)
    for (const bytes of records) assert.ok(batchCrcMatches(bytes, 0, BATCH.length))
    assert.ok(t.services.answerBytes.bytes >= 2 * BATCH.length, 'room is taken for it')
    finish()
    await assertNothingHeld(t)
  })
}

test('payload memory: a client that leaves while its bytes are read leaves nothing behind', async () => {
  const t = setUp()
  for (const partition of [0, 1, 2]) append(t, partition)
  await t.runtime.advance(100)
  const gate = Promise.withResolvers<void>()
  const get = t.memory.get.bind(t.memory)
  t.memory.get = async (...args) => {
    if (args[0].endsWith('2')) await gate.promise // one chunk is here, another is waited for
    return get(...args)
  }
  append(t, 3)
  await t.runtime.advance(100)
  const leaving = new AbortController()
  const { fetching, finish } = fetch(t, requestOf([0, 1, 2, 3]), leaving.signal)
  await t.runtime.settle()
  leaving.abort(new DOMException('gone', 'AbortError'))
  await t.runtime.settle()
  assert.equal(fetching.failed, true)
  gate.resolve()
  await t.runtime.settle()
  finish()
  await assertNothingHeld(t)
})

test('payload memory: a fetch that waits for room gets less than it asked for, and a client that leaves takes none', async () => {
  const t = setUp({ answerBytesMax: 2 ** 20 })
  for (let n = 0; n < 40; n++) append(t)
  await t.runtime.advance(100)
  t.services.answerBytes.add(2 ** 20) // others leave much unread
  const leaving = new AbortController()
  const [left, stayed] = [fetch(t, requestOf([0]), leaving.signal), fetch(t, requestOf([0]))]
  await t.runtime.settle()
  assert.deepEqual([left, stayed].map(({ fetching: { answer, failed } }) => answer === null && !failed), [true, true])
  leaving.abort(new DOMException('gone', 'AbortError'))
  t.services.answerBytes.add(-100_000)
  await t.runtime.settle()
  const bytes = recordsOf(stayed.fetching).reduce((sum, { length }) => sum + length, 0)
  assert.ok(bytes >= BATCH.length && bytes < 10 * BATCH.length, `${bytes} bytes`)
  for (const one of [left, stayed]) one.finish()
  t.services.answerBytes.add(100_000 - 2 ** 20)
  await assertNothingHeld(t)
})
