/**
 * Goal: nobody is answered before what the answer rests on is durable; an id is used for one sequence of bytes; a
 * leader that was fenced, or cannot know, says so (DESIGN section 3).
 * Method: a real leadership over a journal whose calls a test holds, repeats or refuses.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Leadership } from '#broker/shard/leadership.ts'
import { newShardState } from '#broker/shard/shard-state.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { AppendOutcome, JournalGroup, ShardJournal } from '#shared/journal/journal.ts'
import { MemoryJournal, MemoryJournalMedium } from '#shared/journal/memory-journal.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { silentLog } from '#shared/log/log.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'
import { entryOf } from '#test/support/shard-cluster.ts'

const SETTLE_MS = 3_000

type Hooks = { append?: (run: () => Promise<AppendOutcome>) => Promise<AppendOutcome>; end?: () => Promise<void> }

async function setUp(hooks: Hooks = {}, startedAfterMs = 0) {
  const runtime = new ManualRuntime()
  const medium = new MemoryJournalMedium()
  const all = new MemoryJournal(medium, { chance: new Rng(1) })
  await all.create(0)
  const inner = await all.shard(0)
  const appended: { seq: number; bytes: string }[] = []
  const journal: ShardJournal = {
    ...inner,
    append: (epoch, after, body) => {
      appended.push({ seq: after.seq + 1, bytes: Buffer.concat(body).toString('hex') })
      const run = (): Promise<AppendOutcome> => inner.append(epoch, after, body)
      return hooks.append === undefined ? run() : hooks.append(run)
    },
    end: async () => { await hooks.end?.(); return inner.end() }
  }
  const ledMs = runtime.clock.monotonicMs()
  const led = await journal.lead(0)
  if (startedAfterMs > 0) await runtime.advance(startedAfterMs)
  const durable: JournalGroup[] = []
  const ended: ZonewiseError[] = []
  const leadership = new Leadership({
    shard: 0, led, ledMs, journal, runtime, log: silentLog, state: newShardState(),
    settings: { journalSettleMs: SETTLE_MS, groupBytesMax: 1_000 },
    onDurable: (group) => { durable.push(group) }, onEnd: (error) => { ended.push(error) }
  })
  const rival =
    async (): Promise<void> => { await (await new MemoryJournal(medium, { chance: new Rng(2) }).shard(0)).lead(0) }
  return { runtime, leadership, appended, durable, ended, rival }
}

/** How a promise stands, without waiting for it. */
function watch(promise: Promise<unknown>): { state: string } {
  const watched = { state: 'waiting' }
  promise.then(() => { watched.state = 'done' }, (error: unknown) => { watched.state = (error as ZonewiseError).code })
  return watched
}

test('leadership: what comes while an append is in flight is the next group; answers and repeated answers wait for it', async () => {
  const held = Promise.withResolvers<void>()
  const t = await setUp({ append: async (run) => { await held.promise; return run() } })
  const first = watch(t.leadership.append([entryOf(1)]))
  await t.runtime.settle()
  const others =
    [t.leadership.append([entryOf(2)]), t.leadership.append([entryOf(3)]), t.leadership.settled(), t.leadership.proof()]
      .map(watch)
  await t.runtime.settle()
  assert.deepEqual([first, ...others].map(({ state }) => state), Array(5).fill('waiting'))
  assert.equal(t.leadership.state.partitions.byLocalId.length, 3) // only decisions see this
  assert.equal(t.durable.length, 0)
  held.resolve()
  await t.runtime.settle()
  assert.deepEqual([first, ...others].map(({ state }) => state), Array(5).fill('done'))
  assert.deepEqual(t.appended.map(({ seq }) => seq), [1, 2])
})

test('leadership: an append that is not settled is repeated with the same id and bytes, whatever came meanwhile', async () => {
  let [attempts, effect] = [0, false]
  const t = await setUp({ append: async (run) => {
    attempts += 1
    if (attempts === 2) { await run(); effect = true } // done, and the answer lost
    if (attempts <= 3) throw new ZonewiseError('JOURNAL_UNSETTLED', 'no answer')
    return run()
  } })
  const first = watch(t.leadership.append([entryOf(1)]))
  await t.runtime.settle()
  const second = watch(t.leadership.append([entryOf(2)]))
  await t.runtime.advance(500)
  assert.deepEqual([first.state, second.state, effect], ['done', 'done', true])
  assert.deepEqual(t.appended.map(({ seq }) => seq), [1, 1, 1, 1, 2])
  assert.equal(new Set(t.appended.slice(0, 4).map(({ bytes }) => bytes)).size, 1)
  assert.deepEqual(t.durable.map(({ position }) => position.seq), [1, 2])
})

test('leadership: what cannot be settled in time ends it, and is called unknown', async () => {
  const t = await setUp({ append: () => Promise.reject(new ZonewiseError('JOURNAL_UNSETTLED', 'no answer')) })
  const waiting = [t.leadership.append([entryOf(1)]), t.leadership.proof()].map(watch)
  await t.runtime.advance(SETTLE_MS - 500)
  assert.deepEqual(waiting.map(({ state }) => state), ['waiting', 'waiting'])
  await t.runtime.advance(1_000)
  assert.deepEqual(waiting.map(({ state }) => state), ['JOURNAL_UNSETTLED', 'JOURNAL_UNSETTLED'])
  assert.equal(t.ended.length, 1)
  await assert.rejects(t.leadership.append([entryOf(2)]), { code: 'JOURNAL_UNSETTLED' })
})

test('leadership: fenced, it answers nobody "failed" and shows nobody what was not durable', async () => {
  const t = await setUp()
  await t.rival()
  const waiting = watch(t.leadership.append([entryOf(1)]))
  await t.runtime.settle()
  assert.equal(waiting.state, 'JOURNAL_UNSETTLED')
  assert.deepEqual([t.durable.length, t.ended.length], [0, 1])
  await assert.rejects(t.leadership.settled(), { code: 'JOURNAL_UNSETTLED' })
})

test('leadership: a proof is a read of the journal begun after the call; one read serves all that wait', async () => {
  const held = Promise.withResolvers<void>()
  let reads = 0
  const t = await setUp({ end: async () => { reads += 1; await held.promise } })
  const first = watch(t.leadership.proof())
  const others = [t.leadership.proof(), t.leadership.proof()].map(watch) // the read that runs began before these came
  await t.runtime.settle()
  assert.equal(reads, 1)
  await t.rival()
  held.resolve()
  await t.runtime.settle()
  assert.deepEqual([first, ...others].map(({ state }) => state), Array(3).fill('JOURNAL_UNSETTLED'))
  assert.equal(t.ended.length, 1)
})

test('leadership: a recent proof counts from the call that led, not from when the shard was ready', async () => {
  let reads = 0
  const t = await setUp({ end: async () => { reads += 1 } }, 1_500)
  await t.leadership.recentProof(1_000)
  assert.equal(reads, 1)
  await t.leadership.recentProof(1_000)
  assert.equal(reads, 1)
})

test('leadership: time never goes back, whatever the clock does', async () => {
  const t = await setUp()
  const before = t.leadership.nowMs()
  const durable = t.leadership.append([entryOf(1)])
  await t.runtime.settle()
  await durable
  t.runtime.jumpWallClock(-60_000)
  assert.equal(t.leadership.nowMs(), before)
})
