/** Goal: DESIGN section 3: a jump of more than 10 minutes is followed only where others or the operator say so. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLOCK_JUMP_MS_MAX, type ClockReading, judgeClock, type TimeVerdict } from '#broker/shard/leader-time-plan.ts'

const T = 1_800_000_000_000
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const START: ClockReading = { wallMs: T, monotonicMs: 5_000 }

/** The verdict `passedMs` after the start, of a clock that shows `errorMs` more than it should. */
function judge(
  passedMs: number, errorMs: number, others: readonly number[] = [], operatorFollows = false
): TimeVerdict {
  const reading = { wallMs: T + passedMs + errorMs, monotonicMs: START.monotonicMs + passedMs }
  return judgeClock({ anchor: START, reading, others: () => others, operatorFollows })
}

test('leader-time: a clock that goes on with the monotonic one is believed, small steps and steps back too', () => {
  for (const errorMs of [0, 1, -1, CLOCK_JUMP_MS_MAX, -DAY])
    assert.deepEqual(judge(MINUTE, errorMs), { timeMs: T + MINUTE + errorMs, anchor: START, aheadMs: 0 })
})

test('leader-time: after a jump ahead that nobody confirms, time goes on by the monotonic clock', () => {
  const { timeMs, anchor, aheadMs } = judge(MINUTE, DAY)
  assert.deepEqual({ timeMs, anchor, aheadMs }, { timeMs: T + MINUTE, anchor: START, aheadMs: DAY })
  assert.equal(judge(10 * DAY, DAY).timeMs, T + 10 * DAY)
  assert.equal(judge(MINUTE, CLOCK_JUMP_MS_MAX + 1).aheadMs, CLOCK_JUMP_MS_MAX + 1)
  assert.equal(judge(MINUTE, DAY, [T + DAY]).aheadMs, DAY, 'one other node is not enough')
  assert.equal(judge(MINUTE, DAY, [T + MINUTE, T + MINUTE, T + DAY]).aheadMs, DAY)
})

test('leader-time: a jump that two other nodes confirm, or the operator, is followed from there on', () => {
  const reading = { wallMs: T + MINUTE + DAY, monotonicMs: START.monotonicMs + MINUTE }
  const followed = { timeMs: reading.wallMs, anchor: reading, aheadMs: 0 }
  assert.deepEqual(judge(MINUTE, DAY, [T + DAY, T + DAY + 2 * MINUTE, T]), followed)
  assert.deepEqual(judge(MINUTE, DAY, [], true), followed)
})

test('leader-time: a clock that creeps is held to one jump an hour', () => {
  let anchor: ClockReading = START
  let [errorMs, timeMs] = [0, 0]
  for (let minute = 1; minute <= 24 * 60; minute++) {
    errorMs += 5 * MINUTE
    const reading = { wallMs: T + minute * MINUTE + errorMs, monotonicMs: START.monotonicMs + minute * MINUTE }
    const verdict = judgeClock({ anchor, reading, others: () => [], operatorFollows: false })
    ;({ anchor, timeMs } = verdict)
  }
  const aheadMs = timeMs - (T + DAY)
  assert(aheadMs <= 25 * CLOCK_JUMP_MS_MAX, `${aheadMs / MINUTE} minutes in a day`)
})

test('leader-time: an hour of honest time moves the anchor on, so that years of drift are no jump', () => {
  let anchor: ClockReading = START
  for (let hour = 1; hour <= 10_000; hour++) {
    const drift = hour * 400 // ms: about 100 ppm
    const reading = { wallMs: T + hour * 3_600_000 + drift, monotonicMs: START.monotonicMs + hour * 3_600_000 }
    const verdict = judgeClock({ anchor, reading, others: () => [], operatorFollows: false })
    assert.equal(verdict.aheadMs, 0)
    ;({ anchor } = verdict)
  }
})

test('leader-time: a start believes its clock, unless two other nodes contradict it', () => {
  const first = (others: readonly number[]): TimeVerdict =>
    judgeClock({ anchor: null, reading: START, others: () => others, operatorFollows: false })
  const believed = { timeMs: T, anchor: START, aheadMs: 0 }
  for (const others of [[], [T - DAY], [T - DAY, T], [T + DAY, T + DAY], [T - MINUTE, T - MINUTE]])
    assert.deepEqual(first(others), believed)
  const slow = T - DAY
  assert.deepEqual(first([slow - 1, slow]), {
    timeMs: slow, anchor: { wallMs: slow, monotonicMs: START.monotonicMs }, aheadMs: DAY
  })
})
