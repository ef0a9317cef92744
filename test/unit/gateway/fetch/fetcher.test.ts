import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fetcher, type Run } from '#gateway/fetch/fetcher.ts'
import { LogCache } from '#gateway/ingest/log-cache.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { LANE } from '#shared/object/chunk-ref.ts'
import { chunkKey } from '#shared/object/chunk-ref.ts'
import { planCall, readCall } from '#shared/rpc/read.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { dataTwin, type DataTwin } from '#test/support/data-twin.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'
import { nodeOf, RecordingLog, snapshotOf, TransportTwin } from '#test/support/gateway-twin.ts'

const source = { nodeId: 9, nodeEpoch: 3, nonce: '0123456789abcdef', lane: LANE.region }
const run = (chunkSeq: number, position: number, length: number): Run => ({
  source, chunkSeq, position, length, baseOffset: 0, endOffset: 1, lengthBefore: 0, chunksBehind: 0
})
const never = new AbortController().signal

function setUp(fetchReadsMax = 4): { t: DataTwin; fetcher: Fetcher } {
  const t = dataTwin()
  const { transport, membership, log, runtime: { clock } } = t.services
  const settings = { readDeadlineMs: 1_000, fetchReadsMax }
  return { t, fetcher: new Fetcher({ zone: 'az1', membership, transport, clock, log, cache: new LogCache(source, 0), settings }) }
}

function fetcherOn(transport: TransportTwin, membership: StaticMembership, runtime: Pick<Runtime, 'clock'> = new ManualRuntime()): Fetcher {
  return new Fetcher({
    zone: 'az1', membership, transport, clock: runtime.clock, log: new RecordingLog(), cache: new LogCache(source, 0),
    settings: { readDeadlineMs: 1_000, fetchReadsMax: 1 }
  })
}

async function putChunks(t: DataTwin, count: number): Promise<void> {
  for (let chunkSeq = 1; chunkSeq <= count; chunkSeq++)
    await t.memory.put(chunkKey({ source, chunkSeq }), [Buffer.from(`chunk ${chunkSeq}: abcdefghij`)])
}

const texts = (found: readonly (readonly Uint8Array[] | null)[]): (string | null)[] =>
  found.map((buffers) => (buffers === null ? null : Buffer.concat(buffers).toString()))

test('fetcher: runs of one chunk are read by one call, and come back in the order asked for', async () => {
  const { t, fetcher } = setUp()
  await putChunks(t, 2)
  const found = await fetcher.read([run(1, 12, 3), run(2, 0, 7), run(1, 9, 3)], never)
  assert.deepEqual(texts(found), ['def', 'chunk 2', 'abc'])
  assert.equal(t.broker.reads.length, 2)
})

test('fetcher: no more chunks are read at a time than the setting says', async () => {
  const { t, fetcher } = setUp(3)
  await putChunks(t, 20)
  let [reading, most] = [0, 0]
  const get = t.memory.get.bind(t.memory)
  t.memory.get = async (...args) => {
    most = Math.max(most, ++reading)
    await new Promise(setImmediate)
    reading -= 1
    return get(...args)
  }
  const found = await fetcher.read(Array.from({ length: 20 }, (_, i) => run(i + 1, 0, 6)), never)
  assert.deepEqual(texts(found), Array(20).fill('chunk '))
  assert.equal(most, 3)
})

test('fetcher: a chunk that cannot be read costs its own runs only', async () => {
  const { t, fetcher } = setUp()
  await putChunks(t, 3)
  t.broker.canRead = (key) => !key.endsWith('2')
  assert.deepEqual(texts(await fetcher.read([run(1, 0, 7), run(2, 0, 7), run(3, 0, 7)], never)), ['chunk 1', null, 'chunk 3'])
})

test('fetcher: a zone without a broker gets codes that clients retry, never another zone\'s bytes', async () => {
  const { t, fetcher } = setUp()
  await putChunks(t, 1)
  t.membership.set(snapshotOf([nodeOf(1, 'az2')], 2))
  const partitions = [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partition: 0, fetchOffset: 0, maxBytes: 1, currentLeaderEpoch: -1 }]
  const planned = await fetcher.plan({ shard: 0, isFresh: false, waitMs: 0, minBytes: 0, isolationLevel: 0, partitions }, never)
  assert.deepEqual(planned.map(({ errorCode }) => errorCode), [KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER])
  assert.deepEqual(texts(await fetcher.read([run(1, 0, 7)], never)), [null])
  assert.deepEqual(t.log.of('warn'), ['chunk not read'])
})

test('fetcher: another reader than the one asked before answers behind a barrier, until it has answered', async () => {
  const transport = new TransportTwin()
  const membership = new StaticMembership(snapshotOf())
  const fresh: [number, boolean][] = []
  let failing = true
  transport.on(planCall, (node, { isFresh, partitions }) => {
    fresh.push([node, isFresh])
    if (failing) throw new ZonewiseError('JOURNAL_UNSETTLED', 'no barrier now')
    return { partitions: partitions.map(() => ({ errorCode: 0, highWatermark: 1, lastStableOffset: 1, logStartOffset: 0, runs: [], isCut: false })) }
  })
  const fetcher = fetcherOn(transport, membership)
  const plan = (): Promise<unknown> => fetcher.plan({ shard: 0, isFresh: false, waitMs: 0, minBytes: 1, isolationLevel: 0, partitions: [] }, never)
  await plan()
  failing = false
  await plan()
  await plan()
  const [first] = fresh[0]!
  const other = first === 1 ? 2 : 1
  membership.set(snapshotOf([nodeOf(other, 'az1'), nodeOf(3, 'az2')], 2))
  await plan()
  await plan()
  assert.deepEqual(fresh, [[first, true], [first, true], [first, false], [other, true], [other, false]])
})

test('fetcher: a wait is told in whole milliseconds and never cut short, or long polls would end in a row of short ones', async () => {
  const transport = new TransportTwin()
  const told: number[] = []
  transport.on(planCall, (_node, { waitMs }) => { told.push(waitMs); return { partitions: [] } })
  let nowMs = 1_000.3
  const clock = { nowMs: () => 0, monotonicMs: () => (nowMs += 0.05) } // time passes while it is looked at
  const fetcher = fetcherOn(transport, new StaticMembership(snapshotOf()), { clock })
  for (const waitMs of [0, 1, 500])
    await fetcher.plan({ shard: 0, isFresh: false, waitMs, minBytes: 1, isolationLevel: 0, partitions: [] }, never)
  assert.deepEqual(told, [0, 1, 500])
})

test('fetcher: where the reader of a shard cannot be reached the next of the zone plans at once, behind a barrier', async () => {
  const transport = new TransportTwin()
  const runtime = new ManualRuntime()
  const fetcher = fetcherOn(transport, new StaticMembership(snapshotOf()), runtime)
  const asked: [number, boolean, number][] = []
  let dead = 0
  transport.on(planCall, async (node, { isFresh, waitMs, partitions }) => {
    asked.push([node, isFresh, waitMs])
    await runtime.advance(100)
    if (node === dead) throw new ZonewiseError('RPC_UNAVAILABLE', 'the node died', { node })
    return { partitions: partitions.map(() => ({ errorCode: 0, highWatermark: 1, lastStableOffset: 1, logStartOffset: 0, runs: [], isCut: false })) }
  })
  const partitions = [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partition: 0, fetchOffset: 0, maxBytes: 1, currentLeaderEpoch: -1 }]
  const plan = async (): Promise<number[]> =>
    (await fetcher.plan({ shard: 0, isFresh: false, waitMs: 500, minBytes: 1, isolationLevel: 0, partitions }, never)).map(({ errorCode }) => errorCode)
  await plan()
  const first = asked[0]![0]
  const other = first === 1 ? 2 : 1
  dead = first
  assert.deepEqual(await plan(), [0])
  assert.deepEqual(await plan(), [0])
  dead = 0
  assert.deepEqual(await plan(), [0])
  assert.deepEqual(asked, [
    [first, true, 500], [first, false, 500], [other, true, 400], [first, true, 500], [other, false, 400],
    [first, true, 500]
  ])
})

test('fetcher: where the owner of a chunk cannot be reached the next of the zone reads it', async () => {
  const transport = new TransportTwin()
  const fetcher = fetcherOn(transport, new StaticMembership(snapshotOf()))
  const asked: number[] = []
  transport.on(readCall, (node) => {
    asked.push(node)
    throw new ZonewiseError(asked.length === 1 ? 'STOPPING' : 'RPC_UNAVAILABLE', 'gone')
  })
  assert.deepEqual(texts(await fetcher.read([run(1, 0, 7)], never)), [null])
  assert.deepEqual(asked.toSorted(), [1, 2], 'both brokers of the zone, and nobody of another')
})
