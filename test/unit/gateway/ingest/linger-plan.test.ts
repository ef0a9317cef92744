/**
 * Goal: a client that waits for each answer waits for no company; where batches keep coming, each chunk waits for it
 * (DESIGN section 8: linger).
 * Method: chunks of given sizes at given times.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LingerPlan } from '#gateway/ingest/linger-plan.ts'

const settings = { lingerMs: 200, idleLingerMs: 10, idleBytesMax: 128 * 1_024 }

test('linger: the first chunk after idle goes early, one opened while another is written does not', () => {
  const linger = new LingerPlan(settings)
  assert.equal(linger.waitMs(true, 0), 10)
  assert.equal(linger.waitMs(false, 0), 200)
})

test('linger: a client that sends small batches one at a time is always answered early', () => {
  const linger = new LingerPlan(settings)
  for (let nowMs = 0; nowMs < 10_000; nowMs += 40) {
    assert.equal(linger.waitMs(true, nowMs), 10)
    linger.sealed(4_096, nowMs + 10)
  }
})

test('linger: at a steady rate chunks wait although none is being written, and go early again after a pause', () => {
  const linger = new LingerPlan(settings)
  let early = 0
  let chunks = 0
  let nowMs = 0
  for (; nowMs < 10_000; chunks++) { // 3.3 MB/s, each PUT quicker than the gap between batches
    const waitMs = linger.waitMs(true, nowMs)
    if (waitMs === 10) early += 1
    linger.sealed(Math.max(65_536, waitMs * 3_300), nowMs + waitMs)
    nowMs += waitMs + 20
  }
  assert.ok(early <= 4, `${early} early ones of ${chunks}`)
  assert.equal(linger.waitMs(true, nowMs + 1_000), 10)
})
