import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HedgeBudget, LatencyWindow, LatencyWindows } from '#shared/store/s3/latency-state.ts'

test('latency-state: nothing is unusual before enough is known, then the slowest of a hundred are', () => {
  const window = new LatencyWindow()
  for (let ms = 1; ms <= 47; ms++) window.record(ms)
  assert.equal(window.p99Ms, null)
  for (let ms = 48; ms <= 208; ms++) window.record(ms)
  assert.equal(window.p99Ms, 206) // 206 of 208
})

test('latency-state: what was long ago is forgotten', () => {
  const window = new LatencyWindow()
  for (let n = 0; n < 256; n++) window.record(1_000)
  assert.equal(window.p99Ms, 1_000)
  for (let n = 0; n < 256; n++) window.record(5)
  assert.equal(window.p99Ms, 5)
})

test('latency-state: sizes far apart do not share a window', () => {
  const windows = new LatencyWindows()
  assert.equal(windows.of(0), windows.of(64 * 1024))
  assert.notEqual(windows.of(64 * 1024), windows.of(64 * 1024 + 1))
  assert.notEqual(windows.of(100_000), windows.of(8 * 2 ** 20))
  assert.equal(windows.of(2 ** 30), windows.of(17 * 2 ** 20))
})

test('latency-state: no more than the share of requests is hedged, however slow all are', () => {
  const budget = new HedgeBudget(5)
  let hedges = 0
  for (let n = 0; n < 10_000; n++) {
    budget.earn()
    if (budget.spend()) hedges += 1
  }
  assert.ok(hedges <= 500 && hedges >= 495, String(hedges))
})

test('latency-state: what quiet times save up is bounded', () => {
  const budget = new HedgeBudget(5)
  for (let n = 0; n < 10_000; n++) budget.earn()
  let hedges = 0
  while (budget.spend()) hedges += 1
  assert.equal(hedges, 8)
  const none = new HedgeBudget(0)
  for (let n = 0; n < 10_000; n++) none.earn()
  assert.equal(none.spend(), false)
})
