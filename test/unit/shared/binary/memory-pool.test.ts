/**
 * Goal: a block is used again when the last hold of it ends, never before; what is free is bounded and given back to the
 * system at once; a release too many is noticed.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockBytes, MemoryPool, release, releaseAll, retain, retainAll } from '#shared/binary/memory-pool.ts'

const KiB = 1_024

test('memory-pool: a block comes back when its last hold ends, by whatever view of it', () => {
  const pool = new MemoryPool({ freeBytesMax: KiB * KiB })
  const first = pool.take(100 * KiB)
  retain(first.subarray(7, 8))
  release(first)
  assert.notEqual(pool.take(100 * KiB).buffer, first.buffer, 'still held')
  release(first.subarray(1_000))
  assert.equal(pool.take(100 * KiB).buffer, first.buffer)
})

test('memory-pool: counts what is held and what is free', () => {
  const pool = new MemoryPool({ freeBytesMax: KiB * KiB })
  const taken = [10, 5_000, 100 * KiB].map((length) => pool.take(length))
  assert.deepEqual(taken.map(({ length }) => length), [10, 5_000, 100 * KiB])
  const bytes = taken.reduce((sum, { length }) => sum + blockBytes(length), 0)
  assert.deepEqual([pool.heldBytes, pool.freeBytes], [bytes, 0])
  retainAll(taken)
  releaseAll(taken)
  assert.deepEqual([pool.heldBytes, pool.freeBytes], [bytes, 0])
  releaseAll(taken)
  assert.deepEqual([pool.heldBytes, pool.freeBytes], [0, bytes])
})

test('memory-pool: no more than its bound stays free, and what is above is gone at once', () => {
  const pool = new MemoryPool({ freeBytesMax: 256 * KiB })
  const blocks = [64, 128, 192].map((size) => pool.take(size * KiB))
  releaseAll(blocks)
  assert.equal(pool.freeBytes, 192 * KiB)
  assert.deepEqual(blocks.map(({ length }) => length), [0, 0, 192 * KiB], 'freed without the collector')
})

test('memory-pool: a size that fits a power of two wastes nothing, others at most a fifth', () => {
  for (const length of [0, 1, 64, 65, 4_096, 65_536, 2 ** 22]) assert.ok(blockBytes(length) >= length)
  for (let length = 65; length < 10_000_000; length = Math.ceil(length * 1.01)) {
    assert.ok(blockBytes(length) >= length && blockBytes(length) < length * 1.25, `${length} takes ${blockBytes(length)}`)
    assert.equal(blockBytes(blockBytes(length)), blockBytes(length))
  }
  assert.equal(blockBytes(2 ** 22), 2 ** 22)
})

test('memory-pool: a release too many is a bug that is noticed, and so is a hold of what nobody holds', () => {
  const pool = new MemoryPool({ freeBytesMax: KiB * KiB })
  const block = pool.take(100)
  release(block)
  assert.throws(() => { release(block) })
  assert.throws(() => { retain(block) })
})

test('memory-pool: what is released is written over where that is asked for', () => {
  const pool = new MemoryPool({ freeBytesMax: KiB * KiB, poison: true })
  const block = pool.take(100).fill(1)
  release(block)
  assert.ok(block.every((byte) => byte === 0xee))
})

test('memory-pool: bytes of no pool are the collector\'s: holding and releasing them does nothing', () => {
  const bytes = new Uint8Array(10)
  release(bytes)
  retain(bytes)
  releaseAll([bytes, bytes])
})
