/**
 * Goal: whatever bytes come, the reader refuses with FRAME_INVALID or hands on messages within its bounds, and never fails otherwise.
 * Method: streams of valid frames with bytes flipped, cut out, doubled, put in or made up, pushed in pieces of chance.
 * Replay one failure: TEST_SEEDS=<seed> npm test -- frame-reader.prop
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { FRAME, KIND } from '#shared/transport/frame.ts'
import { LIMITS, newOutgoing, newReader, sample } from '#test/support/frame-samples.ts'
import { seeds } from '#test/support/seeds.ts'

const ROUNDS = 60

function validStream(rng: Rng): Buffer {
  const { out, sent, cell } = newOutgoing()
  for (let count = 1 + rng.below(8); count > 0; count--) {
    const slot = rng.below(20)
    const size = (): number => rng.below(rng.pick([4, 100, 3_000, 200_000]))
    const payload = Array.from({ length: rng.below(4) }, () => Buffer.alloc(size(), slot))
    const extras = rng.below(3) === 0 ? { priority: rng.below(16), traceId: '000102030405060708090a0b0c0d0e0f' } : {}
    out.send(KIND.request, sample({ kind: KIND.request, slot, call: rng.below(1_000), head: Buffer.alloc(size(), 1), payload, deadlineMs: rng.below(100_000), ...extras }, cell), Infinity)
    if (rng.below(4) === 0) out.cancel(slot, 1 + rng.below(2), cell)
    if (rng.below(4) === 0) out.ping()
  }
  return sent()
}

function mutated(rng: Rng, stream: Buffer): Buffer {
  const at = rng.below(Math.min(stream.length, rng.pick([50, 500, stream.length])))
  const count = 1 + rng.below(8)
  switch (rng.below(7)) {
    case 0: return stream
    case 1: {
      const flipped = Buffer.from(stream)
      for (let i = 0; i < count; i++) flipped[(at + i * rng.below(40)) % flipped.length]! ^= 1 << rng.below(8)
      return flipped
    }
    case 2: return Buffer.concat([stream.subarray(0, at), stream.subarray(at + count)])
    case 3: return Buffer.concat([stream.subarray(0, at), rng.bytes(count), stream.subarray(at)])
    case 4: return Buffer.concat([stream.subarray(0, at + count), stream.subarray(at)])
    case 5: return stream.subarray(0, at)
    default: { // frames of the right shape and any content
      const parts = Array.from({ length: 30 }, () => {
        const body = rng.bytes(rng.below(rng.pick([4, 20, 90])))
        const header = Buffer.alloc(4)
        header.writeUIntBE(body.length, 0, 3)
        header[3] = rng.pick([0x01, 0x11, 0x21, 0x31, 0x41, 0x71, 0x02, 0x06, 0x07, 0x08, rng.below(256)])
        for (let i = 0; i < body.length && rng.below(3) > 0; i++) body[i] = rng.below(4)
        return Buffer.concat([header, body])
      })
      return Buffer.concat(parts)
    }
  }
}

for (const seed of seeds(20)) {
  test(`frames: mutated bytes are refused or stay within bounds (seed ${seed})`, () => {
    const rng = new Rng(seed)
    for (let round = 0; round < ROUNDS; round++) {
      const stream = mutated(rng, validStream(rng))
      const { reader, sink } = newReader()
      const heldMax = LIMITS.windowBytes + LIMITS.messageBytesMax
      try {
        for (let at = 0; at < stream.length;) {
          const end = Math.min(stream.length, at + 1 + rng.below(rng.pick([3, 100, 100_000])))
          const slab = Buffer.from(stream.subarray(at, end))
          reader.push(slab)
          slab.fill(0xee)
          assert(reader.openBytes <= heldMax)
          at = end
        }
      } catch (error) {
        if (!(error instanceof ZonewiseError) || error.code !== 'FRAME_INVALID') throw error
      }
      assert(sink.heard.length <= stream.length / FRAME.headerBytes)
    }
  })
}
