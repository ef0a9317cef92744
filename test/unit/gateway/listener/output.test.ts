/** Goal: a socket gets one portion at a time, whole answers in order, and every hold ends once, whatever becomes of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Output } from '#gateway/listener/output.ts'
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import { MemorySocket } from '#test/support/memory-socket.ts'

const KiB = 1_024

function setUp(): { socket: MemorySocket; output: Output; memory: MemoryPool; push: (...sizes: number[]) => void; taken: () => number } {
  const socket = new MemorySocket()
  socket.stuck = true
  const memory = new MemoryPool({ freeBytesMax: 0 })
  let taken = 0
  const output = new Output(socket, () => { taken += 1; output.flush() })
  const push = (...sizes: number[]): void => {
    const chunks = sizes.map((size) => memory.take(size * KiB))
    output.push(chunks, chunks)
  }
  return { socket, output, memory, push, taken: () => taken }
}

const sizesOf = (socket: MemorySocket): number[] => socket.writes.map((chunks) => chunks.reduce((sum, { length }) => sum + length, 0) / KiB)

test('output: what is queued leaves in portions, each when the one before was taken', () => {
  const { socket, output, memory, push, taken } = setUp()
  push(100, 100)
  push(100, 100, 100)
  output.flush()
  output.flush()
  assert.deepEqual(sizesOf(socket), [300])
  assert.equal(output.bytes, 500 * KiB)
  const before = memory.heldBytes
  socket.unstick()
  assert.deepEqual(sizesOf(socket), [300, 200])
  assert.equal(taken(), 1)
  assert.ok(memory.heldBytes > 0 && memory.heldBytes < before, 'the first answer is given back, the second not')
})

test('output: all that is small leaves in one write, and all holds end', async () => {
  const { socket, output, memory, push } = setUp()
  for (let n = 0; n < 10; n++) push(1)
  output.flush()
  assert.deepEqual(sizesOf(socket), [10])
  assert.equal(output.isReady, false)
  socket.unstick()
  await Promise.resolve()
  assert.deepEqual([output.bytes, memory.heldBytes], [0, 0])
})

test('output: what is dropped is given back, what the socket has when it is gone', async () => {
  const { socket, output, memory, push } = setUp()
  push(300, 10)
  push(400)
  output.flush()
  output.drop()
  assert.ok(memory.heldBytes > 0, 'the kernel may still read the first portion')
  socket.lose()
  await Promise.resolve()
  assert.equal(memory.heldBytes, 0)
  assert.equal(output.bytes, 0)
})
