/** Goal: a socket gets one portion at a time, in order, and every hold ends once, whatever becomes of what is queued. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerBytes } from '#gateway/listener/answer-bytes.ts'
import { Output } from '#gateway/listener/output.ts'
import { MemoryPool, release } from '#shared/binary/memory-pool.ts'
import { gatewayTwin } from '#test/support/gateway-twin.ts'
import { MemorySocket } from '#test/support/memory-socket.ts'

const KiB = 1_024

function setUp() {
  const socket = new MemorySocket()
  socket.stuck = true
  const memory = new MemoryPool({ regionBytes: 4 * 2 ** 20, poison: true })
  const count = new AnswerBytes(2 ** 30, gatewayTwin().listenerMetrics.answerBytes)
  const now = { ms: 0 }
  const output: Output = new Output({ socket, count, nowMs: () => now.ms, onTaken: () => { output.flush() },
    take: (length) => memory.take(length)
  })
  let mark = 0
  /** Queues an answer of chunks that lie in blocks of their own. */
  const push = (...sizes: number[]): void => {
    const chunks = sizes.map((size) => memory.take(size * KiB).fill(mark++))
    output.push(chunks)
    chunks.forEach(release) // the output holds what it needs
  }
  const sizes = (): number[] => socket.writes.map((chunks) => chunks.reduce((sum, { length }) => sum + length, 0) / KiB)
  return { socket, memory, count, now, output, push, sizes }
}

test('output: what is queued leaves in portions, each when the one before was taken', () => {
  const { socket, output, memory, count, push, sizes } = setUp()
  push(100, 100)
  push(100, 100, 100)
  output.flush()
  output.flush()
  assert.deepEqual(sizes(), [300])
  assert.deepEqual([output.bytes, count.bytes], [500 * KiB, 500 * KiB])
  socket.unstick()
  assert.deepEqual(sizes(), [300, 200])
  assert.deepEqual([output.bytes, count.bytes], [200 * KiB, 200 * KiB])
  assert.equal(memory.heldBytes, 2 * 112 * KiB, 'what was taken is given back, whole pages')
  assert.deepEqual(socket.writes.flat().map((chunk) => chunk[0]), [0, 1, 2, 3, 4])
})

test('output: all that is small leaves in one write, and all holds end', async () => {
  const { socket, output, memory, push, sizes } = setUp()
  for (let n = 0; n < 10; n++) push(1)
  output.flush()
  assert.deepEqual(sizes(), [10])
  assert.equal(output.isReady, false)
  socket.unstick()
  await Promise.resolve()
  assert.deepEqual([output.bytes, memory.heldBytes], [0, 0])
})

test('output: what is dropped is given back, what the socket has when it is gone', async () => {
  const { socket, output, memory, count, push } = setUp()
  push(300, 10)
  push(400)
  output.flush()
  output.drop()
  assert.equal(memory.heldBytes, 304 * KiB, 'the kernel may still read the portion')
  socket.lose()
  await Promise.resolve()
  assert.deepEqual([memory.heldBytes, output.bytes, count.bytes], [0, 0, 0])
})

test('output: what a slow client leaves is copied out of the memory that others need, once it is old', () => {
  const { socket, output, memory, now, push } = setUp()
  const block = memory.take(1_000 * KiB).fill(7)
  output.push([memory.take(300 * KiB), block.subarray(0, 10 * KiB), block.subarray(500 * KiB, 510 * KiB)])
  release(block)
  output.flush()
  now.ms = 999
  output.copyOut(1_000)
  assert.ok(memory.heldBytes > 1_000 * KiB)
  now.ms = 1_000
  output.copyOut(1_000)
  assert.ok(memory.heldBytes < 700 * KiB)
  assert.equal(output.bytes, 320 * KiB)
  push(1)
  socket.unstick()
  const [, , second] = socket.writes.flat()
  assert.equal(second!.length, KiB)
  assert.ok(socket.writes.flat()[1]!.every((byte) => byte === 7) && socket.writes.flat()[1]!.length === 20 * KiB)
})

test('output: a client has stalled since something was taken last, not while there is nothing to read', async () => {
  const { socket, output, now, push } = setUp()
  now.ms = 5_000
  assert.equal(output.stalledMs(), 0)
  push(300, 300)
  output.flush()
  now.ms = 6_000
  assert.equal(output.stalledMs(), 1_000)
  socket.unstick()
  assert.equal(output.stalledMs(), 0)
  now.ms = 6_500
  await Promise.resolve()
  assert.equal(output.stalledMs(), 0)
})
