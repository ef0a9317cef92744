/**
 * Goal: chunks are committed in order and once, and what is given up takes what must not overtake it with it
 * (DESIGN section 4: "Order", "Once", "Giving up").
 * Method: the real ingest over a memory store that fails on demand, and a leader that answers as the test says.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ingest } from '#gateway/ingest/ingest.ts'
import type { PendingBatch } from '#gateway/ingest/open-chunk.ts'
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { silentLog } from '#shared/log/log.ts'
import { AnswersWriter, forEachRow } from '#shared/rpc/commit-rows.ts'
import { CHUNK_STATUS, commitCall, type CommitRequest, type CommitResponse } from '#shared/rpc/commit.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import { InProcessNetwork } from '#shared/transport/in-process.ts'
import { makeBatch } from '#test/support/batches.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const TOPIC = 'abcdefghijklmnopqrstuw'
const settings = {
  lingerMs: 5, idleLingerMs: 5, idleBytesMax: 1_000, chunkBytesMax: 1_000, putsMax: 2, ingestBytesMax: 3_000, chunkGiveUpMs: 500, commitWindow: 8, commitDeadlineMs: 100, logCacheBytesMax: 10_000
}
type Answer = { errorCode: number; baseOffset: number }

function setUp(decide: (request: CommitRequest) => CommitResponse = decideAll()) {
  const runtime = new ManualRuntime()
  const store = new MemoryStore(runtime.clock)
  const failing = new Set<number>() // chunkSeqs whose PUT fails
  let held: Promise<void> | null = null
  const faulty = Object.assign(Object.create(store) as MemoryStore, {
    putIfAbsent: async (key: string, chunks: readonly Uint8Array[]) => {
      if (held !== null) await held
      if (failing.has(Number(key.split('/').at(-1)))) throw new ZonewiseError('STORE_UNAVAILABLE', 'put failed')
      await store.putIfAbsent(key, chunks)
    }
  })
  const hub = new InProcessNetwork({ ledger: new Ledger(), timer: runtime.timer })
  const info = { nodeId: 1, nodeEpoch: 4, zone: 'a', roles: { gateway: true, broker: true }, listeners: [] }
  const transport = hub.attach(info)
  const requests: CommitRequest[] = []
  transport.serve(commitCall, (request) => { requests.push(request); return Promise.resolve(decide(request)) })
  const membership = new StaticMembership({ version: 1, clusterId: 'c', shardCount: 4, nodes: [info] })
  const memory = new MemoryPool({ regionBytes: 2 ** 20, poison: true })
  const ingest = new Ingest({ nodeId: 1, nodeEpoch: 4, clusterId: 'c', store: faulty, memory, transport, membership, runtime, log: silentLog, settings })
  const answers: (Answer | null)[] = []
  const append = (other: Partial<PendingBatch> = {}): number => {
    const at = answers.push(null) - 1
    const bytes = other.bytes ?? makeBatch({ valueBytes: 39 })
    return ingest.append({
      bytes, length: bytes.length, position: 0, leftOut: false, shard: 0, topicId: TOPIC, partition: 0, recordCount: 1, maxTimestamp: 1, producerId: -1, producerEpoch: -1,
      baseSequence: -1, attributes: 0, crc: 0, origin: 'c1', ...other, answer: (errorCode, baseOffset) => {
        assert.equal(answers[at], null)
        answers[at] = { errorCode, baseOffset }
      }
    })
  }
  const settle = async (ms = 50): Promise<void> => { for (let i = 0; i < 5; i++) { await new Promise(setImmediate); await runtime.advance(ms / 5) } }
  return { runtime, store, failing, ingest, requests, answers, append, settle, hold: (promise: Promise<void> | null) => { held = promise } }
}

/** A leader that gives out offsets per shard, and equal answers to a chunk it has seen. */
function decideAll(): (request: CommitRequest) => CommitResponse {
  let next = 0
  const seen = new Map<string, Uint8Array>()
  return ({ shard, chunks }) => ({
    leader: 1, membershipVersion: 1,
    chunks: chunks.map(({ chunkSeq, rows }) => {
      let answers = seen.get(`${shard}/${chunkSeq}`)
      if (answers === undefined) {
        const writer = new AnswersWriter()
        forEachRow(rows, () => {}, () => writer.add(0, next++, -1, 0))
        seen.set(`${shard}/${chunkSeq}`, (answers = writer.finish()))
      }
      return { chunkSeq, status: CHUNK_STATUS.answered, answers }
    })
  })
}

test('ingest: the arrivals of one turn go in one chunk, and all are answered with their offsets', async () => {
  const t = setUp()
  for (let i = 0; i < 5; i++) assert.equal(t.append({ shard: i % 2, partition: i % 2 }), 0)
  await t.settle()
  assert.equal((await t.store.list('chunks/')).length, 1)
  assert.deepEqual(t.answers.map((answer) => answer?.errorCode), [0, 0, 0, 0, 0])
  assert.equal(t.ingest.bytes, 0)
})

test('ingest: above its bound nothing is taken, and the code is one that clients retry', async () => {
  const t = setUp()
  const { promise, resolve } = Promise.withResolvers<void>()
  t.hold(promise)
  for (let i = 0; i < 24; i++) assert.equal(t.append({ shard: i % 4, partition: i % 4 }), 0)
  assert.equal(t.append(), 7)
  resolve()
  t.hold(null)
  await t.settle()
  assert.equal(t.answers.filter((answer) => answer?.errorCode === 0).length, 24)
  assert.equal(t.append(), 0)
})

test('ingest: shards whose leaders do not decide leave room for those whose do', async () => {
  const leader = decideAll()
  const t = setUp((request) => request.shard < 2 ? { leader: 0, membershipVersion: 1, chunks: [] } : leader(request))
  for (let i = 0; i < 200; i++) {
    t.append({ shard: i % 2, partition: i % 2 })
    await t.settle(1)
  }
  assert(t.ingest.bytes <= settings.ingestBytesMax * 2 / 3, `${t.ingest.bytes} bytes held`)
  for (let i = 0; i < 20; i++) {
    assert.equal(t.append({ shard: 2, partition: 2 }), 0)
    await t.settle(20)
    assert.equal(t.answers.at(-1)?.errorCode, 0)
  }
})

test('ingest: a chunk that was not answered is sent again before any later one, with the same bytes', async () => {
  const leader = decideAll()
  let refusals = 3
  const t = setUp((request) => refusals-- > 0 ? { leader: 0, membershipVersion: 1, chunks: [] } : leader(request))
  t.append()
  await t.settle(10)
  t.append()
  await t.settle(2_000)
  assert.deepEqual(t.answers, [{ errorCode: 0, baseOffset: 0 }, { errorCode: 0, baseOffset: 1 }])
  const firsts = t.requests.map(({ chunks }) => chunks[0])
  assert(firsts.length >= 4)
  for (const first of firsts.slice(0, 4)) assert.deepEqual([first?.chunkSeq, first?.checksum, first?.rows], [1, firsts[0]?.checksum, firsts[0]?.rows])
})

test('ingest: a chunk given up fails later batches of the same partition and connection, and no others', async () => {
  const t = setUp()
  t.failing.add(1)
  t.append({ origin: 'c1' })
  await t.settle(10) // chunk 1 is being tried
  t.append({ origin: 'c1' }) // must not overtake
  t.append({ origin: 'c2' })
  t.append({ origin: 'c1', partition: 1 })
  t.append({ producerId: 5, producerEpoch: 0, baseSequence: 0 })
  await t.settle(10)
  assert.equal(t.requests.length, 0) // chunk 2 is durable and waits for chunk 1
  for (let i = 0; i < 40; i++) await t.settle(100)
  assert.deepEqual(t.answers.map((answer) => answer?.errorCode), [56, 56, 0, 0, 0])
  assert.equal(t.ingest.bytes, 0)
  t.append({ origin: 'c1' })
  await t.settle()
  assert.equal(t.answers.at(-1)?.errorCode, 0)
})
