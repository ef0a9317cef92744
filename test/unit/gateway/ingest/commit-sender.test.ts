/**
 * Goal: a leader is asked for the same chunks in the same order until it has decided (DESIGN section 4: "Order",
 * "Once"). Method: the real sender, and a leader that fails as the test says.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommitSender, type CommitUnit } from '#gateway/ingest/commit-sender.ts'
import type { PendingBatch } from '#gateway/ingest/open-chunk.ts'
import { leaderOf } from '#shared/cluster/placement.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { LANE } from '#shared/object/chunk-ref.ts'
import { AnswersWriter } from '#shared/rpc/commit-rows.ts'
import { CHUNK_STATUS, commitCall, type CommitRequest, type CommitResponse } from '#shared/rpc/commit.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { makeBatch } from '#test/support/batches.ts'
import { nodeOf, RecordingLog, snapshotOf, TransportTwin } from '#test/support/gateway-twin.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const WINDOW = 3
type Status = keyof typeof CHUNK_STATUS

function setUp(answer: (request: CommitRequest, node: number) => CommitResponse | Promise<CommitResponse>) {
  const runtime = new ManualRuntime()
  const membership = new StaticMembership(snapshotOf())
  const transport = new TransportTwin()
  const log = new RecordingLog()
  const asked: number[][] = []
  transport.on(commitCall, (node, request) => {
    asked.push(request.chunks.map(({ chunkSeq }) => chunkSeq))
    return answer(request, node)
  })
  const source = { nodeId: 1, nodeEpoch: 1, nonce: '0011223344556677', lane: LANE.region }
  const settings = { commitWindow: WINDOW, commitDeadlineMs: 1_000 }
  const closed: string[] = []
  const sender = new CommitSender({
    shard: 2, source, transport, membership, runtime, log, settings, floor: () =>
      7, onClosed: () => { closed.push('closed') }
  })
  const answered: [number, number][] = [] // chunkSeq and error code, in the order of the answers
  const decided: number[] = []
  const push = (chunkSeq: number): void =>
    sender.push(unit(chunkSeq, (code) => { answered.push([chunkSeq, code]) }, () => { decided.push(chunkSeq) }))
  return { runtime, membership, sender, log, asked, answered, decided, closed, push }
}

function unit(chunkSeq: number, answer: (errorCode: number) => void, decided: () => void): CommitUnit {
  const placed = { bytes: makeBatch(), answer, position: 0, leftOut: false } as unknown as PendingBatch
  return { chunkSeq, checksum: chunkSeq, rows: new Uint8Array([chunkSeq]), batches: [placed], decided }
}

function answers(
  request: CommitRequest, statusOf: (chunkSeq: number) => Status = () => 'answered', count = 1
): CommitResponse {
  const writer = new AnswersWriter()
  for (let i = 0; i < count; i++) writer.add(0, 5, -1, 0)
  return { leader: 1, membershipVersion: 1, chunks: request.chunks.map(({ chunkSeq }) => {
    const status = statusOf(chunkSeq)
    return {
      chunkSeq, status: CHUNK_STATUS[status], answers: status === 'answered' ? writer.finish() : new Uint8Array(0)
    }
  }) }
}

test('commit-sender: one request is in flight, and what comes meanwhile goes with the next, up to the window', async () => {
  const t = setUp((request) => answers(request))
  for (const chunkSeq of [1, 2, 3, 4, 5, 6]) t.push(chunkSeq)
  await t.runtime.settle()
  assert.deepEqual(t.asked, [[1], [2, 3, 4], [5, 6]])
  assert.deepEqual(t.decided, [1, 2, 3, 4, 5, 6])
})

test('commit-sender: whatever is not an answer means the same chunks again, from the oldest undecided on', async () => {
  const failures: ((request: CommitRequest) => CommitResponse)[] = [
    () => { throw new ZonewiseError('RPC_UNAVAILABLE', 'node is not there') },
    () => { throw new ZonewiseError('RPC_TIMED_OUT', 'no answer in time') },
    () => ({ leader: 0, membershipVersion: 2, chunks: [] }),
    (request) => answers(request, () => 'unknown'),
    (request) => answers(request, (chunkSeq) => (chunkSeq < 2 ? 'answered' : 'notDecided')),
    (request) => answers(request, (chunkSeq) => (chunkSeq === 2 ? 'unknown' : 'answered'))
  ]
  const t = setUp((request) => (failures.shift() ?? answers)(request))
  for (const chunkSeq of [1, 2, 3, 4]) t.push(chunkSeq)
  await t.runtime.advance(5_000)
  assert.deepEqual(t.asked, [[1], [1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 3], [2, 3, 4], [2, 3, 4]])
  assert.deepEqual(t.answered, [[1, 0], [2, 0], [3, 0], [4, 0]])
})

test('commit-sender: an answer for other batches than were sent is no answer, and a human is told', async () => {
  let count = 2
  const t = setUp((request) => answers(request, undefined, count))
  t.push(1)
  await t.runtime.advance(1)
  assert.deepEqual(t.decided, [])
  assert.deepEqual(t.log.of('error'), ['leader answered other batches than were sent'])
  count = 1
  await t.runtime.advance(1_000)
  assert.deepEqual(t.decided, [1])
})

test('commit-sender: a chunk refused for good ends with a code that clients retry, and the next ones go on', async () => {
  const t = setUp((request) => answers(request, (chunkSeq) => (chunkSeq === 2 ? 'refused' : 'answered')))
  for (const chunkSeq of [1, 2, 3]) t.push(chunkSeq)
  await t.runtime.settle()
  assert.deepEqual(t.answered, [[1, 0], [2, KAFKA_ERROR.REQUEST_TIMED_OUT], [3, 0]])
  assert.deepEqual(t.decided, [1, 2, 3])
  assert.deepEqual(t.log.of('error'), ['leader refused a chunk for good'])
})

test('commit-sender: a new leader is asked as soon as the cluster names one', async () => {
  const nodes: number[] = []
  const t = setUp((request, node) => {
    nodes.push(node)
    return nodes.length < 30 ? { leader: 0, membershipVersion: 1, chunks: [] } : answers(request)
  })
  t.push(1)
  await t.runtime.advance(2_000) // the waits are long by now
  const [before, old] = [nodes.length, leaderOf(t.membership.current(), 2)]
  const next = snapshotOf([nodeOf(7, 'az1')], 2)
  t.membership.set(next)
  await t.runtime.settle()
  assert.equal(nodes.length, before + 1)
  assert.notEqual(nodes.at(-1), old)
  assert.equal(nodes.at(-1), 7)
})

test('commit-sender: stopped it asks no more', async () => {
  const t = setUp(() => ({ leader: 0, membershipVersion: 1, chunks: [] }))
  t.push(1)
  await t.runtime.advance(100)
  t.sender.stop()
  const before = t.asked.length
  t.push(2)
  await t.runtime.advance(10_000)
  assert.equal(t.asked.length, before)
  assert.equal(t.runtime.pendingCount, 0)
})

test('commit-sender: a quarantined shard is given up with all that waits, and nothing is taken for it for a while', async () => {
  let quarantined = true
  const t = setUp((request) => {
    if (quarantined) throw new ZonewiseError('SHARD_QUARANTINED', 'shard is quarantined')
    return answers(request)
  })
  for (const chunkSeq of [1, 2, 3, 4, 5]) t.push(chunkSeq)
  assert.equal(t.sender.refuses, false)
  await t.runtime.settle()
  assert.deepEqual(t.answered, [1, 2, 3, 4, 5].map((chunkSeq) => [chunkSeq, KAFKA_ERROR.KAFKA_STORAGE_ERROR]))
  assert.deepEqual(t.decided, [1, 2, 3, 4, 5]) // their room is free again
  assert.equal(t.sender.refuses, true)
  await t.runtime.advance(1_500)
  assert.equal(t.sender.refuses, false)
  quarantined = false
  t.push(6)
  await t.runtime.advance(1_000)
  assert.deepEqual(t.answered.at(-1), [6, 0])
})

test('commit-sender: a chunk of a life that was closed fails, and the gateway hears of it', async () => {
  const { runtime, answered, decided, closed, push } = setUp((request) => {
    assert.equal(request.floor, 7)
    return answers(request, () => 'closed')
  })
  push(8)
  push(9)
  await runtime.settle()
  assert.deepEqual(answered, [[8, KAFKA_ERROR.REQUEST_TIMED_OUT], [9, KAFKA_ERROR.REQUEST_TIMED_OUT]])
  assert.deepEqual(decided, [8, 9])
  assert(closed.length > 0)
})
