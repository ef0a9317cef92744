/**
 * Goal: a view is fed by whoever leads, costs nothing but a keepalive while nothing happens, and goes by the journal when
 * it is not fed.
 * Method: real hosts over one journal; calls between nodes are counted, dropped or held.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BrokerSettings } from '#broker/config.ts'
import { leaderOf } from '#shared/cluster/placement.ts'
import type { ShardJournal } from '#shared/journal/journal.ts'
import { entryOf, ShardCluster } from '#test/support/shard-cluster.ts'
import { snapshotOf } from '#test/support/snapshots.ts'

const FIRST = leaderOf(snapshotOf([1, 2], { shardCount: 1 }), 0)
const OTHER = 3 - FIRST
const DROP = { delayMs: 0, dropRequest: true, dropReply: false }

type Calls = { readonly counts: Map<string, number>; reads: number }

/** A cluster of two whose other node has a view of the data shard, fed by the first. */
async function fedCluster(settings: Partial<BrokerSettings> = {}): Promise<{ cluster: ShardCluster; calls: Calls; drops: Set<string> }> {
  const calls: Calls = { counts: new Map(), reads: 0 }
  const drops = new Set<string>()
  const countReads = (journal: ShardJournal, node: number): ShardJournal => (node === FIRST ? journal : {
    ...journal,
    read: (...args) => { calls.reads += 1; return journal.read(...args) }
  })
  const cluster = await ShardCluster.start(2, [1, 2], { journal: countReads, settings })
  cluster.hub.fault = (from, to, { name }) => {
    if (from !== to) calls.counts.set(name, (calls.counts.get(name) ?? 0) + 1)
    return drops.has(name) ? DROP : null
  }
  const view = cluster.host(OTHER).view(0)
  await cluster.runtime.advance(1_000)
  await view
  await cluster.runtime.advance(1_000)
  calls.counts.clear()
  calls.reads = 0
  return { cluster, calls, drops }
}

async function append(cluster: ShardCluster, ...partitions: number[]): Promise<void> {
  for (const partition of partitions) void cluster.host(FIRST).leader(0)!.append([entryOf(partition)])
  await cluster.runtime.settle()
}

async function partitionsAt(cluster: ShardCluster, node: number): Promise<number> {
  return (await cluster.host(node).view(0)).state.partitions.byLocalId.length
}

test('feed: what becomes durable reaches the view by one call, without a look at the journal', async () => {
  const { cluster, calls } = await fedCluster()
  await append(cluster, 1)
  assert.equal(await partitionsAt(cluster, OTHER), 1)
  assert.deepEqual([...calls.counts], [['feed', 1]])
  assert.equal(calls.reads, 0)
  cluster.stop()
})

test('feed: what becomes durable shortly after goes together', async () => {
  const { cluster, calls } = await fedCluster()
  for (let partition = 1; partition <= 10; partition++) await append(cluster, partition)
  assert.equal(await partitionsAt(cluster, OTHER), 1)
  await cluster.runtime.advance(3)
  assert.equal(await partitionsAt(cluster, OTHER), 10)
  assert.equal(calls.counts.get('feed'), 2)
  cluster.stop()
})

test('feed: an idle pair of nodes exchanges one keepalive a second each way that feeds, and nothing else', async () => {
  const { cluster, calls } = await fedCluster()
  await cluster.runtime.advance(30_000)
  const feeds = calls.counts.get('feed') ?? 0
  assert(feeds >= 29 && feeds <= 61, `${feeds}`) // the catalog may be led by the other node
  assert.deepEqual([...calls.counts.keys()], ['feed'])
  assert.equal(calls.reads, 0)
  cluster.stop()
})

test('feed: a view whose leader falls silent goes by the journal, and comes back to the feed', async () => {
  const { cluster, calls, drops } = await fedCluster()
  drops.add('feed').add('subscribe')
  await append(cluster, 1)
  await cluster.runtime.advance(5_000)
  assert.equal(await partitionsAt(cluster, OTHER), 1)
  await append(cluster, 2)
  await cluster.runtime.advance(10) // tailing by now: no second passes
  assert.equal(await partitionsAt(cluster, OTHER), 2)
  drops.clear()
  await cluster.runtime.advance(8_000)
  calls.counts.clear()
  calls.reads = 0
  await append(cluster, 3)
  assert.equal(await partitionsAt(cluster, OTHER), 3)
  assert.deepEqual([calls.counts.get('feed'), calls.reads], [1, 0])
  cluster.stop()
})

test('feed: a leader that forgot a follower is noticed by its silence', async () => {
  const { cluster, drops } = await fedCluster()
  drops.add('feed')
  await append(cluster, 1) // the call is never answered: the follower is dropped
  await cluster.runtime.advance(3_500)
  drops.clear()
  await cluster.runtime.advance(4_000)
  await append(cluster, 2)
  await cluster.runtime.advance(10)
  assert.equal(await partitionsAt(cluster, OTHER), 2)
  cluster.stop()
})

test('feed: a follower that falls behind its bound is dropped, and what it missed comes from the journal', async () => {
  const { cluster, drops } = await fedCluster({ feedQueueBytesMax: 1_024 })
  drops.add('feed')
  for (let partition = 0; partition < 100; partition++) await append(cluster, partition)
  assert(cluster.host(FIRST).feedLoad.queuedBytes <= 1_024)
  drops.clear()
  await cluster.runtime.advance(10_000)
  assert.equal(await partitionsAt(cluster, OTHER), 100)
  cluster.stop()
})

test('feed: a view that nobody reads any more is fed no more', async () => {
  const { cluster, calls } = await fedCluster()
  await cluster.runtime.advance(6 * 60_000)
  calls.counts.clear()
  await append(cluster, 1)
  await cluster.runtime.advance(100)
  assert.equal(cluster.host(FIRST).feedLoad.followers <= 1, true) // the catalog's at most
  assert.equal(await partitionsAt(cluster, OTHER), 1) // opened anew
  cluster.stop()
})

test('feed: the age of a view is what its feed proves', async () => {
  const { cluster, drops } = await fedCluster()
  await cluster.runtime.advance(10_000)
  assert((await cluster.host(OTHER).view(0)).ageMs <= 2_000)
  drops.add('feed').add('subscribe')
  await cluster.runtime.advance(20_000)
  assert((await cluster.host(OTHER).view(0)).ageMs <= 2_000) // the journal proves it
  cluster.stop()
})

test('feed: a view that was closed while its feed was asked for is not fed for ever', async () => {
  for (const delayMs of [1_200, 2_000]) { // the answer comes in time, and too late
    const cluster = await ShardCluster.start(2, [1, 2], { settings: { viewIdleMs: 1_000 } })
    let feeds = 0
    cluster.hub.fault = (from, to, { name }) => {
      if (name === 'feed' && from === FIRST && to === OTHER) feeds += 1
      return name === 'subscribe' ? { delayMs, dropRequest: false, dropReply: false } : null
    }
    void cluster.host(OTHER).view(0)
    await cluster.runtime.advance(10_000)
    feeds = 0
    await cluster.runtime.advance(10_000)
    assert.equal(cluster.host(FIRST).feedLoad.followers, 0, `${delayMs}`)
    assert.equal(feeds, 0)
    cluster.stop()
  }
})
