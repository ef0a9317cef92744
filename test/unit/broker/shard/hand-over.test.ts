/**
 * Goal: every shard is led by one node as soon as can be, whatever nodes come, go, drain, die or lose their lease, and
 * nobody takes a shard that a live lease lists.
 * Method: real hosts and memberships over a registry in memory, on time that a test moves.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { targetOf } from '#shared/cluster/placement.ts'
import { ALL_SHARDS, LeasedCluster } from '#test/support/leased-cluster.ts'
import { entryOf } from '#test/support/shard-cluster.ts'

/** Each shard has one leader: the one that placement names, at every node. */
function assertSettled(cluster: LeasedCluster): void {
  for (const [shard, leaders] of cluster.leaders()) {
    const targets = new Set([...cluster.nodes.values()].map(({ membership }) => targetOf(membership.current(), shard)))
    assert.deepEqual(leaders, [...targets], `shard ${shard}`)
    for (const { membership } of cluster.nodes.values())
      assert.equal(membership.current().leases?.get(shard)?.nodeId, leaders[0], `lister of shard ${shard}`)
  }
}

test('hand-over: a node that joins gets its share, each shard from a leader that has let go of it', async () => {
  const cluster = await LeasedCluster.start([1])
  assertSettled(cluster)
  const epochs = new Map(ALL_SHARDS.map((shard) => [shard, cluster.node(1).host.leader(shard)!.epoch]))
  await cluster.add(2)
  await cluster.runtime.advance(1_000)
  assertSettled(cluster)
  const moved = ALL_SHARDS.filter((shard) => cluster.node(2).host.leader(shard) !== null)
  assert(moved.length >= 2)
  for (const shard of moved) assert.equal(cluster.node(2).host.leader(shard)!.epoch, epochs.get(shard)! + 1) // one take-over
  assert.deepEqual(cluster.node(1).log.of('warn'), [])
  cluster.stop()
})

test('hand-over: the next leader has read the shard before it is let go', async () => {
  const cluster = await LeasedCluster.start([1])
  for (const shard of ALL_SHARDS.slice(0, -1)) void cluster.node(1).host.leader(shard)!.append([entryOf(shard)])
  await cluster.runtime.settle()
  const calls: string[] = []
  cluster.hub.fault = (from, to, { name }) => { calls.push(`${name} ${from}>${to}`); return null }
  await cluster.add(2)
  await cluster.runtime.advance(1_000)
  const moved = ALL_SHARDS.filter((shard) => cluster.node(2).host.leader(shard) !== null)
  assert.equal(calls.filter((call) => call === 'prepare 1>2').length, moved.length)
  cluster.stop()
})

test('hand-over: who handed a shard over follows it only if somebody reads it there', async () => {
  for (const isRead of [false, true]) {
    const cluster = await LeasedCluster.start([1])
    const { host } = cluster.node(1)
    if (isRead) for (const shard of ALL_SHARDS) void host.view(shard)
    await cluster.add(2)
    await cluster.runtime.advance(2_000)
    const shard = ALL_SHARDS.find((one) => one !== CATALOG_SHARD && host.leader(one) === null)!
    let feeds = 0
    cluster.hub.fault = (from, to, { name }) => { if (name === 'feed' && to === 1 && from === 2) feeds += 1; return null }
    void cluster.node(2).host.leader(shard)!.append([entryOf(shard)])
    await cluster.runtime.settle()
    assert.equal(feeds, isRead ? 1 : 0)
    cluster.stop()
  }
})

test('hand-over: a node that drains leads nothing within a second, and the others go on', async () => {
  const cluster = await LeasedCluster.start([1, 2, 3])
  const { host, membership } = cluster.node(2)
  void membership.announce({ draining: true })
  const done = host.handedOver(10_000)
  await cluster.runtime.advance(1_000)
  await done
  for (const [shard, leaders] of cluster.leaders()) {
    assert.equal(leaders.length, 1, `shard ${shard}`)
    assert.notEqual(leaders[0], 2)
  }
  cluster.stop()
})

test('hand-over: the shards of a node that died are led on when its lease has run out, all at once', async () => {
  const cluster = await LeasedCluster.start([1, 2, 3])
  cluster.kill(3)
  await cluster.runtime.advance(2_500)
  assert([...cluster.leaders().values()].some((leaders) => leaders.length === 0)) // its lease still lists them
  await cluster.runtime.advance(2_000)
  assertSettled(cluster)
  cluster.stop()
})

test('hand-over: a leader without a lease decides nothing, and leads again what nobody took', async () => {
  const cluster = await LeasedCluster.start([1])
  const { host, registry } = cluster.node(1)
  const epoch = host.leader(0)!.epoch
  registry.faults.cutOff = true
  await cluster.runtime.advance(5_000)
  assert.equal(host.leader(0), null)
  registry.faults.cutOff = false
  await cluster.runtime.advance(2_000)
  assert.equal(host.leader(0)!.epoch, epoch + 1)
  assertSettled(cluster)
  cluster.stop()
})

test('hand-over: a node cut off from the registry is replaced, and takes nothing back that another lists', async () => {
  const cluster = await LeasedCluster.start([1, 2])
  cluster.node(1).registry.faults.cutOff = true
  await cluster.runtime.advance(6_000)
  for (const leaders of cluster.leaders().values()) assert.deepEqual(leaders, [2])
  const epochs = new Map(ALL_SHARDS.map((shard) => [shard, cluster.node(2).host.leader(shard)!.epoch]))
  cluster.node(1).registry.faults.cutOff = false
  await cluster.runtime.advance(4_000)
  assertSettled(cluster)
  for (const shard of ALL_SHARDS) {
    const back = cluster.node(1).host.leader(shard)
    if (back !== null) assert.equal(back.epoch, epochs.get(shard)! + 1) // handed over, not fought for
  }
  cluster.stop()
})

test('hand-over: a stale leader that still believes finds the fence, and what it decided is unknown', async () => {
  const cluster = await LeasedCluster.start([1, 2])
  const shard = ALL_SHARDS.find((each) => cluster.node(1).host.leader(each) !== null && each < 100)!
  const stale = cluster.node(1).host.leader(shard)!
  const journal = await cluster.node(2).journal.shard(shard)
  await journal.lead(stale.epoch) // somebody else took it
  const lost = assert.rejects(stale.append([entryOf(9)]), { code: 'JOURNAL_UNSETTLED' })
  await cluster.runtime.advance(3_000)
  await lost
  assertSettled(cluster)
  cluster.stop()
})

test('hand-over: after an outage of the registry shards stay where they were', async () => {
  const cluster = await LeasedCluster.start([1, 2, 3])
  const before = cluster.leaders()
  for (const { registry } of cluster.nodes.values()) registry.faults.cutOff = true
  await cluster.runtime.advance(20_000)
  for (const { registry } of cluster.nodes.values()) {
    registry.faults.cutOff = false
    await cluster.runtime.advance(300)
  }
  await cluster.runtime.advance(4_000)
  assertSettled(cluster)
  assert.deepEqual(cluster.leaders(), before)
  cluster.stop()
})

test('hand-over: idle leaders notice that Redis lost all, also where their journals do not answer at first', async () => {
  const cluster = await LeasedCluster.start([1])
  const { host, journal } = cluster.node(1)
  cluster.lose()
  journal.faults.errorBeforePerMille = 1_000
  await cluster.runtime.advance(1_100) // one renewal
  journal.faults.errorBeforePerMille = 0
  await cluster.runtime.advance(2_000)
  assert.deepEqual([...cluster.leaders().values()].flat(), [])
  for (const shard of ALL_SHARDS) assert.equal(host.failure(shard)?.code, 'SHARD_QUARANTINED', `shard ${shard}`)
  cluster.stop()
})
