import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Journeys } from '#cli/load/journeys.ts'

const RECORDS = 10

test('journeys: a batch counts once for each reader, whether it was read before its answer came or after', () => {
  const journeys = new Journeys(2, RECORDS, 2)
  const sentMs = performance.now() - 1_000
  journeys.onRead(0, 1, 0, 2 * RECORDS) // two batches, not answered yet
  assert.equal(journeys.batchesRead(0), 0)
  journeys.onAck(1, 0, sentMs)
  journeys.onAck(1, RECORDS, sentMs)
  assert.equal(journeys.batchesRead(0), 2)
  journeys.onRead(1, 1, RECORDS, 2 * RECORDS)
  assert.deepEqual([journeys.batchesRead(0), journeys.batchesRead(1)], [2, 1])
  for (const reader of [0, 1]) {
    const [p50 = NaN] = journeys.percentilesMs(reader, [0.5])
    assert(p50 >= 1_000 && p50 < 3_000, String(p50))
  }
})

test('journeys: partitions are told apart', () => {
  const journeys = new Journeys(2, RECORDS, 1)
  journeys.onAck(0, 0, performance.now())
  journeys.onRead(0, 1, 0, RECORDS)
  assert.equal(journeys.batchesRead(0), 0)
})

test('journeys: what a reader had before the answer came was not late', () => {
  const journeys = new Journeys(1, RECORDS, 2)
  journeys.onRead(0, 0, 0, RECORDS)
  journeys.onAck(0, 0, performance.now() - 50)
  journeys.onRead(1, 0, 0, RECORDS)
  assert.deepEqual(journeys.afterAckMs(0, [0.5]), [0])
  const [late = NaN] = journeys.afterAckMs(1, [0.5])
  assert(late >= 0 && late < journeys.percentilesMs(1, [0.5])[0]!)
})
