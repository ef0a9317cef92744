/**
 * Goal: the view that readers of a node get is the one that its leadership feeds, or follows whoever leads; bounds hold
 * while the store fails.
 * Method: real hosts over one journal and store, with calls that a test holds at the wrong moment.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leaderOf } from '#shared/cluster/placement.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { JournalEnd, ShardJournal } from '#shared/journal/journal.ts'
import { subscribeCall } from '#shared/rpc/feed.ts'
import { entryOf, ShardCluster } from '#test/support/shard-cluster.ts'
import { snapshotOf } from '#test/support/snapshots.ts'

/** The node that placement names for the data shard among 1 and 2, and the other. */
const FIRST = leaderOf(snapshotOf([1, 2], { shardCount: 1 }), 0)
const OTHER = 3 - FIRST

/** Holds every `lead` of a node until it is let go. */
function holdLead(node: number): { wrap: (journal: ShardJournal, of: number) => ShardJournal; letGo: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return {
    letGo: resolve,
    wrap: (journal, of) => (of !== node ? journal : {
      ...journal, lead: async (above): Promise<JournalEnd> => { await promise; return journal.lead(above) }
    })
  }
}

const partitionsAt = async (cluster: ShardCluster, node: number): Promise<number> =>
  (await cluster.host(node).view(0)).state.partitions.byLocalId.length

test('shard-host: leads what placement names, and feeds the views of other nodes', async () => {
  const cluster = await ShardCluster.start(2, [1, 2])
  assert.equal(cluster.host(OTHER).leader(0), null)
  const view = cluster.host(OTHER).view(0)
  await cluster.runtime.advance(500)
  await view
  void cluster.host(FIRST).leader(0)!.append([entryOf(1)])
  await cluster.runtime.settle()
  assert.deepEqual([await partitionsAt(cluster, FIRST), await partitionsAt(cluster, OTHER)], [1, 1])
  cluster.stop()
})

test('shard-host: a shard that moves is led on by the other node, and both views follow it', async () => {
  const cluster = await ShardCluster.start(2, [1, 2])
  await Promise.all([partitionsAt(cluster, 1), partitionsAt(cluster, 2), cluster.runtime.settle()])
  void cluster.host(FIRST).leader(0)!.append([entryOf(1)])
  await cluster.runtime.settle()
  cluster.setMembers([OTHER])
  await cluster.runtime.advance(2_000)
  assert.equal(cluster.host(FIRST).leader(0), null)
  void cluster.host(OTHER).leader(0)!.append([entryOf(2)])
  await cluster.runtime.settle()
  assert.deepEqual([await partitionsAt(cluster, FIRST), await partitionsAt(cluster, OTHER)], [2, 2])
  cluster.stop()
})

test('shard-host: a view that nobody read for long stays the one that is fed while its shard is taken up', async () => {
  const { wrap, letGo } = holdLead(OTHER)
  const cluster = await ShardCluster.start(2, [1, 2], { settings: { viewIdleMs: 5_000 }, journal: wrap })
  await Promise.all([partitionsAt(cluster, OTHER), cluster.runtime.settle()])
  await cluster.runtime.advance(4_500)
  cluster.setMembers([OTHER])
  await cluster.runtime.advance(2_000) // idle by now
  letGo()
  await cluster.runtime.settle()
  void cluster.host(OTHER).leader(0)!.append([entryOf(1)])
  await cluster.runtime.settle()
  assert.equal(await partitionsAt(cluster, OTHER), 1)
  void cluster.host(OTHER).leader(0)!.append([entryOf(2)])
  await cluster.runtime.settle()
  assert.equal(await partitionsAt(cluster, OTHER), 2)
  cluster.stop()
})

test('shard-host: a node that a shard left while it took it up does not lead it, and follows the one that does', async () => {
  const { wrap, letGo } = holdLead(OTHER)
  const cluster = await ShardCluster.start(2, [1, 2], { journal: wrap })
  await Promise.all([partitionsAt(cluster, OTHER), cluster.runtime.settle()])
  cluster.setMembers([OTHER]) // begins to take it up
  await cluster.runtime.settle()
  cluster.setMembers([1, 2]) // and it is not meant to any more
  await cluster.runtime.advance(1_500)
  letGo() // fences the one that leads
  await cluster.runtime.advance(200)
  assert.equal(cluster.host(OTHER).leader(0), null)
  for (let partition = 1; partition <= 3; partition++) {
    cluster.host(FIRST).leader(0)?.append([entryOf(partition)]).catch(() => {}) // the first finds the fence
    await cluster.runtime.advance(2_000)
  }
  assert.deepEqual([await partitionsAt(cluster, FIRST), await partitionsAt(cluster, OTHER)], [2, 2])
  cluster.stop()
})

test('shard-host: why a shard cannot be taken up is said once, and again when the reason is another one', async () => {
  let reason: string | null = 'is full'
  const lead = (journal: ShardJournal): ShardJournal['lead'] => async (...args) => {
    if (reason !== null) throw new ZonewiseError('JOURNAL_UNSETTLED', 'Redis refused the call', { reason })
    return journal.lead(...args)
  }
  const cluster = await ShardCluster.start(1, [1], { journal: (journal) => ({ ...journal, lead: lead(journal) }) })
  const { host, log } = cluster.hosts.get(1)!
  const said = (): number => log.of('warn').filter((message) => message === 'shard cannot be taken up').length
  const shards = host.missing().length
  await cluster.runtime.advance(10_000)
  assert.equal(said(), shards)
  reason = 'loads'
  await cluster.runtime.advance(10_000)
  assert.equal(said(), 2 * shards)
  reason = null
  await cluster.runtime.advance(2_000)
  assert.deepEqual(host.missing(), [])
  cluster.stop()
})

test('shard-host: however often the cluster changes, a shard that nobody leads is asked for by one call at a time', async () => {
  const { wrap } = holdLead(FIRST) // for ever
  const cluster = await ShardCluster.start(2, [1, 2], { journal: wrap })
  const opened = cluster.host(OTHER).view(0)
  await cluster.runtime.advance(500)
  await opened
  for (let turn = 0; turn < 20; turn++) {
    cluster.setMembers([1, 2])
    await cluster.runtime.advance(100)
  }
  let asked = 0
  cluster.hub.fault = (from, _to, { id }) => {
    if (id === subscribeCall.id && from === OTHER) asked += 1
    return null
  }
  await cluster.runtime.advance(20_000)
  assert(asked > 0 && asked <= 12, `asked ${asked} times in 20 s`) // every 2 s
  cluster.stop()
})

test('shard-host: journal bytes count as long as no snapshot holds them', async () => {
  let failing = true
  const cluster = await ShardCluster.start(1, [1], {
    settings: { snapshotJournalBytes: 200 },
    store: (store) => new Proxy(store, { get: (target, name: keyof typeof store) => {
      const method = target[name] as unknown as (...args: unknown[]) => unknown
      if (name !== 'put') return method.bind(target)
      return (...args: unknown[]) =>
        (failing ? Promise.reject(new ZonewiseError('STORE_UNAVAILABLE', 'no answer')) : method.apply(target, args))
    } })
  })
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      void cluster.host(1).leader(0)!.append([entryOf(i)])
      await cluster.runtime.settle()
    }
  }
  await write(20)
  const { host, log } = cluster.hosts.get(1)!
  assert(host.journalBytes(0) > 800, `${host.journalBytes(0)} bytes`)
  assert.equal(log.of('warn').filter((message) => message === 'snapshot not written').length, 1)
  failing = false
  await cluster.runtime.advance(60_000)
  await write(1)
  await cluster.runtime.settle()
  assert.equal(host.journalBytes(0), 0)
  cluster.stop()
})

test('shard-host: a full journal gets room by snapshots before they are due, and what it refused goes on', async () => {
  const JOURNAL_BYTES = 3_000
  let [bytes, trimmed] = [0, 0]
  const sizes = new Map<number, number>() // of groups, by position
  const cluster = await ShardCluster.start(1, [1], {
    settings: { snapshotJournalBytes: 1_800, journalSettleMs: 60_000 },
    journal: (journal) => ({
      ...journal,
      append: async (epoch, after, body) => {
        const length = body.reduce((sum, { byteLength }) => sum + byteLength, 0)
        if (bytes + length > JOURNAL_BYTES) throw new ZonewiseError(
          'JOURNAL_UNSETTLED', 'refused by the test', {}, new ZonewiseError('JOURNAL_FULL', 'full')
        )
        bytes += length
        sizes.set(after.seq + 1, length)
        return journal.append(epoch, after, body)
      },
      trim: async (epoch, to) => {
        for (const [seq, length] of sizes) {
          if (seq <= to.seq && sizes.delete(seq)) [bytes, trimmed] = [bytes - length, trimmed + 1]
        }
        return journal.trim(epoch, to)
      }
    })
  })
  let durable = 0
  for (let i = 0; i < 200; i++) {
    void cluster.host(1).leader(0)!.append([entryOf(i)]).then(() => { durable += 1 })
    await cluster.runtime.advance(100)
  }
  assert.equal(durable, 200)
  assert(trimmed > 0)
  cluster.stop()
})

test('shard-host: a start that is tried again, because something was away, ticks no faster', async () => {
  const cluster = await ShardCluster.start(1, [1])
  const { pendingCount } = cluster.runtime
  for (let i = 0; i < 5; i++) cluster.host(1).start()
  await cluster.runtime.settle()
  assert.equal(cluster.runtime.pendingCount, pendingCount)
  cluster.stop()
})
