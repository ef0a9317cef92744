/**
 * Goal: a view takes the exact successor and nothing else, and knows when the journal is not the one it followed
 * (DESIGN section 3: nothing is ever skipped).
 * Method: a real runner over a journal and a store in memory, or over a journal that answers as a test says.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newDurableShard, takeGroup } from '#broker/shard/durable-shard.ts'
import { encodeGroup } from '#broker/shard/entry.ts'
import { SnapshotStore } from '#broker/shard/snapshot-store.ts'
import { ViewRunner } from '#broker/shard/view-runner.ts'
import type { JournalGroup, ShardJournal } from '#shared/journal/journal.ts'
import { MemoryJournal, MemoryJournalMedium } from '#shared/journal/memory-journal.ts'
import { runningCrc } from '#shared/journal/running-crc.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import { RecordingLog } from '#test/support/gateway-twin.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'
import { entryOf } from '#test/support/shard-cluster.ts'

const CLUSTER = 'test-cluster'

async function setUp(change: (journal: ShardJournal) => ShardJournal = (journal) => journal) {
  const runtime = new ManualRuntime()
  const store = new MemoryStore(runtime.clock)
  const log = new RecordingLog()
  const all = new MemoryJournal(new MemoryJournalMedium(), { chance: new Rng(1) })
  await all.create(0)
  const journal = await all.shard(0)
  const snapshots = new SnapshotStore(store, CLUSTER)
  const view = new ViewRunner({ shard: 0, journal: change(journal), snapshots, runtime, log })
  const write = async (count: number, from = 0): Promise<void> => {
    let { position } = from === 0 ? await journal.lead(0) : await journal.end()
    for (let i = 0; i < count; i++) {
      const outcome = await journal.append(position.epoch, position, encodeGroup(1, [entryOf(from + i)]))
      assert(outcome.kind === 'durable')
      position = outcome.position
    }
  }
  const groups = (): Promise<JournalGroup[]> =>
    journal.read({ epoch: 0, seq: 0 }, { groupsMax: 100, bytesMax: 1_000_000 })
  const partitionsOf = (runner: ViewRunner): number => runner.state.partitions.byLocalId.length
  return { runtime, store, log, journal, snapshots, view, write, groups, partitionsOf }
}

test('view-runner: takes what follows exactly, calls what it has "taken", and leaves a gap to the journal', async () => {
  const t = await setUp()
  await t.write(3)
  const [led, first, second, third] = await t.groups()
  assert.equal(t.view.take(led!), true)
  assert.equal(t.view.take(second!), false)
  assert.equal(t.view.take(first!), true)
  assert.equal(t.view.take(first!), true)
  assert.equal(t.partitionsOf(t.view), 1)
  assert.equal(t.view.take(third!), false)
  await t.view.catchUp()
  assert.equal(t.partitionsOf(t.view), 3)
  assert.deepEqual(t.view.position, third!.position)
  assert.equal(t.view.failure, null)
})

test('view-runner: a group that does not continue its running CRC, or names an older predecessor, quarantines', async () => {
  const t = await setUp()
  await t.write(2)
  const [led, first, second] = await t.groups()
  for (const bad of [{ ...second!, afterCrc: 7 }, { ...second!, after: led!.position, afterCrc: led!.crc }]) {
    const { view, log } = await setUp()
    for (const group of [led!, first!]) assert.equal(view.take(group), true)
    assert.equal(view.take(bad), false)
    assert.equal(view.failure?.code, 'SHARD_QUARANTINED')
    await assert.rejects(view.barrier(), { code: 'SHARD_QUARANTINED' })
    assert.deepEqual(log.of('error'), ['shard quarantined'])
  }
})

test('view-runner: a barrier quarantines where the journal ends below what was applied', async () => {
  let lost = false
  const t = await setUp(
    (journal) => ({ ...journal, end: async () => (lost ? { position: { epoch: 1, seq: 1 }, crc: 0 } : journal.end()) })
  )
  await t.write(3)
  await t.view.recover()
  await t.view.barrier()
  lost = true
  await assert.rejects(t.view.barrier(), { code: 'SHARD_QUARANTINED' })
})

test('view-runner: a snapshot whose position the journal holds as another group is not taken up', async () => {
  const t = await setUp()
  await t.write(2)
  const fork = newDurableShard(0)
  let crc = 0
  for (const { position, after } of await t.groups()) {
    const body = position.seq === 0 ? new Uint8Array(0) : Buffer.concat(encodeGroup(1, [entryOf(50 + position.seq)]))
    const afterCrc = crc
    crc = runningCrc(crc, position, [body])
    takeGroup(fork, { position, after, afterCrc, crc, body })
  }
  await t.snapshots.write(fork)
  await assert.rejects(t.view.recover(), { code: 'SHARD_QUARANTINED' })
})

test('view-runner: a snapshot above the end of the journal is not taken up', async () => {
  const t = await setUp()
  await t.write(2)
  await t.view.recover()
  await t.snapshots.write({ ...t.view.durable, position: { epoch: 1, seq: 9 } })
  const { view } = await setUp((journal) => ({ ...journal, end: () => t.journal.end() }))
  const again = new ViewRunner({ shard: 0, journal: t.journal, snapshots: t.snapshots, runtime: t.runtime, log: t.log })
  await assert.rejects(again.recover(), { code: 'SHARD_QUARANTINED' })
  assert.equal(view.failure, null)
})

test('view-runner: who asks to catch up while a read runs gets one that begins later', async () => {
  const held = Promise.withResolvers<void>()
  let reads = 0
  const t = await setUp((journal) => ({ ...journal, read: async (...args) => {
    const groups = await journal.read(...args)
    reads += 1
    if (reads === 1) await held.promise
    return groups
  } }))
  const first = t.view.catchUp() // sees an empty journal, and is slow to say so
  await t.write(2)
  const second = t.view.catchUp()
  const third = t.view.catchUp()
  held.resolve()
  await first
  assert.equal(t.partitionsOf(t.view), 0)
  await Promise.all([second, third])
  assert.equal(t.partitionsOf(t.view), 2)
  assert.equal(reads, 3) // what there is, and that there is no more
})

test('view-runner: a gap is closed by the newest snapshot, or quarantines where none covers it', async () => {
  const t = await setUp()
  await t.write(4)
  const leader = new ViewRunner(
    { shard: 0, journal: t.journal, snapshots: t.snapshots, runtime: t.runtime, log: t.log }
  )
  await leader.recover()
  await t.journal.trim(1, { epoch: 1, seq: 3 })
  await assert.rejects(t.view.catchUp(), { code: 'SHARD_QUARANTINED' })
  await t.snapshots.write(leader.durable)
  const late = new ViewRunner({ shard: 0, journal: t.journal, snapshots: t.snapshots, runtime: t.runtime, log: t.log })
  const told: number[] = []
  late.onAdvance((localIds) => { told.push(...localIds) })
  await late.catchUp()
  assert.equal(t.partitionsOf(late), 4)
  assert.deepEqual(told, [0, 1, 2, 3])
})

test('view-runner: waits ahead of time count as use', async () => {
  const { runtime, view } = await setUp()
  view.touch(5_000)
  assert.equal(view.idleMs, -5_000)
  await runtime.advance(1_000)
  view.touch()
  assert.equal(view.idleMs, -4_000)
})
