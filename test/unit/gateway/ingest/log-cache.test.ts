/** Goal: the newest chunks are found by batch bounds, the oldest go first, and memory comes back when nobody reads it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogCache } from '#gateway/ingest/log-cache.ts'
import type { SealedChunk } from '#gateway/ingest/open-chunk.ts'
import { MemoryPool, releaseAll } from '#shared/binary/memory-pool.ts'
import { LANE, type Source } from '#shared/object/chunk-ref.ts'

const source: Source = { nodeId: 1, nodeEpoch: 2, nonce: '0011223344556677', lane: LANE.region }
const newPool = (): MemoryPool => new MemoryPool({ regionBytes: 2 ** 20, poison: true })

function chunk(memory: MemoryPool, chunkSeq: number, lengths: readonly number[]): SealedChunk {
  const payload = lengths.map((length) => memory.take(length).fill(chunkSeq))
  return { ref: { source, chunkSeq }, key: `chunks/${chunkSeq}`, partitions: [], payload, payloadBytes: 0, footer: new Uint8Array(0), checksum: 0 }
}

test('log-cache: finds the batches of a range, and nothing of another source', () => {
  const cache = new LogCache(source, 1_000)
  const added = chunk(newPool(), 1, [10, 20, 30])
  cache.add(added)
  assert.deepEqual(cache.find({ source, chunkSeq: 1 }, 10, 60), added.payload.slice(1))
  assert.equal(cache.find({ source, chunkSeq: 2 }, 0, 10), null)
  assert.equal(cache.find({ source: { ...source, nodeEpoch: 3 }, chunkSeq: 1 }, 0, 10), null)
})

test('log-cache: the oldest chunks go first, and what a reader was given stays whole until it is released', () => {
  const memory = newPool()
  const cache = new LogCache(source, 100)
  for (const [chunkSeq, lengths] of [[1, [40]], [2, [20, 20]]] as const) cache.add(chunk(memory, chunkSeq, lengths))
  const found = cache.find({ source, chunkSeq: 1 }, 0, 40)!
  const before = memory.heldBytes
  cache.add(chunk(memory, 3, [90]))
  assert.equal(cache.bytes, 90)
  assert.equal(cache.has({ source, chunkSeq: 1 }), false)
  assert.ok(found[0]!.every((byte) => byte === 1))
  releaseAll(found)
  assert.ok(memory.heldBytes < before)
  cache.clear()
  assert.equal(memory.heldBytes, 0)
})
