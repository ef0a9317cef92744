import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundedStop } from '#cli/node/bounded-stop.ts'
import { RecordingLog } from '#test/support/gateway-twin.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const AWAY_MS = 10_000

function stopping() {
  const runtime = new ManualRuntime()
  const log = new RecordingLog()
  const steps = Promise.withResolvers<void>()
  const seen = { away: null as string | null, killed: 0, ended: false, failed: null as unknown }
  const kill = (): void => { seen.killed += 1 }
  boundedStop({
    stop: () => steps.promise, away: async () => seen.away, kill, awayMs: AWAY_MS, runtime, log
  }).then(() => { seen.ended = true }, (error: unknown) => { seen.failed = error })
  return { runtime, log, steps, seen }
}

test('bounded-stop: goes on as long as it takes while nothing is away', async () => {
  const { runtime, log, steps, seen } = stopping()
  await runtime.advance(5 * AWAY_MS)
  assert.deepEqual([seen.ended, seen.killed], [false, 0])
  steps.resolve()
  await runtime.advance(1_000)
  assert.deepEqual([seen.ended, seen.killed, log.of('warn')], [true, 0, []])
})

test('bounded-stop: ends at the bound where something is away, and says what', async () => {
  const { runtime, log, seen } = stopping()
  seen.away = 'Redis'
  await runtime.advance(AWAY_MS - 1)
  assert.deepEqual([seen.ended, seen.killed], [false, 0])
  await runtime.advance(1)
  assert.deepEqual([seen.ended, seen.killed], [true, 1])
  assert.match(log.of('warn').join(), /^stopped without what is away/)
})

test('bounded-stop: ends soon where something goes away behind the bound', async () => {
  const { runtime, seen } = stopping()
  await runtime.advance(AWAY_MS + 1_000)
  seen.away = 'the store'
  await runtime.advance(500)
  assert.deepEqual([seen.ended, seen.killed], [true, 1])
})

test('bounded-stop: a step that fails fails it', async () => {
  const { runtime, steps, seen } = stopping()
  const failure = new Error('a bug')
  steps.reject(failure)
  await runtime.advance(AWAY_MS)
  assert.deepEqual([seen.failed, seen.killed], [failure, 0])
})
