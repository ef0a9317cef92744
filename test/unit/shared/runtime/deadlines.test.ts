/** Goal: what still waits is ended in time and once, and what is over is held no longer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Deadlines } from '#shared/runtime/deadlines.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

test('deadlines: ends a wait once, after its time and at most half a second later', async () => {
  const runtime = new ManualRuntime()
  const deadlines = new Deadlines(runtime, 250)
  let expired = 0
  deadlines.add(1_000, { expire: () => { expired += 1 } })
  await runtime.advance(999)
  assert.equal(expired, 0)
  await runtime.advance(501)
  assert.equal(expired, 1)
  await runtime.advance(5_000)
  assert.equal(expired, 1)
})

test('deadlines: a wait that is over is forgotten at once, not at its time', async () => {
  const runtime = new ManualRuntime()
  const deadlines = new Deadlines(runtime, 250)
  const waits = Array.from({ length: 5_000 }, () => ({ expire: () => assert.fail('it was over') }))
  const kept = { expire: () => { expired += 1 } }
  let expired = 0
  const buckets = waits.map((wait) => deadlines.add(60_000, wait))
  deadlines.add(60_000, kept)
  waits.forEach((wait, i) => { deadlines.remove(buckets[i]!, wait) })
  assert.equal(deadlines.size, 1)
  await runtime.advance(61_000)
  assert.equal(expired, 1)
  assert.equal(deadlines.size, 0)
})

test('deadlines: tells what is left of a wait, give or take a bucket', async () => {
  const runtime = new ManualRuntime()
  const deadlines = new Deadlines(runtime, 50)
  const bucket = deadlines.add(1_000, { expire: () => {} })
  assert(Math.abs(deadlines.leftMs(bucket) - 1_000) <= 50)
  await runtime.advance(700)
  assert(Math.abs(deadlines.leftMs(bucket) - 300) <= 50)
})
