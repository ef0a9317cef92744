/**
 * Goal: whatever gateways send, offsets are dense and unique, idempotent batches appear once, repeated chunks get the
 * same answers, and replay of the entries gives the same state (PROTOCOL 21-24; DESIGN section 4, "Once").
 * Method: seeded chunks with repeats, gaps, old epochs and unknown partitions against a model; a second state is fed
 * with the entries only, a third comes back from a snapshot in the middle.
 * Replay one failure: TEST_SEEDS=<seed> npm test
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planCommit, type ChunkCommit } from '#broker/partition/commit-plan.ts'
import { encodeCloseSources, encodeCreatePartitions } from '#broker/partition/partition-entries.ts'
import { decodePartitionsState, encodePartitionsState } from '#broker/partition/partitions-snapshot.ts'
import {
  applyPartitionEntry, findPartition, newPartitionsState, type PartitionsState
} from '#broker/partition/partitions-state.ts'
import { readAnswers, writeRows } from '#shared/rpc/commit-rows.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { seeds } from '#test/support/seeds.ts'

const TOPIC = 'abcdefghijklmnopqrstuw'
const PARTITIONS = 3
type Batch = { partition: number; position: number; length: number; recordCount: number; maxTimestamp: number
  producerId: number; producerEpoch: number; baseSequence: number; attributes: number }

function rowsOf(batches: readonly Batch[]): Uint8Array {
  const partitions = [...new Set(batches.map(({ partition }) => partition))].sort((a, b) => a - b)
  return writeRows(partitions.map(
    (partition) => ({ topicId: TOPIC, partition, batches: batches.filter((batch) => batch.partition === partition) })
  ))
}

for (const seed of seeds(30)) {
  test(`commit-plan: offsets are dense, duplicates are found and replay is exact (seed ${seed})`, () => {
    const rng = new Rng(seed)
    const state = newPartitionsState()
    let replayed: PartitionsState = newPartitionsState()
    const create = encodeCreatePartitions({ topicId: TOPIC, createdMs: 1, partitions: [0, 1, 2] })
    applyPartitionEntry(state, create, 1)
    applyPartitionEntry(replayed, create, 1)
    const source = { nodeId: 1, nodeEpoch: 1, nonce: '00000000000000ff', lane: 0 }
    const endOffsets = Array.from({ length: PARTITIONS }, () => 0)
    const nextSequence = new Map<string, number>()
    const firstOffset = new Map<string, number>() // "producer/partition/sequence" of accepted idempotent batches
    const sent: { chunk: ChunkCommit; answers: string }[] = []
    let floor = 0
    for (let chunkSeq = 1; chunkSeq <= 200; chunkSeq++) {
      const timeMs = 1_000 + chunkSeq
      const batches: Batch[] = []
      for (let i = rng.below(6); i >= 0; i--) {
        const partition = rng.below(PARTITIONS + 1) // the last one is unknown
        const producerId = rng.below(3) - 1
        const key = `${producerId}/${partition}`
        const next = nextSequence.get(key) ?? 0
        const recordCount = 1 + rng.below(4)
        const gap = rng.below(6) === 0
        const baseSequence = producerId === -1 ? -1 : next + (gap ? 1 + rng.below(3) : 0)
        batches.push({
          partition, position: 0, length: 100, recordCount, maxTimestamp: timeMs, producerId,
          producerEpoch: producerId === -1 ? -1 : 0, baseSequence, attributes: 0
        })
        if (producerId !== -1 && !gap && partition < PARTITIONS) nextSequence.set(key, next + recordCount)
      }
      // a retry inside one chunk
      if (rng.below(4) === 0) batches.push(...batches.filter(({ producerId }) => producerId !== -1))
      const stated = seed % 2 === 0 ? {} : { floor: Math.max(1, chunkSeq - rng.below(5)) }
      const chunk: ChunkCommit = { source, chunkSeq, checksum: rng.below(2 ** 31), rows: rowsOf(batches), ...stated }
      floor = Math.max(floor, stated.floor ?? 0)
      const plan = planCommit(state, chunk, timeMs, () => false)
      assert.equal(plan.kind, 'new')
      if (plan.kind !== 'new') return
      applyPartitionEntry(state, plan.entry, timeMs)
      applyPartitionEntry(replayed, plan.entry, timeMs)
      const again = planCommit(state, chunk, timeMs, () => false)
      assert.equal(again.kind, 'known')
      if (again.kind !== 'known') return
      const answers = readAnswers(again.answers)
      sent.push({ chunk, answers: Buffer.from(again.answers).toString('hex') })
      const ordered = [...batches].sort((a, b) => a.partition - b.partition)
      assert.equal(answers.length, ordered.length)
      ordered.forEach((batch, i) => {
        const answer = answers[i]
        assert(answer !== undefined)
        if (batch.partition >= PARTITIONS) return assert.equal(answer.errorCode, 3)
        if (answer.errorCode !== 0) return assert.equal(answer.errorCode, 45)
        const key = `${batch.producerId}/${batch.partition}/${batch.baseSequence}`
        const first = batch.producerId === -1 ? undefined : firstOffset.get(key)
        if (first !== undefined) return assert.equal(answer.baseOffset, first)
        assert.equal(answer.baseOffset, endOffsets[batch.partition])
        endOffsets[batch.partition] = answer.baseOffset + batch.recordCount
        if (batch.producerId !== -1) firstOffset.set(key, answer.baseOffset)
      })
      const old = sent[Math.max(0, sent.length - 1 - rng.below(8))]
      assert(old !== undefined)
      const repeated = planCommit(state, old.chunk, timeMs, () => false)
      assert.equal(
        repeated.kind === 'known' ? Buffer.from(repeated.answers).toString('hex') : repeated.kind, old.answers
      )
      assert.equal(
        planCommit(state, { ...old.chunk, checksum: old.chunk.checksum ^ 1 }, timeMs, () => false).kind, 'refused'
      )
      if (sent.length > 8) {
        assert.equal(planCommit(state, sent[sent.length - 9]?.chunk ?? chunk, timeMs, () => false).kind, 'refused')
      }
      if (rng.below(20) === 0) replayed = decodePartitionsState(Buffer.concat(encodePartitionsState(replayed)))
    }
    assert.deepEqual(replayed, state)
    assert.equal([...state.sources.values()][0]?.floor, floor)
    endOffsets.forEach((end, partition) => assert.equal(findPartition(state, TOPIC, partition)?.nextOffset, end))
    const newer = { ...source, nodeEpoch: 2, nonce: '0000000000000001' }
    assert.equal(
      planCommit(state, { source: newer, chunkSeq: 1, checksum: 1, rows: rowsOf([]) }, 5_000, () => false).kind, 'new'
    )
    const twin = { ...source, nonce: '0000000000000002' }
    assert.equal(
      planCommit(state, { source: twin, chunkSeq: 201, checksum: 1, rows: rowsOf([]) }, 5_000, () => false).kind,
      'refused'
    )
    const close = encodeCloseSources([{ nodeId: source.nodeId, nodeEpoch: 1 }])
    for (const held of [state, replayed]) applyPartitionEntry(held, close, 6_000)
    const comeBack = decodePartitionsState(Buffer.concat(encodePartitionsState(state)))
    assert.deepEqual(comeBack, replayed)
    const late = planCommit(comeBack, { source, chunkSeq: 202, checksum: 1, rows: rowsOf([]) }, 7_000, () => false)
    assert.deepEqual(late, { kind: 'refused', reason: 'closed' })
    const next = { source: newer, chunkSeq: 1, checksum: 1, rows: rowsOf([]) }
    assert.equal(planCommit(comeBack, next, 7_000, () => false).kind, 'new')
  })
}
