/**
 * Goal: whatever dies between the steps, in the end every topic is on all its shards or gone from all of them.
 * Method: random creations, deletions and growth while nodes crash and come back, calls are late or lost and appends of
 * dying leaders become durable by chance; then quiet, and a comparison of the catalog with the shards.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unfinishedTopics } from '#broker/catalog/catalog-plan.ts'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { leaderOf, shardOfPartition } from '#shared/cluster/placement.ts'
import { createPartitionsCall, createTopicCall, deleteTopicCall } from '#shared/rpc/admin.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { FakeCatalogCluster } from '#test/support/fake-catalog-cluster.ts'
import { seeds } from '#test/support/seeds.ts'

const ACTIONS = 120
const QUIET_MS = 20_000

function act(rng: Rng, cluster: FakeCatalogCluster): void {
  const { catalog } = cluster.shards.state(CATALOG_SHARD)
  const leader = leaderOf(cluster.membership.current(), CATALOG_SHARD)
  const options = { deadlineMs: 2_000 }
  const topics = [...catalog.topics.values()]
  const topic = topics[rng.below(Math.max(1, topics.length))]
  const ignore = (): void => {} // what a client is told is looked at elsewhere
  const drawn = rng.below(10)
  if (drawn < 4) {
    const request = {
      name: `t${rng.below(5)}`, partitionCount: 1 + rng.below(6), replicationFactor: 1, configs: [],
      validateOnly: false, timeoutMs: 1_000
    }
    cluster.client.call(leader, createTopicCall, request, options).then(ignore, ignore)
  } else if (drawn < 6 && topic !== undefined) {
    cluster.client.call(leader, deleteTopicCall, { topicId: topic.topicId, timeoutMs: 1_000 }, options)
      .then(ignore, ignore)
  } else if (drawn < 8 && topic !== undefined) {
    const request = {
      topicId: topic.topicId, partitionCount: topic.partitionCount + 1 + rng.below(3), validateOnly: false,
      timeoutMs: 1_000
    }
    cluster.client.call(leader, createPartitionsCall, request, options).then(ignore, ignore)
  } else {
    const node = 1 + rng.below(3)
    if (!cluster.live.has(node)) cluster.start(node)
    else if (cluster.live.size > 1) cluster.crash(node)
  }
}

for (const seed of seeds(25)) {
  test(`topic-steps: every topic ends on all its shards or on none (seed ${seed})`, async () => {
    const rng = new Rng(seed)
    const cluster = new FakeCatalogCluster(rng, { appendMsMax: 60 })
    cluster.network.fault = () => ({
      delayMs: rng.below(15) === 0 ? rng.below(3_000) : rng.below(30), dropRequest: rng.below(20) === 0,
      dropReply: rng.below(20) === 0
    })
    for (let i = 0; i < ACTIONS; i++) {
      act(rng, cluster)
      await cluster.runtime.advance(rng.below(60))
    }
    cluster.network.fault = null
    for (const node of [1, 2, 3]) if (!cluster.live.has(node)) cluster.start(node)
    await cluster.runtime.advance(QUIET_MS)

    const { catalog } = cluster.shards.state(CATALOG_SHARD)
    assert.deepEqual(cluster.bugs, [])
    assert.deepEqual(unfinishedTopics(catalog), [])
    const expected = new Map<string, number>()
    for (const topic of catalog.topics.values()) {
      assert.equal(topic.state, 'ready')
      for (let partition = 0; partition < topic.partitionCount; partition++)
        expected.set(`${topic.topicId}/${partition}`, shardOfPartition(topic.topicId, partition, cluster.shardCount))
    }
    const sorted = (map: Map<string, number>): [string, number][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1))
    assert.deepEqual(sorted(cluster.partitions()), sorted(expected))
    assert.equal(catalog.partitionCount, expected.size)
  })
}
