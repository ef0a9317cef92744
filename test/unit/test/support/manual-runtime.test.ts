import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sleep } from '#shared/runtime/runtime.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

test('manual-runtime: timers fire at their time, in order, with promises settled between', async () => {
  const runtime = new ManualRuntime()
  const seen: string[] = []
  const at = (name: string): void => { seen.push(`${name}@${runtime.clock.monotonicMs()}`) }
  runtime.timer.after(20, () => { at('b') })
  runtime.timer.after(10, () => { at('a'); runtime.timer.after(5, () => { at('a+5') }) })
  const cancel = runtime.timer.after(12, () => { at('never') })
  runtime.timer.soon(() => { at('soon') })
  void sleep(runtime.timer, 10).then(() => { at('slept') })
  cancel()
  await runtime.advance(19)
  assert.deepEqual(seen, ['soon@0', 'a@10', 'slept@10', 'a+5@15'])
  await runtime.advance(1)
  assert.deepEqual(seen.at(-1), 'b@20')
  assert.equal(runtime.pendingCount, 0)
})

test('manual-runtime: the wall clock may jump alone', async () => {
  const runtime = new ManualRuntime({ nowMs: 1_000 })
  await runtime.advance(5)
  runtime.jumpWallClock(-100)
  assert.deepEqual([runtime.clock.nowMs(), runtime.clock.monotonicMs()], [905, 5])
})
