import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exposeLedger, LEDGER_METRICS } from '#cli/metrics.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { Metrics } from '#shared/metrics/metrics.ts'

test('metrics: the ledger is told whole, however often it is asked for', () => {
  const ledger = new Ledger()
  const metrics = new Metrics()
  exposeLedger(metrics, () => ledger.rows())
  const labels = { from: 'a', to: 'b', cause: 'commit', payload: 'false', crosses: 'true' }
  for (const total of [10, 20, 30]) {
    ledger.add('a', 'b', 'commit', 10, 1)
    metrics.render()
    assert.equal(metrics.value(LEDGER_METRICS.bytes, labels), total)
    assert.equal(metrics.value(LEDGER_METRICS.requests, labels), total / 10)
  }
})
