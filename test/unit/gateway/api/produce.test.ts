/**
 * Goal: producers get what PROTOCOL 8 and 21-26 promise them, whatever store and leader do.
 * Method: the real handler and ingest over a memory store and a broker twin, on time that stands still.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handleProduce } from '#gateway/api/produce.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { decodeTrailer } from '#shared/object/chunk.ts'
import type { ProduceRequest, ProduceResponse } from '#shared/wire/api/produce.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { batchCrcMatches, maxTimestampAt } from '#shared/records/batch-header.ts'
import { makeBatch, makeRecordBatch, seal } from '#test/support/batches.ts'
import { dataTwin, type DataTwin } from '#test/support/data-twin.ts'
import { contextOf, topic } from '#test/support/gateway-twin.ts'

type Sent = { readonly name?: string; readonly index?: number; readonly records?: Uint8Array | null }

function requestOf(sent: readonly Sent[], given: Partial<ProduceRequest> = {}): ProduceRequest {
  const topicData =
    sent.map(({ name = 'orders', index = 0, records = makeBatch() }) => ({ name, partitionData: [{ index, records }] }))
  return { transactionalId: null, acks: -1, timeoutMs: 30_000, topicData, ...given }
}

function setUp(settings: Parameters<typeof dataTwin>[0] = {}): DataTwin {
  const t = dataTwin(settings)
  t.catalog.add(topic('orders'))
  return t
}

/** The answer, if there is one after `ms`. */
async function produce(
  t: DataTwin, request: ProduceRequest, { version = 9, ms = 0, context = contextOf() } = {}
): Promise<ProduceResponse | null | 'waits'> {
  let answer: ProduceResponse | null | 'waits' = 'waits'
  const done =
    Promise.resolve(handleProduce(context, version, request, t.services)).then((response) => { answer = response })
  await Promise.race([done, t.runtime.advance(ms)])
  await Promise.race([done, new Promise(setImmediate)])
  return answer
}

function codesOf(response: ProduceResponse | null | 'waits'): number[] {
  assert(response !== null && response !== 'waits')
  return response.responses.flatMap(({ partitionResponses }) => partitionResponses.map(({ errorCode }) => errorCode))
}

test('produce: answers name offset, log start and no append time (PROTOCOL 25)', async () => {
  const t = setUp()
  await produce(t, requestOf([{ records: makeBatch({ recordCount: 5 }) }]))
  const response = await produce(t, requestOf([{ index: 0 }, { index: 2 }]), { ms: 10 })
  assert.deepEqual(response, {
    responses: [[0, 5], [2, 0]].map(([index, baseOffset]) => ({ name: 'orders', partitionResponses: [
      { index, errorCode: 0, baseOffset, logAppendTimeMs: -1, logStartOffset: 0, recordErrors: [], errorMessage: null }
    ] })), throttleTimeMs: 0
  })
})

test('produce: one bad batch fails its own partition only', async () => {
  const t = setUp()
  const damaged = makeBatch()
  damaged[70]! ^= 1
  const response = await produce(t, requestOf(
    [{ index: 0, records: damaged }, { index: 1 }, { index: 2, records: null }, { records: new Uint8Array(0) }]
  ))
  assert.deepEqual(
    codesOf(response), [KAFKA_ERROR.CORRUPT_MESSAGE, 0, KAFKA_ERROR.INVALID_RECORD, KAFKA_ERROR.INVALID_RECORD]
  )
  assert.equal(answersOf(response)[0]!.errorMessage, null, 'clients have a sentence of their own for each code')
  assert.equal(t.ingest.bytes, 0)
})

test('produce: zstd needs version 7, and a batch the size that the topic allows', async () => {
  const t = setUp()
  t.catalog.add(topic('small', { configs: { 'max.message.bytes': '100' } }))
  const zstd = makeBatch({ attributes: 4 })
  assert.deepEqual(codesOf(await produce(t, requestOf([{ records: zstd }]), { version: 6 })), [
    KAFKA_ERROR.UNSUPPORTED_COMPRESSION_TYPE
  ])
  assert.deepEqual(codesOf(await produce(t, requestOf([{ records: zstd }]), { version: 7 })), [0])
  const big = makeBatch({ valueBytes: 60 })
  assert.deepEqual(
    codesOf(await produce(t, requestOf([{ name: 'small', records: big }, { records: big }]), { ms: 10 })),
    [KAFKA_ERROR.MESSAGE_TOO_LARGE, 0]
  )
})

test('produce: acks that do not exist are refused, acks=1 is as all (PROTOCOL 8)', async () => {
  const t = setUp()
  assert.deepEqual(codesOf(await produce(t, requestOf([{}], { acks: 2 }))), [KAFKA_ERROR.INVALID_REQUIRED_ACKS])
  assert.equal(t.broker.commits.length, 0)
  assert.deepEqual(codesOf(await produce(t, requestOf([{}], { acks: 1 }))), [0])
})

test('produce: acks=0 has no answer, and an error closes the connection (PROTOCOL 8)', async () => {
  const t = setUp()
  assert.equal(await produce(t, requestOf([{}], { acks: 0 })), null)
  assert.equal(t.broker.commits.length, 1)
  await assert.rejects(produce(t, requestOf([{ records: new Uint8Array(80) }], { acks: 0 })), ZonewiseError)
})

test('produce: no topic is unknown, and no partition, before the catalog was asked', async () => {
  const t = setUp()
  t.catalog.hidden.push(topic('new'), topic('orders', { partitionCount: 8 }))
  const response = await produce(
    t, requestOf([{ name: 'new' }, { name: 'orders', index: 7 }, { name: 'never' }, { name: 'orders', index: 8 }])
  )
  assert.deepEqual(
    codesOf(response), [0, 0, KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION]
  )
  t.catalog.failing = true
  assert.deepEqual(codesOf(await produce(t, requestOf([{ name: 'other' }, { index: 99 }]))),
    [KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER, KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER])
})

test('produce: a topic that is being made, or a negative partition, gets a code that clients retry', async () => {
  const t = setUp()
  t.catalog.add(topic('soon', { state: 'creating', readyPartitionCount: 0 }))
  const response = await produce(t, requestOf([{ name: 'soon' }, { index: -1 }]))
  assert.deepEqual(codesOf(response), [KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION])
})

test('produce: nothing of the connection begins while a request waits for the catalog', async () => {
  const t = setUp()
  const order: string[] = []
  const context = contextOf({ holdOrder: () => { order.push('held'); return () => { order.push('released') } } })
  t.catalog.hidden.push(topic('new'))
  assert.deepEqual(codesOf(await produce(t, requestOf([{ name: 'new' }]), { context })), [0])
  assert.deepEqual(order, ['held', 'released'])
  await produce(t, requestOf([{}]), { context })
  assert.equal(order.length, 2)
})

test('produce: the client waits as long as it says, and may try what was not decided again (PROTOCOL 26)', async () => {
  const t = setUp()
  const { promise, resolve } = Promise.withResolvers<void>()
  t.broker.decide = (request) => promise.then(() => t.broker.commit(request))
  const request = requestOf([{ index: 0 }, { index: 1, records: new Uint8Array(9) }], { timeoutMs: 2_000 })
  assert.equal(await produce(t, request, { ms: 1_999 }), 'waits')
  const answer = produce(t, requestOf([{}], { timeoutMs: 1_000 }), { ms: 1_600 })
  assert.deepEqual(codesOf(await answer), [KAFKA_ERROR.REQUEST_TIMED_OUT])
  resolve()
  await t.runtime.advance(100)
  assert.equal(t.ingest.bytes, 0) // both were decided in the end
})

test('produce: a store that fails is KAFKA_STORAGE_ERROR, a full ingest REQUEST_TIMED_OUT (PROTOCOL 26)', async () => {
  const t = setUp({ chunkGiveUpMs: 500, ingestBytesMax: 200 })
  t.store.faults.errorBeforePerMille = 1_000
  const failing = produce(t, requestOf([{ records: makeBatch({ valueBytes: 100 }) }]), { ms: 3_000 })
  assert.deepEqual(
    codesOf(await produce(t, requestOf([{ records: makeBatch({ valueBytes: 100 }) }]))), [KAFKA_ERROR.REQUEST_TIMED_OUT]
  )
  assert.deepEqual(codesOf(await failing), [KAFKA_ERROR.KAFKA_STORAGE_ERROR])
  assert.deepEqual(t.log.of('error'), ['chunk given up'])
})

test('produce: what was acked is in the store, in a chunk that says what it is', async () => {
  const t = setUp()
  assert.deepEqual(codesOf(await produce(t, requestOf([{ index: 0 }, { index: 1 }]))), [0, 0])
  const [object] = await t.memory.list('chunks/')
  const bytes = await t.memory.get(object!.key)
  const { footerBytes } = decodeTrailer(object!.key, bytes.subarray(-12))
  assert.equal(bytes.byteLength, 2 * makeBatch().byteLength + footerBytes + 12)
})

/** As `produce`, where the engine's threads unpack: those know real time only. */
async function produceUnpacking(t: DataTwin, request: ProduceRequest, context = contextOf()): Promise<ProduceResponse |
  null> {
  let done = false
  const answer = Promise.resolve(handleProduce(context, 9, request, t.services)).finally(() => { done = true })
  while (!done) {
    await new Promise(setImmediate)
    await t.runtime.advance(1)
  }
  return answer
}

function answersOf(
  response: ProduceResponse | null | 'waits'
): ProduceResponse['responses'][number]['partitionResponses'] {
  assert(response !== null && response !== 'waits')
  return response.responses.flatMap(({ partitionResponses }) => partitionResponses)
}

for (const codec of [undefined, 'gzip', 'zstd'] as const) {
  test(`produce: a compacted topic takes no record without a key, and names each one (PROTOCOL 2.3, ${codec ?? 'not packed'})`, async () => {
    const t = setUp()
    t.catalog.add(topic('latest', { configs: { 'cleanup.policy': 'compact,delete' } }))
    const packed = codec === undefined ? {} : { codec }
    const mixed = makeRecordBatch([{ value: 'a' }, { key: 'k', value: 'b' }, { key: null, value: null }], packed)
    const keyed = makeRecordBatch([{ key: 'k', value: 'b' }, { key: '', value: null }], packed)
    const response = await produceUnpacking(t, requestOf([
      { name: 'latest', records: mixed }, { name: 'latest', index: 1, records: keyed }, { records: Buffer.from(mixed) }
    ]))
    const [refused, taken, elsewhere] = answersOf(response)
    assert.equal(refused!.errorCode, KAFKA_ERROR.INVALID_RECORD)
    assert.deepEqual(refused!.recordErrors.map(({ batchIndex }) => batchIndex), [0, 2])
    assert.match(refused!.recordErrors[0]!.batchIndexErrorMessage!, /message without key in topic partition latest-0/)
    assert.match(refused!.errorMessage!, /2 record errors in total/)
    assert.deepEqual([taken!.errorCode, elsewhere!.errorCode], [0, 0])
  })
}

test('produce: where records are looked at, their order is kept, lies are refused, and what unpacks to too much is too large', async () => {
  const t = setUp({ unpackedBytesMax: 2 ** 20 })
  t.catalog.add(topic('latest', { configs: { 'cleanup.policy': 'compact' } }))
  const order: string[] = []
  const context = contextOf({ holdOrder: () => { order.push('held'); return () => { order.push('released') } } })
  const bomb = makeRecordBatch([{ key: 'k', value: 'x'.repeat(2 ** 21) }], { codec: 'zstd' })
  const lying = makeRecordBatch([{ key: 'k', value: 'v' }, { key: 'k', value: 'v' }])
  lying.writeInt32BE(2, 23)
  lying.writeInt32BE(3, 57)
  const damaged = makeRecordBatch([{ key: 'k', value: 'v' }])
  damaged[66]! ^= 1
  const records = [bomb, seal(lying), damaged, new Uint8Array(5)]
  const response =
    await produceUnpacking(t, requestOf(records.map((each) => ({ name: 'latest', records: each }))), context)
  assert.deepEqual(codesOf(response),
    [
      KAFKA_ERROR.MESSAGE_TOO_LARGE, KAFKA_ERROR.INVALID_RECORD, KAFKA_ERROR.CORRUPT_MESSAGE, KAFKA_ERROR.INVALID_RECORD
    ])
  assert.deepEqual(order, ['held', 'released'])
})

test('produce: times too far ahead are refused, and too far behind where a topic says so', async () => {
  const t = setUp()
  const nowMs = t.runtime.clock.nowMs()
  const hour = 3_600_000
  t.catalog.add(topic(
    'strict', { configs: { 'message.timestamp.after.max.ms': '1000', 'message.timestamp.before.max.ms': '5000' } }
  ))
  const at = (maxTimestamp: number): Buffer =>
    makeRecordBatch([{ value: 'v' }, { value: 'v', timestampDelta: -500 }], { maxTimestamp })
  const ask = async (name: string, timestamp: number): Promise<number> =>
    codesOf(await produce(t, requestOf([{ name, records: at(timestamp) }]), { ms: 10 }))[0]!
  assert.equal(await ask('orders', nowMs + hour), 0)
  assert.equal(await ask('orders', nowMs + 2 * hour), KAFKA_ERROR.INVALID_TIMESTAMP)
  assert.equal(await ask('orders', 0), 0)
  assert.equal(await ask('strict', nowMs + 2_000), KAFKA_ERROR.INVALID_TIMESTAMP)
  assert.equal(await ask('strict', nowMs - 4_000), 0)
  const [late] = answersOf(await produce(t, requestOf([{ name: 'strict', records: at(nowMs - 4_900) }])))
  assert.deepEqual(
    [late!.errorCode, late!.recordErrors.map(({ batchIndex }) => batchIndex)], [KAFKA_ERROR.INVALID_TIMESTAMP, [1]]
  )
})

test('produce: LogAppendTime puts our time into the batch and into the answer (PROTOCOL 2.2, 25)', async () => {
  const t = setUp()
  t.catalog.add(topic('ours', { configs: { 'message.timestamp.type': 'LogAppendTime' } }))
  const nowMs = t.runtime.clock.nowMs()
  const records = makeBatch({ maxTimestamp: nowMs + 10 * 3_600_000 })
  const [answer] = answersOf(await produce(t, requestOf([{ name: 'ours', records }]), { ms: 10 }))
  assert.deepEqual([answer!.errorCode, answer!.logAppendTimeMs], [0, nowMs])
  assert.equal(maxTimestampAt(records, 0), nowMs)
  assert(batchCrcMatches(records, 0, records.byteLength))
  assert.equal(records.readInt16BE(21) & 8, 8)
})
