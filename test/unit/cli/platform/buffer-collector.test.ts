/** Goal: dead buffers are collected when they are many, and live ones do not make it collect without end. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keepBuffersFew } from '#cli/platform/buffer-collector.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const MIB = 2 ** 20

test('buffer-collector: collects above a floor, then above half as much again as was in use', async () => {
  const runtime = new ManualRuntime()
  let [live, bytes, collections] = [100 * MIB, 200 * MIB, 0]
  const collector = { bufferBytes: () => bytes, collect: () => { bytes = live; collections += 1 } }
  const cancel = keepBuffersFew(runtime.timer, runtime.clock, collector)
  await runtime.advance(1_000)
  assert.equal(collections, 0)
  bytes = 300 * MIB
  await runtime.advance(1_000)
  assert.equal(collections, 1)
  live = 400 * MIB
  bytes = 500 * MIB
  await runtime.advance(1_000)
  assert.equal(collections, 2)
  bytes = 590 * MIB
  await runtime.advance(1_000)
  assert.equal(collections, 2)
  bytes = 610 * MIB
  await runtime.advance(1_000)
  assert.equal(collections, 3)
  cancel()
  bytes = 900 * MIB
  await runtime.advance(1_000)
  assert.equal(collections, 3)
})
