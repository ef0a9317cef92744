/**
 * Goal: whoever leads the catalog raises `cluster.version` as far as it may, and has every shard close the lives of
 * nodes that are dead, once, also when the leader changes in between. Method: three nodes over fake shards.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ENTRY_KIND } from '#broker/shard/entry.ts'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { leaderOf } from '#shared/cluster/placement.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { FakeCatalogCluster, GONE_MS } from '#test/support/fake-catalog-cluster.ts'

const closedEpochs = (cluster: FakeCatalogCluster, nodeId: number): (number | undefined)[] =>
  Array.from({ length: cluster.shardCount }, (_, k) => cluster.shards.state(k).partitions.closedEpochs.get(nodeId))
const version = (cluster: FakeCatalogCluster): number | undefined =>
  cluster.shards.state(CATALOG_SHARD).catalog.cluster?.clusterVersion

test('catalog-upkeep: a new cluster has the newest version allowed, and below it writes no newer kinds', async () => {
  const [newer, older] = [2, 1].map((versionMax) => new FakeCatalogCluster(new Rng(1), { versionMax }))
  for (const cluster of [newer!, older!]) await cluster.runtime.advance(5_000)
  assert.deepEqual([version(newer!), version(older!)], [2, 1])
  older!.crash(3)
  older!.start(3)
  await older!.runtime.advance(5_000)
  const newKinds: readonly number[] = [ENTRY_KIND.nodeLife, ENTRY_KIND.closeSources, ENTRY_KIND.commitFloor]
  for (const shard of [CATALOG_SHARD, 0, 1, 2, 3])
    assert(older!.shards.entries(shard).every(({ kind }) => !newKinds.includes(kind)))
  assert.deepEqual([...newer!.bugs, ...older!.bugs], [])
})

test('catalog-upkeep: what a node did in an earlier life is closed in every shard when it comes again', async () => {
  const cluster = new FakeCatalogCluster(new Rng(2), { versionMax: 2 })
  await cluster.runtime.advance(3_000)
  assert.deepEqual(closedEpochs(cluster, 2), [undefined, undefined, undefined, undefined])
  cluster.crash(2)
  cluster.start(2)
  await cluster.runtime.advance(3_000)
  assert.deepEqual(closedEpochs(cluster, 2), [1, 1, 1, 1])
  const count = cluster.shards.entries(0).length
  await cluster.runtime.advance(30_000)
  assert.equal(cluster.shards.entries(0).length, count) // once
  assert.deepEqual(cluster.bugs, [])
})

test('catalog-upkeep: a node that stays away is closed after a while, by whoever leads then', async () => {
  const cluster = new FakeCatalogCluster(new Rng(3), { versionMax: 2 })
  await cluster.runtime.advance(3_000)
  const dead = leaderOf(cluster.membership.current(), CATALOG_SHARD)
  cluster.crash(dead)
  await cluster.runtime.advance(GONE_MS - 5_000)
  assert.deepEqual(closedEpochs(cluster, dead), [undefined, undefined, undefined, undefined])
  await cluster.runtime.advance(10_000)
  assert.deepEqual(closedEpochs(cluster, dead), [1, 1, 1, 1])
  assert.equal(cluster.shards.state(CATALOG_SHARD).catalog.lives.get(dead)?.closedEpoch, 1)
  assert.deepEqual(cluster.bugs, [])
})
