import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type MetricRow, Metrics } from '#shared/metrics/metrics.ts'

const REQUESTS: MetricRow =
  { name: 'zonewise_test_requests_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Requests.' }
const AGE: MetricRow =
  { name: 'zonewise_test_age_seconds', type: 'gauge', unit: 'seconds', labels: [], help: 'Age\nnow.' }
const WAIT: MetricRow =
  {
    name: 'zonewise_test_wait_seconds', type: 'histogram', unit: 'seconds', labels: [], buckets: [0.1, 1], help: 'Wait.'
  }

test('metrics: renders counters, gauges and histograms as Prometheus text', () => {
  const metrics = new Metrics()
  metrics.counter(REQUESTS, { zone: 'a"b' }).add(3)
  metrics.poll(AGE, () => [[{}, 1.5]])
  const wait = metrics.histogram(WAIT)
  for (const value of [0.05, 0.1, 0.5, 7]) wait.observe(value)
  assert.equal(metrics.render(), [
    '# HELP zonewise_test_age_seconds Age\\nnow.',
    '# TYPE zonewise_test_age_seconds gauge',
    'zonewise_test_age_seconds 1.5',
    '# HELP zonewise_test_requests_total Requests.',
    '# TYPE zonewise_test_requests_total counter',
    'zonewise_test_requests_total{zone="a\\"b"} 3',
    '# HELP zonewise_test_wait_seconds Wait.',
    '# TYPE zonewise_test_wait_seconds histogram',
    'zonewise_test_wait_seconds_bucket{le="0.1"} 2',
    'zonewise_test_wait_seconds_bucket{le="1"} 3',
    'zonewise_test_wait_seconds_bucket{le="+Inf"} 4',
    'zonewise_test_wait_seconds_sum 7.65',
    'zonewise_test_wait_seconds_count 4',
    ''
  ].join('\n'))
})

test('metrics: the same row and labels give the same handle', () => {
  const metrics = new Metrics()
  assert.equal(metrics.counter(REQUESTS, { zone: 'a' }), metrics.counter(REQUESTS, { zone: 'a' }))
  metrics.counter(REQUESTS, { zone: 'a' }).add(1)
  assert.equal(metrics.value(REQUESTS, { zone: 'a' }), 1)
  assert.equal(metrics.value(REQUESTS, { zone: 'b' }), 0)
})

test('metrics: a missing label and a name used twice are bugs', () => {
  const metrics = new Metrics()
  assert.throws(() => metrics.counter(REQUESTS), /labels of/)
  metrics.gauge(AGE)
  assert.throws(() => metrics.gauge({ ...AGE }), /two metrics/)
})

test('metrics: what is polled is what is there now, and what several know adds up', () => {
  const metrics = new Metrics()
  const open: MetricRow = { name: 'zonewise_test_open', type: 'gauge', unit: 'count', labels: ['zone'], help: 'Open.' }
  let zones = ['a', 'b']
  metrics.gauge(open, { zone: 'a' }).set(10)
  for (const value of [1, 2]) metrics.poll(open, () => zones.map((zone) => [{ zone }, value]))
  assert.equal(metrics.value(open, { zone: 'a' }), 13)
  assert.equal(metrics.value(open, { zone: 'b' }), 3)
  zones = ['a']
  assert.match(metrics.render(), /zonewise_test_open\{zone="a"\} 13\n$/)
  assert.equal(metrics.value(open, { zone: 'b' }), 0)
})
