/** Goal: lent memory is used again when everybody has let go of it, and never before. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FrameArena } from '#gateway/listener/frame-arena.ts'
import { MemoryPool, release, retain } from '#shared/binary/memory-pool.ts'

const HALF_SLAB = 2 * 2 ** 20

function setUp(): { arena: FrameArena; memory: MemoryPool } {
  const memory = new MemoryPool({ regionBytes: 32 * 2 ** 20 })
  return { arena: new FrameArena(memory), memory }
}

/** Whether one of the next slabs that the arena carves is the one that `frame` begins. */
function comesBack(arena: FrameArena, frame: Buffer): boolean {
  return [1, 2, 3, 4].some(() => arena.lend(HALF_SLAB).byteOffset === frame.byteOffset)
}

test('frame-arena: frames do not overlap, and one too big for a slab has memory of its own', () => {
  const { arena } = setUp()
  const frames = [arena.take(100), arena.take(100), arena.lend(100), arena.lend(100), arena.lend(HALF_SLAB + 1), arena.take(2 ** 20)]
  frames.forEach((frame, i) => { frame.fill(i) })
  frames.forEach((frame, i) => { assert.ok(frame.every((byte) => byte === i)) })
  assert.equal(frames[4]!.length, HALF_SLAB + 1)
})

test('frame-arena: a slab is used again once its last hold is released, and not before', () => {
  const { arena } = setUp()
  const [first, second] = [arena.lend(HALF_SLAB), arena.lend(HALF_SLAB)]
  assert.ok(first.buffer === second.buffer)
  retain(first.subarray(10, 20))
  release(first)
  release(second)
  assert.equal(comesBack(arena, first), false, 'part of it is still held')
  release(first.subarray(10, 20))
  assert.equal(comesBack(arena, first), true)
})

test('frame-arena: a slab that is still carved is not given out anew, though all its frames are released', () => {
  const { arena } = setUp()
  const first = arena.lend(1_000)
  release(first)
  const second = arena.lend(1_000)
  assert.ok(second.buffer === first.buffer)
  assert.equal(second.byteOffset, first.byteOffset + 1_000)
})

test('frame-arena: closed, with all frames released, it holds nothing', () => {
  const { arena, memory } = setUp()
  const frames = [arena.lend(1_000), arena.lend(HALF_SLAB + 1), arena.room(5_000)]
  assert.ok(memory.heldBytes > 0)
  arena.close()
  frames.forEach(release)
  assert.equal(memory.heldBytes, 0)
})
