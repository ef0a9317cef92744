/**
 * Goal: nodes and zones get even shares of shards and partitions, and a node that leaves moves little but its own.
 * Method: clusters of random size and shape; each compared with itself less one node.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CATALOG_SHARD, type ClusterSnapshot } from '#shared/cluster/membership.ts'
import { leaderOf, readerOfChunk, zoneReaderOf } from '#shared/cluster/placement.ts'
import { gatewayOf } from '#shared/cluster/ring.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { seeds } from '#test/support/seeds.ts'
import { nodeOf } from '#test/support/snapshots.ts'

const PARTITIONS = 3_000

function randomCluster(rng: Rng): ClusterSnapshot {
  const zoneCount = 1 + rng.below(3)
  const count = 2 + rng.below(11)
  const ids = new Set<number>()
  while (ids.size < count) ids.add(rng.below(1_000))
  const nodes = [...ids].sort((a, b) => a - b).map((nodeId) => nodeOf(nodeId, `az${rng.below(zoneCount)}`))
  return { version: 1, clusterId: 'c', shardCount: 1 + rng.below(64), nodes }
}

function without({ nodes, ...rest }: ClusterSnapshot, nodeId: number): ClusterSnapshot {
  return { ...rest, nodes: nodes.filter((node) => node.nodeId !== nodeId) }
}

const shardsOf = ({ shardCount }: ClusterSnapshot): number[] =>
  [CATALOG_SHARD, ...Array.from({ length: shardCount }, (_, shard) => shard)]

function countsOf<T>(list: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>()
  for (const item of list) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}

for (const seed of seeds(40)) {
  test(`placement: shards are spread evenly over nodes and zones (seed ${seed})`, () => {
    const rng = new Rng(seed)
    const cluster = randomCluster(rng)
    const shards = shardsOf(cluster)
    const leaders = shards.map((shard) => leaderOf(cluster, shard))
    const zoneOf = new Map(cluster.nodes.map((node) => [node.nodeId, node.zone]))
    for (const count of countsOf(leaders).values()) assert(count <= Math.ceil(shards.length / cluster.nodes.length))
    for (const [zone, count] of countsOf(leaders.map((nodeId) => zoneOf.get(nodeId)))) {
      const nodes = cluster.nodes.filter((node) => node.zone === zone).length
      assert(count <= Math.ceil((shards.length * nodes) / cluster.nodes.length))
    }
    const copy = { ...cluster, nodes: cluster.nodes.map((node) => ({ ...node })) }
    assert.deepEqual(shards.map((shard) => leaderOf(copy, shard)), leaders) // another node computes the same
  })

  test(`placement: a zone reads a shard at its leader or at one of its own brokers (seed ${seed})`, () => {
    const cluster = randomCluster(new Rng(seed))
    for (const zone of new Set(cluster.nodes.map((node) => node.zone))) {
      const brokers = cluster.nodes.filter((node) => node.zone === zone).map((node) => node.nodeId)
      const readers = shardsOf(cluster).map((shard) => {
        const reader = zoneReaderOf(cluster, zone, shard)
        assert(reader !== null && brokers.includes(reader))
        if (brokers.includes(leaderOf(cluster, shard))) assert.equal(reader, leaderOf(cluster, shard))
        return reader
      })
      for (const count of countsOf(readers).values()) assert(count <= Math.ceil(readers.length / brokers.length))
      for (const shard of shardsOf(cluster)) {
        const unreachable = new Set([zoneReaderOf(cluster, zone, shard)!])
        const next = zoneReaderOf(cluster, zone, shard, unreachable)
        assert(brokers.length === 1 ? next === null : brokers.includes(next!) && !unreachable.has(next!))
        assert.equal(zoneReaderOf(cluster, zone, shard, new Set(brokers)), null)
      }
    }
  })

  test(`ring: a node that leaves moves its own share of partitions and chunks only (seed ${seed})`, () => {
    const rng = new Rng(seed)
    const cluster = randomCluster(rng)
    const gone = cluster.nodes[rng.below(cluster.nodes.length)]!
    const left = without(cluster, gone.nodeId)
    for (let partition = 0; partition < PARTITIONS / 10; partition++) {
      const before = gatewayOf(cluster, gone.zone, 'Zv9-aB3dQfW_0123456789', partition)
      const after = gatewayOf(left, gone.zone, 'Zv9-aB3dQfW_0123456789', partition)
      if (before !== gone) assert.equal(after, before)
      else assert.notEqual(after, gone)
      const chunkBefore = readerOfChunk(cluster, gone.zone, `source/${partition}`)
      const chunkAfter = readerOfChunk(left, gone.zone, `source/${partition}`)
      if (chunkBefore !== gone.nodeId) assert.equal(chunkAfter, chunkBefore)
      else assert.notEqual(chunkAfter, gone.nodeId)
      const unreachable = new Set([gone.nodeId])
      assert.equal(readerOfChunk(cluster, gone.zone, `source/${partition}`, unreachable), chunkAfter)
    }
  })
}

test('placement: a broker that leaves moves little more than its own shards', () => {
  let [moved, total] = [0, 0]
  for (const seed of seeds(40)) {
    const cluster = randomCluster(new Rng(seed))
    for (const gone of cluster.nodes) {
      const left = without(cluster, gone.nodeId)
      for (const shard of shardsOf(cluster)) {
        const leader = leaderOf(cluster, shard)
        if (leader === gone.nodeId) continue
        total += 1
        if (leaderOf(left, shard) !== leader) moved += 1
      }
    }
  }
  assert(moved < total / 8, `${moved} of ${total} shards moved needlessly`)
})

test('ring: gateways of a zone get even shares', () => {
  const cluster =
    { version: 1, clusterId: 'c', shardCount: 16, nodes: [1, 2, 3, 4].map((nodeId) => nodeOf(nodeId, 'az1')) }
  const picks = Array.from({ length: PARTITIONS }, (_, i) => gatewayOf(cluster, 'az1', `topic-${i % 50}`, i)!.nodeId)
  for (const count of countsOf(picks).values()) assert(count > PARTITIONS / 4 / 1.3 && count < (PARTITIONS / 4) * 1.3)
})
