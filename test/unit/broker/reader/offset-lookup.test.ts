/**
 * Goal: ListOffsets by position and by time is exact to the record, whatever the codec (PROTOCOL 36).
 * Method: one chunk with batches of a partition in a memory store, an index made by the entries that name them.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockCache } from '#broker/cache/block-cache.ts'
import { brokerSettings } from '#broker/config.ts'
import { CommitEntryWriter } from '#broker/partition/commit-entry.ts'
import { encodeCreatePartitions } from '#broker/partition/partition-entries.ts'
import { lookUpOffset } from '#broker/reader/offset-lookup.ts'
import { applyIndexEntry, newShardIndex } from '#broker/shard/shard-index.ts'
import { applyEntry, newShardState } from '#broker/shard/shard-state.ts'
import type { ShardView } from '#broker/shard/shard-view.ts'
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import { chunkKey } from '#shared/object/chunk-ref.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { makeRecordBatch, seal } from '#test/support/batches.ts'

const TOPIC = 'abcdefghijklmnopqrstuw'

type Lookup = (timestamp: number, partition?: number, epoch?: number) => Promise<readonly number[]>

async function setUp(batches: readonly Buffer[]): Promise<Lookup> {
  const source = { nodeId: 1, nodeEpoch: 1, nonce: '00000000000000aa', lane: 0 }
  const store = new MemoryStore({ nowMs: () => 1, monotonicMs: () => 1 })
  await store.putIfAbsent(chunkKey({ source, chunkSeq: 1 }), batches)
  const writer = new CommitEntryWriter(source, 1, 1, { partitionCount: 1, batchCount: batches.length })
  writer.partition(0, 0, 0, batches.length)
  let position = 0
  for (const batch of batches) {
    writer.accepted(position, batch.byteLength, batch.readInt32BE(57), Number(batch.readBigInt64BE(35)), -1, -1, -1)
    position += batch.byteLength
  }
  const state = newShardState()
  const index = newShardIndex()
  for (const entry of [encodeCreatePartitions({ topicId: TOPIC, createdMs: 1, partitions: [0, 1] }), writer.finish()]) {
    applyEntry(state, entry, 1)
    applyIndexEntry(index, entry)
  }
  const view: ShardView = {
    shard: 0, state, index, ageMs: 0, barrier: () => Promise.resolve(), touch() {}, onAdvance: () => () => {}
  }
  const cache = new BlockCache(store, new MemoryPool({ regionBytes: 2 ** 20, poison: true }), brokerSettings.defaults())
  return async (timestamp, partition = 0, currentLeaderEpoch = -1) => {
    const asked = { topicId: TOPIC, partition, currentLeaderEpoch, timestamp }
    const { errorCode, offset, timestamp: found } = await lookUpOffset(view, cache, asked)
    return errorCode === 0 ? [offset, found] : [errorCode]
  }
}

/** Records at the given times. */
function at(times: readonly number[], codec?: 'gzip' | 'zstd'): Buffer {
  const [first = 0] = times
  const records = times.map((time, i) => ({ key: `k${i}`, value: `v${i}`, timestampDelta: time - first }))
  return makeRecordBatch(records, { maxTimestamp: first, ...(codec === undefined ? {} : { codec }) })
}

for (const codec of [undefined, 'gzip', 'zstd'] as const) {
  test(`offset-lookup: by time it finds the first record not older (${codec ?? 'not packed'})`, async () => {
    const look = await setUp([at([1_000, 1_010, 1_020], codec), at([3_000, 2_000, 3_500], codec), at([2_500], codec)])
    assert.deepEqual(await look(0), [0, 1_000])
    assert.deepEqual(await look(1_000), [0, 1_000])
    assert.deepEqual(await look(1_001), [1, 1_010])
    assert.deepEqual(await look(1_020), [2, 1_020])
    assert.deepEqual(await look(1_021), [3, 3_000])
    assert.deepEqual(await look(3_001), [5, 3_500])
    assert.deepEqual(await look(3_501), [-1, -1])
  })
}

test('offset-lookup: the newest time is that of the first record that carries it; ends carry none', async () => {
  const look = await setUp([at([1_000, 5_000, 4_000]), at([5_000, 10])])
  assert.deepEqual(await look(-3), [1, 5_000])
  assert.deepEqual(await look(-1), [5, -1])
  assert.deepEqual(await look(-2), [0, -1])
  assert.deepEqual(await look(-4), [0, -1])
  assert.deepEqual(await look(-5), [-1, -1], 'nothing is tiered')
  assert.deepEqual(await look(-3, 1), [-1, -1], 'nothing there')
  assert.deepEqual(await look(0, 1), [-1, -1])
  assert.deepEqual(await look(0, 7), [KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION])
  assert.deepEqual(await look(0, 0, 3), [KAFKA_ERROR.UNKNOWN_LEADER_EPOCH])
})

test('offset-lookup: records with the time of their append all carry the batch\'s', async () => {
  const batch = at([1_000, 1_010])
  batch.writeInt16BE(8, 21)
  batch.writeBigInt64BE(9_000n, 35)
  const look = await setUp([seal(batch)])
  assert.deepEqual(await look(2_000), [0, 9_000])
  assert.deepEqual(await look(-3), [0, 9_000])
})

test('offset-lookup: records that cannot be read are answered by their batch, never too late', async () => {
  const damaged = at([1_000, 2_000], 'gzip')
  damaged.fill(7, 61)
  const look = await setUp([at([500]), seal(damaged)])
  assert.deepEqual(await look(1_500), [1, 2_000])
})
