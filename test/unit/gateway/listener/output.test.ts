/**
 * Goal: a socket gets one portion at a time, in order; every hold ends once, whatever becomes of what is queued; and a
 * client that does not read keeps no shared memory, though it gets the same bytes when it reads on.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerBytes } from '#gateway/listener/answer-bytes.ts'
import { Output, type ReadAgain } from '#gateway/listener/output.ts'
import { MemoryPool, release } from '#shared/binary/memory-pool.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { gatewayTwin } from '#test/support/gateway-twin.ts'
import { MemorySocket } from '#test/support/memory-socket.ts'

const KiB = 1_024

function setUp() {
  const socket = new MemorySocket()
  socket.stuck = true
  const memory = new MemoryPool({ regionBytes: 4 * 2 ** 20, poison: true })
  const count = new AnswerBytes(2 ** 30, gatewayTwin().listenerMetrics.answerBytes)
  const now = { ms: 0 }
  const lost: string[] = []
  const output: Output = new Output({
    socket, count, nowMs: () => now.ms, onTaken: () => { output.flush() }, take: (length) => memory.take(length),
    onLost: ({ code }) => { lost.push(code) }
  })
  let mark = 0
  /** Queues an answer of chunks that lie in blocks of their own. */
  const push = (sizes: readonly number[], readAgain: ReadAgain | null = null): void => {
    const chunks = sizes.map((size) => memory.take(size * KiB).fill(mark++))
    output.push(chunks, readAgain)
    chunks.forEach(release) // the output holds what it needs
  }
  /** The client reads one portion after the other. */
  const readAll = async (): Promise<void> => {
    for (let n = 0; n < 50; n++) {
      socket.unstick()
      socket.stuck = true
      await new Promise(setImmediate)
    }
  }
  const sizes = (): number[] => socket.writes.map((chunks) => chunks.reduce((sum, { length }) => sum + length, 0) / KiB)
  const marks = (): number[] => [...socket.sent].filter((byte, i, all) => i === 0 || byte !== all[i - 1])
  return { socket, memory, count, now, lost, output, push, readAll, sizes, marks }
}

/** Chunks that come back a turn later. */
function storedIn(memory: MemoryPool, loads: { count: number; fails?: boolean }): ReadAgain {
  return ({ length, 0: mark }) => ({
    length,
    load: async () => {
      loads.count += 1
      await new Promise(setImmediate)
      if (loads.fails === true) throw new ZonewiseError('STORE_UNAVAILABLE', 'gone')
      return memory.take(length).fill(mark!)
    }
  })
}

test('output: what is queued leaves in portions, each when the one before was taken', async () => {
  const t = setUp()
  t.push([100, 100])
  t.push([100, 100, 100])
  t.output.flush()
  t.output.flush()
  assert.deepEqual(t.sizes(), [100], 'the first is small')
  assert.deepEqual([t.output.bytes, t.count.bytes], [500 * KiB, 500 * KiB])
  t.socket.unstick()
  t.socket.stuck = true
  assert.deepEqual(t.sizes(), [100, 300])
  assert.deepEqual([t.output.bytes, t.count.bytes], [400 * KiB, 400 * KiB])
  await t.readAll()
  assert.deepEqual(t.marks(), [0, 1, 2, 3, 4])
  assert.deepEqual([t.output.bytes, t.count.bytes, t.memory.heldBytes], [0, 0, 0])
})

test('output: portions are copied until the client has shown that it reads, and again once it is slow', async () => {
  const t = setUp()
  const chunksIn = (): number => t.socket.writes.at(-1)!.length
  t.push([100, 100, 100, 50, 50, 50, 50, 50, 50, 50, 50])
  t.output.flush()
  assert.equal(chunksIn(), 1, 'nothing is known of it')
  t.socket.unstick()
  t.socket.stuck = true
  assert.equal(chunksIn(), 4, 'it was fast')
  t.now.ms = 1_000
  t.socket.unstick()
  t.socket.stuck = true
  assert.equal(chunksIn(), 1, 'it was slow')
  await t.readAll()
  assert.deepEqual(t.marks(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  assert.equal(t.memory.heldBytes, 0)
})

test('output: what is small is sent together, in order with what is not', async () => {
  const t = setUp()
  t.push([1])
  t.output.flush()
  await t.readAll()
  t.push([1, 1, 1, 8, 1, 8, 8, 1, 1])
  t.output.flush()
  assert.deepEqual(t.socket.writes.at(-1)!.map(({ length }) => length / KiB), [3, 8, 1, 8, 8, 2])
  await t.readAll()
  assert.deepEqual(t.marks(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  assert.deepEqual([t.output.bytes, t.memory.heldBytes], [0, 0])
})

test('output: what is dropped is given back, what the socket has when it is gone', async () => {
  const t = setUp()
  t.push([300, 10])
  t.push([400])
  t.output.flush()
  t.output.drop()
  assert.equal(t.memory.heldBytes, 304 * KiB, 'the kernel may still read the portion')
  t.socket.lose()
  await Promise.resolve()
  assert.deepEqual([t.memory.heldBytes, t.output.bytes, t.count.bytes], [0, 0, 0])
})

test('output: what a client is slow to read is let go, and had again when it reads on', async () => {
  const t = setUp()
  const loads = { count: 0 }
  t.push([300, 600, 40], storedIn(t.memory, loads))
  t.push([20]) // of an answer that is nowhere else
  t.output.flush()
  t.now.ms = 999
  t.output.letGo(1_000)
  assert.ok(t.memory.heldBytes > 900 * KiB)
  t.now.ms = 1_000
  t.output.letGo(1_000)
  assert.equal(t.memory.heldBytes, (304 + 32) * KiB)
  assert.deepEqual([t.output.bytes, t.count.bytes], [960 * KiB, 320 * KiB], 'only what is in memory takes room')
  assert.equal(loads.count, 0, 'nobody reads')
  t.socket.unstick()
  t.socket.stuck = true
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  assert.equal(loads.count, 1)
  assert.equal(t.memory.heldBytes, (608 + 32) * KiB, 'a chunk, and what was kept')
  await t.readAll()
  assert.deepEqual(t.marks(), [0, 1, 2, 3])
  assert.equal(t.socket.sent.length, 960 * KiB)
  assert.deepEqual([t.output.bytes, t.count.bytes, t.memory.heldBytes, loads.count], [0, 0, 0, 2])
})

test('output: what comes back to a connection that is gone is given back, and what cannot be had ends it', async () => {
  const t = setUp()
  const loads = { count: 0, fails: false }
  const stall = (): void => {
    t.push([10, 600], storedIn(t.memory, loads))
    t.output.flush()
    t.now.ms += 1_000
    t.output.letGo(1_000)
  }
  t.push([300])
  t.output.flush()
  stall()
  t.socket.unstick()
  assert.equal(loads.count, 1)
  t.output.drop()
  await t.readAll()
  assert.deepEqual([t.output.bytes, t.count.bytes, t.memory.heldBytes, t.lost.length], [0, 0, 0, 0])
  loads.fails = true
  t.push([300])
  t.output.flush()
  stall()
  await t.readAll()
  assert.deepEqual(t.lost, ['STORE_UNAVAILABLE'])
})

test('output: a client has stalled since something was taken last, not while there is nothing to read', async () => {
  const { socket, output, now, push } = setUp()
  now.ms = 5_000
  assert.equal(output.stalledMs(), 0)
  push([300, 300])
  output.flush()
  now.ms = 6_000
  assert.equal(output.stalledMs(), 1_000)
  socket.unstick()
  assert.equal(output.stalledMs(), 0)
  now.ms = 6_500
  await Promise.resolve()
  assert.equal(output.stalledMs(), 0)
})
