import assert from 'node:assert/strict'
import { test } from 'node:test'
import { takeBatches, type TakeLimits } from '#gateway/fetch/run-bytes.ts'
import { baseOffsetAt } from '#shared/records/batch-header.ts'
import { makeBatch } from '#test/support/batches.ts'

const ALL: TakeLimits = { bytesMax: 1_000_000, atLeastOne: false, zstdAllowed: true }
const batches = (): Buffer[] =>
  [makeBatch({ recordCount: 3 }), makeBatch({ recordCount: 2 }), makeBatch({ recordCount: 4 })]
const run = (buffers: readonly Uint8Array[]) => ({ buffers, baseOffset: 100, endOffset: 109 })

test('run-bytes: whole runs go out by reference with their offsets written once', () => {
  for (const buffers of [batches(), [Buffer.concat(batches())]]) {
    const taken = takeBatches(run(buffers), 100, ALL)
    assert.equal(taken.end, 'all')
    assert.deepEqual(taken.slices, buffers)
    taken.slices.forEach((slice, i) => assert.equal(slice.buffer, buffers[i]!.buffer))
    const bytes = Buffer.concat(taken.slices)
    assert.deepEqual([0, 121, 121 + 101].map((at) => baseOffsetAt(bytes, at)), [100, 103, 105])
    assert.deepEqual(Buffer.concat(takeBatches(run(buffers), 100, ALL).slices), bytes)
  }
})

test('run-bytes: begins with the batch that holds the offset, whole (PROTOCOL 28)', () => {
  const whole = Buffer.concat(batches())
  for (const [fetchOffset, at] of [[100, 0], [102, 0], [103, 121], [104, 121], [105, 222], [108, 222]] as const) {
    const taken = takeBatches(run([whole]), fetchOffset, ALL)
    assert.deepEqual(Buffer.concat(taken.slices), whole.subarray(at))
    assert.equal(taken.bytes, whole.byteLength - at)
    assert.equal(taken.start, at)
  }
})

test('run-bytes: stops at the bound, on a batch; the first goes whatever its size where it must (PROTOCOL 27)', () => {
  for (const buffers of [batches(), [Buffer.concat(batches())]]) {
    const cut = (bytesMax: number, atLeastOne: boolean): readonly [number, string] => {
      const { slices, bytes, end } = takeBatches(run(buffers), 100, { ...ALL, bytesMax, atLeastOne })
      assert.equal(slices.reduce((sum, { byteLength }) => sum + byteLength, 0), bytes)
      return [bytes, end]
    }
    assert.deepEqual(cut(120, false), [0, 'full'])
    assert.deepEqual(cut(120, true), [121, 'full'])
    assert.deepEqual(cut(121, false), [121, 'full'])
    assert.deepEqual(cut(222, true), [222, 'full'])
    assert.deepEqual(cut(363, true), [363, 'all'])
  }
})

test('run-bytes: zstd is not given to who cannot read it, and what comes before it is (PROTOCOL 2.3)', () => {
  const buffers = [makeBatch({ recordCount: 3 }), makeBatch({ recordCount: 6, attributes: 4 })]
  assert.deepEqual(takeBatches(run(buffers), 100, { ...ALL, zstdAllowed: false }), {
    slices: buffers.slice(0, 1), start: 0, bytes: 121, end: 'zstd not allowed'
  })
  assert.equal(takeBatches(run(buffers), 103, { ...ALL, zstdAllowed: false }).bytes, 0)
  assert.equal(takeBatches(run(buffers), 100, ALL).end, 'all')
})

test('run-bytes: bytes that are not the batches of the run are given to nobody', () => {
  const whole = Buffer.concat(batches())
  const wrong = { slices: [], start: 0, bytes: 0, end: 'not of the run' }
  assert.deepEqual(takeBatches(run([whole.subarray(0, 200)]), 100, ALL), wrong)
  assert.deepEqual(takeBatches(run([whole.subarray(0, 121)]), 100, ALL), wrong)
  assert.deepEqual(takeBatches(run([whole, makeBatch()]), 100, ALL), wrong)
  assert.deepEqual(takeBatches(run([Buffer.alloc(300)]), 100, ALL), wrong)
})

test('run-bytes: slices are short, each whole batches, and follow each other', () => {
  const whole = Buffer.concat(Array.from({ length: 40 }, () => makeBatch({ valueBytes: 10_000 })))
  const taken = takeBatches({ buffers: [whole], baseOffset: 7, endOffset: 47 }, 10, ALL)
  assert.ok(Buffer.concat(taken.slices).equals(whole.subarray(3 * 10_061)))
  assert.deepEqual(taken.slices.map(({ length }) => length / 10_061), [7, 7, 7, 7, 7, 2])
  assert.deepEqual(taken.slices.map((slice) => baseOffsetAt(slice, 0)), [10, 17, 24, 31, 38, 45])
  assert.equal(taken.start, 3 * 10_061)
})
