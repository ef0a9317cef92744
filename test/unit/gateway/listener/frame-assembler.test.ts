/**
 * Goal: frames come out whole however the bytes are cut, are copies, and a lying length costs nothing.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FrameArena } from '#gateway/listener/frame-arena.ts'
import { MemoryPool, release } from '#shared/binary/memory-pool.ts'
import { FrameAssembler } from '#gateway/listener/frame-assembler.ts'
import { Rng } from '#shared/runtime/rng.ts'

function framed(payload: Uint8Array): Buffer {
  const frame = Buffer.alloc(4 + payload.length)
  frame.writeInt32BE(payload.length, 0)
  frame.set(payload, 4)
  return frame
}

function assemblerOf(frameBytesMax = 1_000_000) {
  const frames: Buffer[] = []
  const memory = new MemoryPool({ regionBytes: 2 ** 20, poison: true })
  const arena = new FrameArena(memory)
  const assembler = new FrameAssembler(arena, frameBytesMax, { frame: (frame) => { frames.push(frame) } })
  return { assembler, frames, arena, memory }
}

/** As a socket gives them: the bytes are gone after the call. */
function push(assembler: FrameAssembler, bytes: Uint8Array): boolean {
  const slab = Buffer.from(bytes)
  const readable = assembler.push(slab)
  slab.fill(0xee)
  return readable
}

for (let seed = 1; seed <= 20; seed++) {
  test(`frame-assembler: frames survive any cut (seed ${seed})`, () => {
    const rng = new Rng(seed)
    const payloads = Array.from({ length: 60 }, () => {
      const payload = Buffer.from(rng.bytes(rng.below(rng.below(6) === 0 ? 300_000 : 200)))
      return rng.below(3) === 0 ? payload : payload.fill(0, 0, Math.min(2, payload.length)) // most are Produce requests
    })
    const stream = Buffer.concat(payloads.map(framed))
    const { assembler, frames, arena, memory } = assemblerOf()
    for (let at = 0; at < stream.length;) {
      const count = 1 + rng.below(rng.below(2) === 0 ? 900 : 70_000)
      assert.equal(push(assembler, stream.subarray(at, at + count)), true)
      at += count
    }
    assert.equal(frames.length, payloads.length)
    for (const [i, frame] of frames.entries()) assert.ok(frame.equals(payloads[i]!), `frame ${i}`)
    assert.equal(assembler.heldBytes, 0)
    frames.forEach(release)
    arena.close()
    assert.equal(memory.heldBytes, 0)
  })
}

test('frame-assembler: a length is believed only as its bytes arrive', () => {
  const { assembler } = assemblerOf(100 * 2 ** 20)
  push(assembler, Buffer.from([0x06, 0x00, 0x00, 0x00, 1]))
  assert.ok(assembler.heldBytes <= 4_096)
  push(assembler, Buffer.alloc(100_000))
  assert.ok(assembler.heldBytes <= 4 * 100_001)
})

test('frame-assembler: a length that is negative or too long is refused for ever, frames before it are not', () => {
  for (const length of [-1, -(2 ** 31), 101, 2 ** 31 - 1]) {
    const { assembler, frames } = assemblerOf(100)
    const bad = Buffer.alloc(8)
    bad.writeInt32BE(length, 0)
    assert.equal(push(assembler, Buffer.concat([framed(Buffer.alloc(100)), bad])), false)
    assert.equal(push(assembler, framed(Buffer.alloc(1))), false)
    assert.equal(frames.length, 1)
  }
})

test('frame-assembler: small frames share a slab, empty ones come out empty', () => {
  const { assembler, frames } = assemblerOf()
  push(assembler, Buffer.concat([framed(Buffer.alloc(10)), framed(Buffer.alloc(0)), framed(Buffer.alloc(20))]))
  assert.deepEqual(frames.map(({ length }) => length), [10, 0, 20])
  assert.equal(frames[0]!.buffer, frames[2]!.buffer)
})
