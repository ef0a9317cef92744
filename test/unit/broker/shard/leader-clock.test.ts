import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LeaderClock } from '#broker/shard/leader-clock.ts'
import type { AnnouncedClock } from '#shared/cluster/membership.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { nodeOf, RecordingLog, snapshotOf } from '#test/support/gateway-twin.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const DAY = 24 * 3_600_000

function setUp(clocks: ReadonlyMap<number, AnnouncedClock> = new Map(), clockJumpFollow = false) {
  const runtime = new ManualRuntime()
  const log = new RecordingLog()
  const membership = Object.assign(new StaticMembership(snapshotOf([nodeOf(1, 'az1')])), { clocks: () => clocks })
  const clock = new LeaderClock({ nodeId: 1, clock: runtime.clock, membership, log, settings: { clockJumpFollow } })
  return { runtime, log, clock, startMs: clock.nowMs() }
}

test('leader-clock: a jump of the wall clock is told once and not followed, until it is taken back', async () => {
  const { runtime, log, clock, startMs } = setUp()
  await runtime.advance(1_000)
  runtime.jumpWallClock(DAY)
  await runtime.advance(1_000)
  assert.deepEqual([clock.nowMs(), clock.nowMs()], [startMs + 2_000, startMs + 2_000])
  assert.equal(log.of('warn').length, 1)
  runtime.jumpWallClock(-DAY)
  await runtime.advance(1_000)
  assert.equal(clock.nowMs(), startMs + 3_000)
  assert.deepEqual(log.of('info'), ['the wall clock is believed again'])
})

test('leader-clock: clocks that other nodes announced go on as ours does, and confirm a jump', async () => {
  const at = (ms: number): AnnouncedClock => ({ wallMs: 1_700_000_000_000 + DAY + ms, heardMs: 0 })
  const { runtime, log, clock, startMs } = setUp(new Map([[2, at(2)], [3, at(3)]]))
  assert.equal(startMs, 1_700_000_000_000)
  await runtime.advance(5 * DAY)
  runtime.jumpWallClock(DAY)
  assert.equal(clock.nowMs(), startMs + 6 * DAY)
  assert.deepEqual(log.lines, [])
})

test('leader-clock: an operator who says so is followed', async () => {
  const { runtime, clock, startMs } = setUp(new Map(), true)
  runtime.jumpWallClock(DAY)
  assert.equal(clock.nowMs(), startMs + DAY)
})
