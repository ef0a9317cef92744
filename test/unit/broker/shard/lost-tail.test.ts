/**
 * Goal: a journal that lost what it acknowledged is never continued: the leadership ends, the view is quarantined and
 * says both positions, and nothing more is written.
 * Method: a medium that is rolled back or emptied between two calls, as a Redis that came back without its tail.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokerSettings } from '#broker/config.ts'
import { Leadership } from '#broker/shard/leadership.ts'
import { newShardState } from '#broker/shard/shard-state.ts'
import { SnapshotStore } from '#broker/shard/snapshot-store.ts'
import { ViewRunner } from '#broker/shard/view-runner.ts'
import type { ErrorCode } from '#shared/errors/error-codes.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { type Position, POSITION_NONE, type ShardJournal } from '#shared/journal/journal.ts'
import { MemoryJournal, MemoryJournalMedium } from '#shared/journal/memory-journal.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import { RecordingLog } from '#test/support/gateway-twin.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const SHARD = 3
const fails = (code: ErrorCode) => (error: unknown): boolean => error instanceof ZonewiseError && error.code === code

type Bench = { readonly runtime: ManualRuntime; readonly log: RecordingLog; readonly medium: MemoryJournalMedium; readonly journal: ShardJournal
  readonly view: ViewRunner; readonly leadership: Leadership; readonly ends: ZonewiseError[] }

async function bench(): Promise<Bench> {
  const runtime = new ManualRuntime()
  const log = new RecordingLog()
  const medium = new MemoryJournalMedium()
  const all = new MemoryJournal(medium, { chance: runtime.chance })
  await all.create(SHARD)
  const journal = await all.shard(SHARD)
  const view = new ViewRunner({ shard: SHARD, journal, snapshots: new SnapshotStore(new MemoryStore(runtime.clock), 'c'), runtime, log })
  await view.recover()
  const led = await journal.lead(0, view.position)
  await view.barrier()
  const ends: ZonewiseError[] = []
  const leadership = new Leadership({
    shard: SHARD, led, ledMs: runtime.clock.monotonicMs(), state: newShardState(), journal, runtime, log, settings: brokerSettings.defaults(),
    onDurable: (group) => { view.take(group) }, onEnd: (error) => { ends.push(error) }
  })
  return { runtime, log, medium, journal, view, leadership, ends }
}

async function append({ runtime, leadership }: Bench, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const appended = leadership.append([])
    await runtime.settle()
    await appended
  }
}

/** Back to the group at `seq`, as an older copy of the data would have it. */
function rollBack({ medium }: Bench, seq: number): void {
  const shard = medium.shards.get(SHARD)!
  shard.groups = shard.groups.filter((group) => group.position.seq <= seq)
  const { position, crc } = shard.groups.at(-1)!
  shard.end = { position, crc }
}

const endOf = ({ medium }: Bench): Position => medium.shards.get(SHARD)!.end.position

test('leadership: an append that meets an older end says that the tail was lost', async () => {
  const all = await bench()
  await append(all, 5)
  rollBack(all, 2)
  const appended = all.leadership.append([])
  await all.runtime.settle()
  await assert.rejects(appended, fails('JOURNAL_MISSING'))
  assert.deepEqual(all.ends.map(({ code, context }) => [code, context]), [['JOURNAL_MISSING', { shard: SHARD, journal: '1-2', known: '1-5' }]])
  assert.deepEqual(endOf(all), { epoch: 1, seq: 2 })
})

test('leadership: a proof that finds an older end says that the tail was lost', async () => {
  const all = await bench()
  await append(all, 5)
  rollBack(all, 4)
  await assert.rejects(all.leadership.proof(), fails('JOURNAL_MISSING'))
  assert.equal(all.ends[0]?.code, 'JOURNAL_MISSING')
})

test('leadership: a newer leader is no lost tail', async () => {
  const all = await bench()
  await append(all, 5)
  await all.journal.lead(0)
  await assert.rejects(all.leadership.proof(), fails('JOURNAL_UNSETTLED'))
  assert.deepEqual(all.ends.map(({ code }) => code), ['JOURNAL_UNSETTLED'])
})

test('view-runner: a barrier that finds an older end quarantines', async () => {
  const all = await bench()
  await append(all, 5)
  await all.view.barrier()
  rollBack(all, 1)
  await assert.rejects(all.view.barrier(), fails('SHARD_QUARANTINED'))
  assert.match(String(all.view.failure?.context['reason']), /lost what it acknowledged.*journal 1-1, known 1-5/)
  assert.deepEqual(all.log.of('error'), ['shard quarantined'])
})

test('view-runner: who has applied more than the journal holds does not take over', async () => {
  const all = await bench()
  await append(all, 5)
  rollBack(all, 3)
  await assert.rejects(all.journal.lead(all.view.position.epoch, all.view.position), fails('JOURNAL_MISSING'))
  assert.deepEqual(endOf(all), { epoch: 1, seq: 3 })
})

test('view-runner: a journal that is gone quarantines at the recovery', async () => {
  const all = await bench()
  const gone: ShardJournal = { ...all.journal, end: () => Promise.reject(new ZonewiseError('JOURNAL_MISSING', 'gone')) }
  const { runtime, log } = all
  const view = new ViewRunner({ shard: SHARD, journal: gone, snapshots: new SnapshotStore(new MemoryStore(runtime.clock), 'c'), runtime, log })
  await assert.rejects(view.recover(), fails('SHARD_QUARANTINED'))
  assert.equal(view.position, POSITION_NONE)
})
