/**
 * Goal: lent memory is used again when everybody has let go of it, never before, and never if somebody forgot to.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FrameArena } from '#gateway/listener/frame-arena.ts'

const HALF_SLAB = 2 * 2 ** 20

/** Whether one of the next slabs that the arena carves is the one of `frame`. */
function comesBack(arena: FrameArena, frame: Buffer): boolean {
  return [1, 2, 3, 4].some(() => arena.lend(HALF_SLAB).buffer === frame.buffer)
}

test('frame-arena: frames do not overlap, and one too big for a slab has memory of its own', () => {
  const arena = new FrameArena()
  const frames = [arena.take(100), arena.take(100), arena.lend(100), arena.lend(100), arena.lend(HALF_SLAB + 1), arena.take(2 ** 20)]
  frames.forEach((frame, i) => { frame.fill(i) })
  frames.forEach((frame, i) => { assert.ok(frame.every((byte) => byte === i)) })
  assert.equal(frames[4]!.length, HALF_SLAB + 1)
})

test('frame-arena: a slab is used again once its last hold is released, and not before', () => {
  const arena = new FrameArena()
  const [first, second] = [arena.lend(HALF_SLAB), arena.lend(HALF_SLAB)]
  assert.ok(first.buffer === second.buffer)
  arena.retain(first.subarray(10, 20))
  arena.release(first)
  arena.release(second)
  assert.equal(comesBack(arena, first), false, 'part of it is still held')
  arena.release(first.subarray(10, 20))
  assert.equal(comesBack(arena, first), true)
})

test('frame-arena: a slab that is still carved is not given out anew, though all its frames are released', () => {
  const arena = new FrameArena()
  const first = arena.lend(1_000)
  arena.release(first)
  const second = arena.lend(1_000)
  assert.ok(second.buffer === first.buffer)
  assert.equal(second.byteOffset, first.byteOffset + 1_000)
})

test('frame-arena: what was never lent cannot be released', () => {
  const arena = new FrameArena()
  const taken = arena.take(10)
  arena.release(taken)
  arena.release(new Uint8Array(4))
  assert.notEqual(arena.take(10).byteOffset, taken.byteOffset)
})
