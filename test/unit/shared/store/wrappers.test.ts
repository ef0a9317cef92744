import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { type MetricRow, Metrics } from '#shared/metrics/metrics.ts'
import { FaultyStore } from '#shared/store/faulty-store.ts'
import { GuardedStore } from '#shared/store/guarded-store.ts'
import { MeasuredStore } from '#shared/store/measured-store.ts'
import { STORE_METRICS } from '#shared/store/metrics.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const bytes = (count: number): Uint8Array => new Uint8Array(count)
const hasCode = (code: string) => (error: unknown): boolean => error instanceof ZonewiseError && error.code === code

test('measured-store: bytes and requests go to the cause of their key', async () => {
  const { clock } = new ManualRuntime()
  const ledger = new Ledger()
  const metrics = new Metrics()
  const store = new MeasuredStore(new MemoryStore(clock), { ledger, zone: 'az1', clock, metrics })
  await store.putIfAbsent('chunks/1', [bytes(60), bytes(40)])
  await assert.rejects(store.putIfAbsent('chunks/1', [bytes(7)]))
  await store.put('snapshots/1/2', [bytes(30)])
  await store.get('chunks/1', { start: 10, end: 20 })
  await store.get('snapshots/1/2')
  await store.list('chunks/')
  await store.delete('chunks/1')
  assert.deepEqual(ledger.rows().map((row) => [row.from, row.to, row.cause, row.bytes, row.requests]), [
    ['az1', 'store', 'chunk-put', 107, 2],
    ['az1', 'store', 'list', 0, 2],
    ['az1', 'store', 'snapshot', 30, 1],
    ['store', 'az1', 'chunk-get', 10, 1],
    ['store', 'az1', 'snapshot', 30, 1]
  ])
  const of = (row: MetricRow, operation: string, more = {}): number =>
    metrics.value(row, { zone: 'az1', operation, ...more })
  assert.deepEqual([of(STORE_METRICS.requests, 'put'), of(STORE_METRICS.bytes, 'put')], [2, 107])
  assert.equal(of(STORE_METRICS.seconds, 'put'), 1)
  assert.equal(of(STORE_METRICS.errors, 'put', { code: 'OBJECT_EXISTS' }), 1)
  assert.deepEqual([of(STORE_METRICS.bytes, 'get'), of(STORE_METRICS.bytes, 'get-meta')], [10, 30])
  assert.deepEqual([of(STORE_METRICS.requests, 'list'), of(STORE_METRICS.requests, 'delete')], [1, 1])
})

test('guarded-store: creating stops before the disk is full, and goes on when there is space', async () => {
  const runtime = new ManualRuntime()
  let free = 1_000
  let asked = 0
  const inner = new MemoryStore(runtime.clock)
  inner.freeBytes = async () => { asked += 1; return free }
  const store = new GuardedStore(inner, runtime.clock, 500)
  await store.putIfAbsent('chunks/a', [bytes(300)])
  await assert.rejects(store.putIfAbsent('chunks/b', [bytes(300)]), hasCode('STORE_FULL'))
  assert.equal(await store.head('chunks/b'), null)
  await store.put('snapshots/1', [bytes(300)]) // what frees space is let through
  await store.putIfAbsent('meta/nodes/1/2', []) // and what a start needs
  free = 5_000
  await assert.rejects(store.putIfAbsent('chunks/b', [bytes(300)]), hasCode('STORE_FULL'))
  assert.equal(asked, 1)
  await runtime.advance(1_000)
  await store.putIfAbsent('chunks/b', [bytes(300)])
  assert.equal(asked, 2)
})

test('guarded-store: bytes in flight count', async () => {
  const runtime = new ManualRuntime()
  const inner = new MemoryStore(runtime.clock)
  inner.freeBytes = async () => 1_000
  const store = new GuardedStore(inner, runtime.clock, 500)
  const results = await Promise.allSettled([1, 2, 3].map((n) => store.putIfAbsent(`chunks/${n}`, [bytes(200)])))
  assert.deepEqual(results.map((result) => result.status), ['fulfilled', 'fulfilled', 'rejected'])
})

test('faulty-store: an error before changes nothing, an error after loses only the reply', async () => {
  const { clock, timer, chance } = new ManualRuntime()
  const store = new FaultyStore(new MemoryStore(clock), timer, chance)
  store.faults.errorBeforePerMille = 1_000
  await assert.rejects(store.putIfAbsent('a', [bytes(1)]), hasCode('STORE_UNAVAILABLE'))
  store.faults.errorBeforePerMille = 0
  assert.equal(await store.head('a'), null)
  store.faults.errorAfterPerMille = 1_000
  await assert.rejects(store.putIfAbsent('a', [bytes(1)]), hasCode('STORE_UNAVAILABLE'))
  store.faults.errorAfterPerMille = 0
  await assert.rejects(store.putIfAbsent('a', [bytes(1)]), hasCode('OBJECT_EXISTS'))
})
