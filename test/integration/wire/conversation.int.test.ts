/**
 * Goal: whatever arrives on the socket is answered or closed as PROTOCOL section 3 says, and other clients notice
 * nothing.
 * Method: one server with three zones, our own codec, raw bytes. Each test cites the number that it holds the server
 * to.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { defaultsOf } from '#shared/binary/message.ts'
import { API, apiByKey } from '#shared/wire/api-registry.ts'
import type { FetchRequest } from '#shared/wire/api/fetch.ts'
import type { ProduceRequest } from '#shared/wire/api/produce.ts'
import { decodeResponseFrame } from '#shared/wire/framing.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { makeBatch, makeRecordBatch, type RecordSpec, seal } from '#test/support/batches.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { startServer, type Server } from '#test/support/zonewise-process.ts'
import { WireClient } from '#test/support/wire-client.ts'

const TIMEOUT_MS = 10_000
const NOW_MS = 1_700_000_000_000
const MiB = 2 ** 20

const folder = temporaryFolder()
let server: Server
let steady: WireClient // a client of good manners, through all tests

before(async () => {
  server = await startServer(folder)
  steady = await dial()
})
after(async () => {
  steady.close()
  await server.end('SIGKILL')
})

const dial = (zone = 0): Promise<WireClient> => WireClient.connect(server.endpoints.listeners[zone]!.port)

async function withClient<T>(use: (client: WireClient) => Promise<T>, zone = 0): Promise<T> {
  const client = await dial(zone)
  try {
    return await use(client)
  } finally {
    client.close()
  }
}

async function createTopic(
  name: string, numPartitions = 1, configs: { name: string; value: string }[] = []
): Promise<string> {
  const topics = [{ name, numPartitions, replicationFactor: 1, assignments: [], configs }]
  const answer = await steady.call(API.createTopics, 7, { topics, timeoutMs: TIMEOUT_MS, validateOnly: false })
  assert.equal(answer.topics[0]!.errorCode, 0)
  return answer.topics[0]!.topicId
}

function produceRequest(
  name: string, parts: readonly [index: number, records: Uint8Array | null][], acks = -1
): ProduceRequest {
  const partitionData = parts.map(([index, records]) => ({ index, records }))
  return { transactionalId: null, acks, timeoutMs: TIMEOUT_MS, topicData: [{ name, partitionData }] }
}

async function produce(
  client: WireClient, name: string, records: Uint8Array | null, version = 9
): Promise<{ errorCode: number; baseOffset: number }> {
  const { responses } = await client.call(API.produce, version, produceRequest(name, [[0, records]]))
  return responses[0]!.partitionResponses[0]!
}

const batch = (...records: RecordSpec[]): Buffer => makeRecordBatch(records, { maxTimestamp: NOW_MS })
const one = batch({ value: 'v' })

type Wanted = { readonly partition?: number; readonly fetchOffset?: number; readonly partitionMaxBytes?: number }

function fetchRequest(name: string, wanted: readonly Wanted[], given: Partial<FetchRequest> = {}): FetchRequest {
  const partitions = wanted.map(({ partition = 0, fetchOffset = 0, partitionMaxBytes = MiB }) =>
    ({ partition, currentLeaderEpoch: -1, fetchOffset, lastFetchedEpoch: -1, logStartOffset: -1, partitionMaxBytes }))
  return {
    clusterId: null, replicaId: -1, maxWaitMs: TIMEOUT_MS, minBytes: 1, maxBytes: 50 * MiB, isolationLevel: 0,
    sessionId: 0, sessionEpoch: -1,
    topics: [{ topic: name, partitions }], forgottenTopicsData: [], rackId: '', ...given
  }
}

async function fetch(
  client: WireClient, version: number, request: FetchRequest
): Promise<{ errorCode: number; bytes: number }[]> {
  const { responses } = await client.call(API.fetch, version, request)
  return responses.flatMap(({ partitions }) => partitions)
    .map(({ errorCode, records }) => ({ errorCode, bytes: (records as Uint8Array).byteLength }))
}

async function endOffset(name: string, zone = 0): Promise<number> {
  const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }]
  const request = { replicaId: -1, isolationLevel: 0, topics: [{ name, partitions }], timeoutMs: 0 }
  const answer = await withClient((client) => client.call(API.listOffsets, 7, request), zone)
  return answer.topics[0]!.partitions[0]!.offset
}

const noGroup = { groupId: 'nobody', generationId: 1, memberId: 'm', groupInstanceId: null }

async function assertWell(): Promise<void> {
  assert.equal((await steady.call(API.heartbeat, 4, noGroup)).errorCode, KAFKA_ERROR.UNKNOWN_MEMBER_ID)
}

/** Sends bytes on a connection of their own; the server must close it without a word. */
async function assertCloses(bytes: Uint8Array, what: string): Promise<void> {
  await withClient(async (client) => {
    client.send(bytes)
    assert.equal(await client.next(), null, what)
  })
  await assertWell()
}

/** A request of `api` with a body given in hex, `correlationId` 7 and no client id. */
function rawRequest(apiKey: number, version: number, body: string, flexible = false): Buffer {
  const frame = Buffer.concat([Buffer.alloc(14), Buffer.from(flexible ? '00' : '', 'hex'), Buffer.from(body, 'hex')])
  frame.writeInt32BE(frame.byteLength - 4, 0)
  frame.writeInt16BE(apiKey, 4)
  frame.writeInt16BE(version, 6)
  frame.writeInt32BE(7, 8)
  frame.writeInt16BE(-1, 12)
  return frame
}

test('wire: garbage, unknown keys and versions close the connection, the others live on (PROTOCOL 4)', async () => {
  const cases: Record<string, Buffer> = {
    'http': Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 'tls': Buffer.from('16030100c8010000c40303', 'hex'),
    'negative length': Buffer.from([0xff, 0xff, 0xff, 0xff]),
    'length above the bound': Buffer.from([0x7f, 0xff, 0xff, 0xff]),
    'empty frame': Buffer.alloc(4), 'short header': Buffer.from([0, 0, 0, 5, 0, 18, 0, 0, 0]),
    'unknown key': rawRequest(999, 0, ''),
    'negative key': rawRequest(-1, 0, ''), 'SaslHandshake': rawRequest(17, 1, '0005504c41494e'),
    'inter-broker': rawRequest(6, 0, ''),
    'version too new': rawRequest(12, 99, ''), 'negative version': rawRequest(12, -1, ''),
    'produce 2': rawRequest(0, 2, ''),
    'client id longer than the frame': Buffer.from('0000000a' + '0012' + '0000' + '00000001' + '7fff', 'hex')
  }
  for (const [name, bytes] of Object.entries(cases)) await assertCloses(bytes, name)
})

test('wire: bodies that lie about lengths and counts, or hold null where none may be, close the connection (PROTOCOL 4, 9)', async () => {
  const cases: Record<string, Buffer> = {
    'string longer than the frame': rawRequest(12, 0, '7fff'),
    'null group id': rawRequest(12, 0, 'ffff' + '00000001' + '0000'),
    'group id of a negative length': rawRequest(12, 0, 'fffe' + '00000001' + '0000'),
    'body ends early': rawRequest(12, 0, '000167' + '0000'),
    'two thousand million topics': rawRequest(3, 1, '7fffffff'),
    'count below -1': rawRequest(3, 1, 'fffffffe'),
    'null topics to create': rawRequest(19, 2, 'ffffffff' + '00001000' + '00'),
    'compact count without end': rawRequest(3, 9, 'ffffffffffff', true),
    'tag longer than the frame': rawRequest(12, 4, '0267' + '00000001' + '01' + '00' + '01' + '05ff01', true)
  }
  for (const [name, bytes] of Object.entries(cases)) await assertCloses(bytes, name)
})

test('wire: a request that names a million partitions is closed while it is read', async () => {
  const partitionIndexes = Array.from({ length: 1_000_000 }, (_, i) => i)
  const offsets = steady.frame(
    API.offsetFetch, 7, { groupId: 'g', topics: [{ name: 't', partitionIndexes }], groups: [], requireStable: false }
  )
  await assertCloses(offsets, 'OffsetFetch')
  await assertCloses(
    steady.frame(API.fetch, 12, fetchRequest('t', partitionIndexes.map((partition) => ({ partition })))), 'Fetch'
  )
})

test('wire: bytes behind a request are not looked at, unknown tags are stepped over (PROTOCOL 9)', async () => {
  await withClient(async (client) => {
    client.send(rawRequest(12, 0, '000167' + '00000001' + '00016d' + '010000'))
    client.send(rawRequest(12, 4, '0267' + '00000001' + '026d' + '00' + '02' + '0503616263' + '4d00', true))
    for (const version of [0, 4]) {
      const frame = await client.next()
      assert(frame !== null)
      assert.equal(decodeResponseFrame(API.heartbeat, version, frame).body.errorCode, KAFKA_ERROR.UNKNOWN_MEMBER_ID)
    }
  })
})

test('wire: an ApiVersions too new is answered in version 0, and the connection goes on (PROTOCOL 3)', async () => {
  await withClient(async (client) => {
    client.send(rawRequest(18, 77, 'ffffffffffffffff'))
    const { correlationId, body } = decodeResponseFrame(API.apiVersions, 0, (await client.next())!)
    assert.deepEqual([correlationId, body.errorCode], [7, KAFKA_ERROR.UNSUPPORTED_VERSION])
    assert.deepEqual(body.apiKeys, [{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
    const named = { clientSoftwareName: 'wire', clientSoftwareVersion: '1.0' }
    assert.equal((await client.call(API.apiVersions, 4, named)).errorCode, 0)
    assert.equal(
      (await client.call(API.apiVersions, 3, { ...named, clientSoftwareName: '-wire' })).errorCode,
      KAFKA_ERROR.INVALID_REQUEST
    )
  })
})

test('wire: every version that is advertised is answered, by nothing but itself (PROTOCOL 1, 2)', async () => {
  const { apiKeys } = await steady.call(API.apiVersions, 0, { clientSoftwareName: '', clientSoftwareVersion: '' })
  assert.ok(apiKeys.length > 15)
  for (const { apiKey, minVersion, maxVersion } of apiKeys) {
    const api = apiByKey(apiKey)!
    if (api.apiKey === API.produce.apiKey) continue // without acks there is no answer
    for (let version = minVersion; version <= maxVersion; version++)
      await withClient((client) => client.call(api, version, { ...defaultsOf(api.request) as object, topics: [] }))
  }
})

test('wire: a request may come in pieces, cut at every byte (PROTOCOL 1)', async () => {
  await withClient(async (client) => {
    const whole = client.frame(API.heartbeat, 4, noGroup)
    for (let cut = 1; cut < whole.byteLength; cut++) {
      client.send(whole.subarray(0, cut))
      await new Promise(setImmediate)
      client.send(whole.subarray(cut))
    }
    for (const byte of whole) client.send(Buffer.from([byte]))
    for (let answer = 0; answer < whole.byteLength; answer++) assert.equal((await client.next())?.byteLength, 12)
  })
})

test('wire: a hundred pipelined requests of all kinds are answered in order (PROTOCOL 1)', async () => {
  await createTopic('pipelined')
  await withClient(async (client) => {
    const kinds = [
      () => client.frame(API.produce, 9, produceRequest('pipelined', [[0, one]])),
      () => client.frame(API.heartbeat, 4, noGroup),
      () => client.frame(API.metadata, 9, { ...defaultsOf(API.metadata.request), topics: null }),
      () => client.frame(API.fetch, 11, fetchRequest('pipelined', [{}], { maxWaitMs: 0 }))
    ]
    client.send(Buffer.concat(Array.from({ length: 100 }, (_, i) => kinds[i % kinds.length]!())))
    for (let answer = 1; answer <= 100; answer++)
      assert.equal(Buffer.from((await client.next())!).readInt32BE(0), answer)
  })
  assert.equal(await endOffset('pipelined'), 25)
})

test('wire: client ids of any length, and none, are answered', async () => {
  await withClient(async (client) => {
    for (const clientId of [null, '', 'x'.repeat(32_767), 'zone=elsewhere', 'größe \u0000\n']) {
      client.send(client.frame(API.heartbeat, 4, noGroup, clientId))
      assert.notEqual(await client.next(), null)
    }
  })
  await assertWell()
})

test('wire: acks that do not exist are refused; acks=0 has no answer, and an error of it ends the connection (PROTOCOL 8)', async () => {
  await createTopic('acks')
  await withClient(async (client) => {
    for (const acks of [-2, 2, 32_767]) {
      const { responses } = await client.call(API.produce, 9, produceRequest('acks', [[0, one]], acks))
      assert.equal(responses[0]!.partitionResponses[0]!.errorCode, KAFKA_ERROR.INVALID_REQUIRED_ACKS)
    }
    client.send(client.frame(API.produce, 9, produceRequest('acks', [[0, one]], 0)))
    assert.equal(
      (await client.call(API.heartbeat, 4, noGroup)).errorCode, KAFKA_ERROR.UNKNOWN_MEMBER_ID, 'the next answer'
    )
    client.send(client.frame(API.produce, 9, produceRequest('acks', [[9, one]], 0)))
    assert.equal(await client.next(), null)
  })
  assert.equal(await endOffset('acks'), 1)
})

test('wire: bad batches get the code of PROTOCOL 2.1, good ones beside them are taken', async () => {
  await createTopic('batches', 2)
  const changed = (change: (bytes: Buffer) => void, isSealed = true): Buffer => {
    const bytes = batch({ value: 'a' }, { value: 'b' })
    change(bytes)
    return isSealed ? seal(bytes) : bytes
  }
  const cases: [string, Uint8Array | null, number][] = [
    ['null', null, KAFKA_ERROR.INVALID_RECORD], ['nothing', Buffer.alloc(0), KAFKA_ERROR.INVALID_RECORD],
    ['a bad CRC', changed((b) => { b[65]! ^= 1 }, false), KAFKA_ERROR.CORRUPT_MESSAGE],
    ['magic 0', changed((b) => b.writeInt8(0, 16)), KAFKA_ERROR.INVALID_RECORD],
    ['magic 1', changed((b) => b.writeInt8(1, 16)), KAFKA_ERROR.INVALID_RECORD],
    ['magic 3', changed((b) => b.writeInt8(3, 16)), KAFKA_ERROR.CORRUPT_MESSAGE],
    ['two batches', Buffer.concat([one, one]), KAFKA_ERROR.INVALID_RECORD],
    ['a length too long', changed((b) => b.writeInt32BE(500, 8)), KAFKA_ERROR.INVALID_RECORD],
    ['a length too short', changed((b) => b.writeInt32BE(40, 8)), KAFKA_ERROR.CORRUPT_MESSAGE],
    ['a negative length', changed((b) => b.writeInt32BE(-1, 8)), KAFKA_ERROR.CORRUPT_MESSAGE],
    ['a base offset', changed((b) => b.writeBigInt64BE(5n, 0)), KAFKA_ERROR.INVALID_RECORD],
    ['no records', changed((b) => b.writeInt32BE(0, 57)), KAFKA_ERROR.INVALID_RECORD],
    ['a count that is not the offsets', changed((b) => b.writeInt32BE(9, 57)), KAFKA_ERROR.INVALID_RECORD],
    ['a control batch', changed((b) => b.writeInt16BE(32, 21)), KAFKA_ERROR.INVALID_RECORD],
    ['no sequence', makeBatch({ producerId: 5, producerEpoch: 0, baseSequence: -1 }), KAFKA_ERROR.INVALID_RECORD],
    ['a batch too large', makeBatch({ valueBytes: 1_048_588 }), KAFKA_ERROR.MESSAGE_TOO_LARGE]
  ]
  for (const [name, records, expected] of cases) {
    const { responses } = await steady.call(API.produce, 9, produceRequest('batches', [[0, records], [1, one]]))
    assert.deepEqual(responses[0]!.partitionResponses.map(({ errorCode }) => errorCode), [expected, 0], name)
  }
  assert.equal(await endOffset('batches'), 0)
})

test('wire: zstd is for Produce 7 and Fetch 10, older ones are told so (PROTOCOL 2.3)', async () => {
  await createTopic('zstd')
  const zstd = makeRecordBatch([{ value: 'v' }], { codec: 'zstd', maxTimestamp: NOW_MS })
  assert.equal((await produce(steady, 'zstd', zstd, 6)).errorCode, KAFKA_ERROR.UNSUPPORTED_COMPRESSION_TYPE)
  assert.equal((await produce(steady, 'zstd', zstd, 7)).errorCode, 0)
  assert.deepEqual(
    await fetch(steady, 9, fetchRequest('zstd', [{}])),
    [{ errorCode: KAFKA_ERROR.UNSUPPORTED_COMPRESSION_TYPE, bytes: 0 }]
  )
  assert.deepEqual(await fetch(steady, 10, fetchRequest('zstd', [{}])), [{ errorCode: 0, bytes: zstd.byteLength }])
})

test('wire: negative and absurd numbers are answered, at once where there is nothing to wait for (PROTOCOL 27, 29, 36)', async () => {
  await createTopic('numbers')
  assert.equal((await produce(steady, 'numbers', one)).errorCode, 0)
  const code = async (wanted: Wanted, given: Partial<FetchRequest> = {}): Promise<number> =>
    (await fetch(steady, 12, fetchRequest('numbers', [wanted], given)))[0]!.errorCode
  assert.equal(await code({ partition: -1 }), KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION)
  assert.equal(await code({ partition: 2 ** 31 - 1 }), KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION)
  for (const fetchOffset of [-1, -2, 2, 2 ** 52])
    assert.equal(await code({ fetchOffset }), KAFKA_ERROR.OFFSET_OUT_OF_RANGE)
  for (const maxWaitMs of [0, -1]) assert.equal(await code({ fetchOffset: 1 }, { maxWaitMs }), 0)
  for (const minBytes of [0, -5]) assert.equal(await code({ fetchOffset: 1 }, { minBytes }), 0)
  for (const partitionMaxBytes of [0, -1, 1])
    assert.deepEqual(
      await fetch(steady, 12, fetchRequest('numbers', [{ partitionMaxBytes }], { maxBytes: partitionMaxBytes })),
      [{ errorCode: 0, bytes: one.byteLength }]
    )
  const partitions = [-9, -7].map((timestamp) => ({ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }))
  for (const partition of partitions) {
    const topics = [{ name: 'numbers', partitions: [partition] }]
    const answer = await steady.call(API.listOffsets, 7, { replicaId: -1, isolationLevel: 0, topics, timeoutMs: 0 })
    assert.equal(answer.topics[0]!.partitions[0]!.errorCode, KAFKA_ERROR.UNSUPPORTED_VERSION)
  }
})

test('wire: empty lists are answered as empty, partitions named twice as often as named (PROTOCOL 12, 29, 36)', async () => {
  await createTopic('lists')
  const nothing = { ...produceRequest('lists', []), topicData: [] }
  assert.deepEqual((await steady.call(API.produce, 9, nothing)).responses, [])
  assert.deepEqual((await steady.call(API.fetch, 12, { ...fetchRequest('lists', []), topics: [] })).responses, [])
  assert.deepEqual((await steady.call(API.metadata, 9, { ...defaultsOf(API.metadata.request), topics: [] })).topics, [])
  const both = produceRequest('lists', [[0, one], [0, batch({ value: 'second' })]])
  const { responses } = await steady.call(API.produce, 9, both)
  assert.deepEqual(
    responses[0]!.partitionResponses.map(({ errorCode, baseOffset }) => [errorCode, baseOffset]), [[0, 0], [0, 1]]
  )
  assert.equal((await fetch(steady, 12, fetchRequest('lists', [{}, {}]))).length, 2)
  const twice = [-1, -2].map((timestamp) => ({ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }))
  const offsets = await steady.call(
    API.listOffsets, 7,
    { replicaId: -1, isolationLevel: 0, topics: [{ name: 'lists', partitions: twice }], timeoutMs: 0 }
  )
  assert.deepEqual(
    offsets.topics[0]!.partitions.map(({ errorCode }) => errorCode),
    [KAFKA_ERROR.INVALID_REQUEST, KAFKA_ERROR.INVALID_REQUEST]
  )
})

test('wire: a long poll in one zone wakes upon what is produced in another (PROTOCOL 29)', async () => {
  await createTopic('polled')
  await withClient(async (reader) => {
    const polled = fetch(reader, 12, fetchRequest('polled', [{}], { maxWaitMs: 60_000 }))
    await withClient((writer) => produce(writer, 'polled', one), 2)
    assert.deepEqual(await polled, [{ errorCode: 0, bytes: one.byteLength }])
  }, 1)
})

test('wire: a reader that does not read holds up itself alone (PROTOCOL 1)', async () => {
  await createTopic('large')
  for (let i = 0; i < 4; i++)
    assert.equal((await produce(steady, 'large', makeBatch({ valueBytes: 1_000_000 }))).errorCode, 0)
  const all = fetchRequest('large', [{ partitionMaxBytes: 8 * MiB }])
  await withClient(async (lazy) => {
    lazy.pause()
    lazy.send(Buffer.concat(Array.from({ length: 100 }, () => lazy.frame(API.fetch, 12, all))))
    await withClient(async (other) => {
      for (let i = 0; i < 5; i++) assert.equal((await fetch(other, 12, all))[0]!.bytes, 4 * 1_000_061)
    })
    await assertWell()
    lazy.resume()
    for (let answer = 0; answer < 100; answer++) assert.ok((await lazy.next())!.byteLength > 4_000_000)
  })
})

test('wire: a topic made again has another id and begins anew, also for a producer that goes on counting (PROTOCOL 14, 22, 57)', async () => {
  const oldId = await createTopic('again')
  const initRequest = { transactionalId: null, transactionTimeoutMs: TIMEOUT_MS, producerId: -1, producerEpoch: -1 }
  const { producerId, producerEpoch } = await steady.call(API.initProducerId, 4, initRequest)
  const next = (baseSequence: number): Promise<{ errorCode: number; baseOffset: number }> =>
    produce(
      steady, 'again', makeBatch({ producerId, producerEpoch, baseSequence, recordCount: 5, maxTimestamp: NOW_MS })
    )
  assert.deepEqual([(await next(0)).baseOffset, (await next(5)).baseOffset], [0, 5])
  assert.equal((await next(20)).errorCode, KAFKA_ERROR.OUT_OF_ORDER_SEQUENCE_NUMBER)
  const { responses } = await steady.call(
    API.deleteTopics, 6, { topics: [{ name: 'again', topicId: oldId }], topicNames: [], timeoutMs: TIMEOUT_MS }
  )
  assert.equal(responses[0]!.errorCode, KAFKA_ERROR.INVALID_REQUEST, 'by name or by id')
  const deleted = await steady.call(API.deleteTopics, 5, { topics: [], topicNames: ['again'], timeoutMs: TIMEOUT_MS })
  assert.equal(deleted.responses[0]!.errorCode, 0)
  assert.notEqual(await createTopic('again'), oldId)
  const byId = { ...defaultsOf(API.metadata.request), topics: [{ topicId: oldId, name: null }] }
  assert.equal((await steady.call(API.metadata, 12, byId)).topics[0]!.errorCode, KAFKA_ERROR.UNKNOWN_TOPIC_ID)
  assert.deepEqual(
    await next(10).then(({ errorCode, baseOffset }) => [errorCode, baseOffset]), [0, 0], 'the producer cannot know'
  )
  assert.deepEqual((await next(10)).baseOffset, 0, 'and is remembered from then on')
  assert.equal((await next(30)).errorCode, KAFKA_ERROR.OUT_OF_ORDER_SEQUENCE_NUMBER)
  assert.equal((await next(15)).baseOffset, 5)
})
