import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Hedger, type Try } from '#shared/store/s3/hedger.ts'
import { LatencyWindow } from '#shared/store/s3/latency-state.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

type Outcome = { readonly answer: boolean; readonly name: string }

/** Tries that a test settles; `cancelled` says which were given up. */
function setUp({ percentMax = 100, hedgesMax = 8, afterMsMin = 10, usualMs = 20 } = {}) {
  const runtime = new ManualRuntime()
  const hedger = new Hedger({ timer: runtime.timer, clock: runtime.clock, percentMax, afterMsMin, hedgesMax })
  const window = new LatencyWindow()
  for (let n = 0; n < 64; n++) window.record(usualMs)
  const tries: { settle: (outcome: Outcome) => void; cancelled: boolean }[] = []
  const start = (): Try<Outcome> => {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    const one = { settle: resolve, cancelled: false }
    tries.push(one)
    return { outcome: promise, cancel: () => { one.cancelled = true } }
  }
  const discarded: string[] = []
  const run = (): Try<Outcome> =>
    hedger.run({ window, start, isAnswer: ({ answer }) => answer, discard: ({ name }) => { discarded.push(name) } })
  return { runtime, hedger, window, tries, run, discarded }
}

const answer = (name: string): Outcome => ({ answer: true, name })
const failure = (name: string): Outcome => ({ answer: false, name })

test('hedger: a usual answer comes alone', async () => {
  const { runtime, tries, run, hedger } = setUp()
  const { outcome } = run()
  await runtime.advance(19)
  tries[0]!.settle(answer('first'))
  assert.equal((await outcome).name, 'first')
  await runtime.advance(1_000)
  assert.equal(tries.length, 1)
  assert.equal(hedger.hedgeCount, 0)
  assert.equal(runtime.pendingCount, 0)
})

test('hedger: after the p99 a second is sent, the first answer wins, the loser is cancelled', async () => {
  for (const winner of [0, 1]) {
    const { runtime, tries, run, hedger } = setUp()
    const { outcome } = run()
    await runtime.advance(20)
    assert.equal(tries.length, 2)
    tries[winner]!.settle(answer(String(winner)))
    assert.equal((await outcome).name, String(winner))
    assert.deepEqual(tries.map(({ cancelled }) => cancelled), [winner === 1, winner === 0])
    assert.equal(hedger.hedgeCount, 1)
  }
})

test('hedger: a failure is no answer while the other still runs, and the last failure is told', async () => {
  const one = setUp()
  const first = one.run()
  await one.runtime.advance(20)
  one.tries[0]!.settle(failure('a'))
  await one.runtime.settle()
  one.tries[1]!.settle(answer('b'))
  assert.equal((await first.outcome).name, 'b')
  const two = setUp()
  const second = two.run()
  await two.runtime.advance(20)
  two.tries[1]!.settle(failure('a'))
  await two.runtime.settle()
  two.tries[0]!.settle(failure('b'))
  assert.equal((await second.outcome).name, 'b')
})

test('hedger: a failure before the time is told at once, without a second', async () => {
  const { runtime, tries, run } = setUp()
  const { outcome } = run()
  tries[0]!.settle(failure('a'))
  assert.equal((await outcome).name, 'a')
  await runtime.advance(1_000)
  assert.equal(tries.length, 1)
})

test('hedger: never before the least wait, never beyond share or number, never twice for one', async () => {
  const fast = setUp({ usualMs: 1 })
  fast.run()
  await fast.runtime.advance(9)
  assert.equal(fast.tries.length, 1)
  await fast.runtime.advance(1_000)
  assert.equal(fast.tries.length, 2)

  const shared = setUp({ percentMax: 5 })
  for (let n = 0; n < 100; n++) shared.run()
  await shared.runtime.advance(1_000)
  assert.equal(shared.tries.length, 104) // a hundred times a twentieth, less what rounding takes
  const few = setUp({ hedgesMax: 2 })
  for (let n = 0; n < 10; n++) few.run()
  await few.runtime.advance(1_000)
  assert.equal(few.tries.length, 12)
})

test('hedger: nothing is hedged while nothing is known', async () => {
  const runtime = new ManualRuntime()
  const hedger = new Hedger({ timer: runtime.timer, clock: runtime.clock, percentMax: 100, afterMsMin: 1, hedgesMax: 8 })
  let started = 0
  const start = (): Try<Outcome> => { started += 1; return { outcome: new Promise(() => {}), cancel() {} } }
  hedger.run({ window: new LatencyWindow(), start, isAnswer: () => true, discard() {} })
  await runtime.advance(60_000)
  assert.equal(started, 1)
})

test('hedger: an outcome that comes too late, or is bettered, is discarded', async () => {
  const { runtime, tries, run, discarded } = setUp()
  const { outcome } = run()
  await runtime.advance(20)
  tries[1]!.settle(answer('second'))
  assert.equal((await outcome).name, 'second')
  tries[0]!.settle(answer('first'))
  await runtime.settle()
  assert.deepEqual(discarded, ['first'])
})

test('hedger: cancelling the whole cancels both', async () => {
  const { runtime, tries, run } = setUp()
  const whole = run()
  await runtime.advance(20)
  whole.cancel()
  assert.deepEqual(tries.map(({ cancelled }) => cancelled), [true, true])
})
