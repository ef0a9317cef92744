/**
 * Goal: a block is used again when the last hold of it ends, never before, and never lies over another; what is free is
 * given back to the system; a release too many is noticed.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockBytes, MemoryPool, release, releaseAll, retain, retainAll } from '#shared/binary/memory-pool.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { seeds } from '#test/support/seeds.ts'

const KiB = 1_024
const REGION = 1_024 * KiB
const newPool = (poison = false): MemoryPool => new MemoryPool({ regionBytes: REGION, poison })
const isSame = (a: Buffer, b: Buffer): boolean => a.buffer === b.buffer && a.byteOffset === b.byteOffset

test('memory-pool: a block comes back when its last hold ends, by whatever view of it', () => {
  const pool = newPool()
  const first = pool.take(100 * KiB)
  retain(first.subarray(7, 8))
  release(first)
  assert.ok(!isSame(pool.take(100 * KiB), first), 'still held')
  release(first.subarray(99 * KiB))
  assert.ok(isSame(pool.take(100 * KiB), first))
})

test('memory-pool: counts what is held and what is free', () => {
  const pool = newPool()
  const taken = [10, 20 * KiB, 100 * KiB].map((length) => pool.take(length))
  assert.deepEqual(taken.map(({ length }) => length), [10, 20 * KiB, 100 * KiB])
  const bytes = taken.reduce((sum, { length }) => sum + blockBytes(length), 0)
  assert.deepEqual([pool.heldBytes, pool.freeBytes], [bytes, REGION - bytes])
  retainAll(taken)
  releaseAll(taken)
  assert.equal(pool.heldBytes, bytes)
  releaseAll(taken)
  assert.deepEqual([pool.heldBytes, pool.freeBytes], [0, REGION])
})

test('memory-pool: memory that is free in whole is given back at once, but for one region', () => {
  const pool = newPool()
  const blocks = [1, 2, 3].map(() => pool.take(REGION))
  const huge = pool.take(5 * REGION)
  assert.deepEqual([huge.length, pool.heldBytes], [5 * REGION, 8 * REGION])
  releaseAll([...blocks, huge])
  assert.deepEqual([pool.heldBytes, pool.freeBytes], [0, REGION])
  assert.equal([...blocks, huge].filter(({ buffer }) => buffer.byteLength === 0).length, 3, 'freed without the collector')
})

test('memory-pool: a release too many is a bug that is noticed, and so is a hold of what nobody holds', () => {
  const pool = newPool()
  const block = pool.take(100)
  release(block)
  assert.throws(() => { release(block) })
  assert.throws(() => { retain(block) })
})

test('memory-pool: what is released is written over where that is asked for', () => {
  const pool = newPool(true)
  const block = pool.take(100).fill(1)
  release(block)
  assert.ok(block.every((byte) => byte === 0xee))
})

test('memory-pool: bytes of no pool and empty ones are the collector\'s: holding and releasing them does nothing', () => {
  const pool = newPool()
  const block = pool.take(blockBytes(1))
  const next = pool.take(10)
  for (const bytes of [new Uint8Array(10), pool.take(0), block.subarray(block.length)]) {
    release(bytes)
    retain(bytes)
  }
  releaseAll([block, next])
  assert.equal(pool.heldBytes, 0)
})

for (const seed of seeds(20)) {
  test(`memory-pool: blocks of all sizes and ages never overlap, and gaps are used again (seed ${seed})`, () => {
    const rng = new Rng(seed)
    const pool = newPool(true)
    const held: { readonly bytes: Buffer; readonly mark: number; holds: number }[] = []
    let most = 0
    for (let n = 0; n < 2_000; n++) {
      if (held.length < 20 || rng.below(2) === 0) {
        const bytes = pool.take(1 + rng.below(rng.below(4) === 0 ? 400 * KiB : 60 * KiB))
        held.push({ bytes: bytes.fill(n % 200), mark: n % 200, holds: 1 })
      } else {
        const at = rng.below(held.length)
        const one = held[at]!
        if (rng.below(3) === 0 && one.holds < 5) {
          retain(one.bytes.subarray(rng.below(one.bytes.length)))
          one.holds += 1
        } else {
          assert.ok(one.bytes[0] === one.mark && one.bytes.at(-1) === one.mark && one.bytes[one.bytes.length >> 1] === one.mark)
          release(one.bytes)
          if (--one.holds === 0) held.splice(at, 1)
        }
      }
      most = Math.max(most, pool.heldBytes)
    }
    assert.equal(pool.heldBytes, held.reduce((sum, { bytes }) => sum + blockBytes(bytes.length), 0))
    assert.ok(pool.freeBytes < most + REGION, `${pool.freeBytes} free, at most ${most} were held`)
    for (const { bytes, holds } of held) for (let i = 0; i < holds; i++) release(bytes)
    assert.deepEqual([pool.heldBytes, pool.freeBytes], [0, REGION])
  })
}
