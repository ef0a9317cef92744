/**
 * Goal: the newest chunks are found by batch bounds, the oldest go first, and only memory that no reader ever got is
 * released when they go.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogCache } from '#gateway/ingest/log-cache.ts'
import type { SealedChunk } from '#gateway/ingest/open-chunk.ts'
import { LANE, type Source } from '#shared/object/chunk-ref.ts'

const source: Source = { nodeId: 1, nodeEpoch: 2, nonce: '0011223344556677', lane: LANE.region }

function chunk(chunkSeq: number, lengths: readonly number[]): SealedChunk {
  const payload = lengths.map((length) => new Uint8Array(length).fill(chunkSeq))
  return { ref: { source, chunkSeq }, key: `chunks/${chunkSeq}`, partitions: [], payload, payloadBytes: 0, footer: new Uint8Array(0), checksum: 0 }
}

test('log-cache: finds the batches of a range, and nothing of another source', () => {
  const cache = new LogCache(source, 1_000)
  const held = chunk(1, [10, 20, 30])
  cache.add(held)
  assert.deepEqual(cache.find({ source, chunkSeq: 1 }, 10, 60), held.payload.slice(1))
  assert.equal(cache.find({ source, chunkSeq: 2 }, 0, 10), null)
  assert.equal(cache.find({ source: { ...source, nodeEpoch: 3 }, chunkSeq: 1 }, 0, 10), null)
})

test('log-cache: the oldest chunks go first and release their batches, but for those that a reader got', () => {
  const released: Uint8Array[] = []
  const cache = new LogCache(source, 100, (bytes) => { released.push(bytes) })
  const [first, second, third] = [chunk(1, [40]), chunk(2, [20, 20]), chunk(3, [90])]
  cache.add(first)
  cache.add(second)
  assert.notEqual(cache.find({ source, chunkSeq: 1 }, 0, 40), null)
  assert.deepEqual(released, [])
  cache.add(third)
  assert.deepEqual(released, second.payload)
  assert.equal(cache.bytes, 90)
  assert.equal(cache.find({ source, chunkSeq: 1 }, 0, 40), null)
})
