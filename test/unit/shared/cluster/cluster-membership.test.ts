import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterMembership } from '#shared/cluster/cluster-membership.ts'
import { MemoryRegistry, MemoryRegistryMedium } from '#shared/cluster/memory-registry.ts'
import type { NodeInfo } from '#shared/cluster/membership.ts'
import { leaderOf, targetOf } from '#shared/cluster/placement.ts'
import { gatewaysOf, servingZone } from '#shared/cluster/ring.ts'
import type { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'
import { RecordingLog } from '#test/support/gateway-twin.ts'
import { nodeOf } from '#test/support/snapshots.ts'

const LEASE = { leaseMs: 3_000, leaseRenewMs: 1_000 }

type TestNode = {
  readonly membership: ClusterMembership; readonly registry: MemoryRegistry; readonly log: RecordingLog
  readonly superseded: ZonewiseError[]
}

function newWorld(): {
  readonly runtime: ManualRuntime; readonly medium: MemoryRegistryMedium
  readonly node: (id: number, epoch?: number) => TestNode
} {
  const runtime = new ManualRuntime()
  const medium = new MemoryRegistryMedium(runtime.clock)
  const node = (id: number, epoch = 1): TestNode => {
    const own: NodeInfo = { ...nodeOf(id, `az${id}`), nodeEpoch: epoch }
    const registry = new MemoryRegistry(medium, runtime.timer)
    const log = new RecordingLog()
    const superseded: ZonewiseError[] = []
    const membership = new ClusterMembership({
      registry, runtime, log, own, clusterId: 'c', shardCount: 4, software: '1.0.0', formats: { min: 1, max: 1 },
      settings: LEASE, load: () => 0, onSuperseded: (error) => { superseded.push(error) }
    })
    return { membership, registry, log, superseded }
  }
  return { runtime, medium, node }
}

async function joined(runtime: ManualRuntime, node: TestNode): Promise<TestNode> {
  const joining = node.membership.join()
  await runtime.settle()
  await joining
  return node
}

const ids = ({ membership }: TestNode): number[] => membership.current().nodes.map(({ nodeId }) => nodeId)

test('cluster-membership: nodes see each other come, and go when they leave', async () => {
  const { runtime, node } = newWorld()
  const first = await joined(runtime, node(1))
  const second = await joined(runtime, node(2))
  await runtime.settle()
  assert.deepEqual([ids(first), ids(second)], [[1, 2], [1, 2]])
  await second.membership.leave()
  await runtime.settle()
  assert.deepEqual(ids(first), [1])
})

test('cluster-membership: a node that dies is gone when its lease has run out', async () => {
  const { runtime, node } = newWorld()
  const first = await joined(runtime, node(1))
  const second = await joined(runtime, node(2))
  second.membership.stop()
  await runtime.advance(LEASE.leaseMs - 100)
  assert.deepEqual(ids(first), [1, 2])
  await runtime.advance(LEASE.leaseRenewMs + 100)
  assert.deepEqual(ids(first), [1])
})

test('cluster-membership: the lister of a shard is asked for it; of two the newer epoch', async () => {
  const { runtime, node } = newWorld()
  const first = await joined(runtime, node(1))
  const second = await joined(runtime, node(2))
  await runtime.settle()
  const shard = [0, 1, 2, 3].find((each) => targetOf(first.membership.current(), each) === 1)!
  second.membership.list(shard, 5)
  await runtime.settle()
  assert.equal(leaderOf(first.membership.current(), shard), 2)
  assert.equal(targetOf(first.membership.current(), shard), 1)
  first.membership.list(shard, 6)
  await runtime.settle()
  assert.equal(leaderOf(second.membership.current(), shard), 1)
  await first.membership.unlist(shard)
  await runtime.settle()
  assert.equal(leaderOf(second.membership.current(), shard), 2)
})

test('cluster-membership: a node killed a second ago starts again at once under its id', async () => {
  const { runtime, node } = newWorld()
  const first = await joined(runtime, node(1))
  await runtime.advance(1_500)
  first.membership.stop()
  const joining = node(1, 2)
  const done = joining.membership.join()
  await runtime.advance(1_600)
  await done
  assert.equal(joining.membership.current().nodes[0]?.nodeEpoch, 2)
})

test('cluster-membership: a start is refused while the older holder renews', async () => {
  const { runtime, node } = newWorld()
  await joined(runtime, node(1))
  const refused = assert.rejects(node(1, 2).membership.join(), { code: 'NODE_ID_TAKEN' })
  await runtime.advance(1_600)
  await refused
})

test('cluster-membership: a stale life that wakes up beside a newer one stops, once, leading nothing', async () => {
  const { runtime, node } = newWorld()
  const old = await joined(runtime, node(1))
  let lost = 0
  old.membership.onLost(() => { lost += 1 })
  old.registry.faults.cutOff = true // it stands still, for all that others see
  await runtime.advance(LEASE.leaseMs + 500)
  await joined(runtime, node(1, 2))
  old.registry.faults.cutOff = false
  await runtime.advance(3_000)
  assert.deepEqual(old.superseded.map(({ code }) => code), ['NODE_SUPERSEDED'])
  assert(lost >= 1)
  await assert.rejects(node(1, 1).membership.join(), { code: 'NODE_SUPERSEDED' })
})

test('cluster-membership: a lease that cannot be renewed is lost and told once; one line a change', async () => {
  const { runtime, node } = newWorld()
  const first = await joined(runtime, node(1))
  first.membership.list(2, 1)
  let lost = 0
  first.membership.onLost(() => { lost += 1 })
  first.registry.faults.cutOff = true
  await runtime.advance(LEASE.leaseMs - 100)
  assert.equal(lost, 0)
  await runtime.advance(10_000)
  assert.equal(lost, 1)
  assert.equal(first.membership.isHeld, false)
  first.registry.faults.cutOff = false
  await runtime.advance(1_100)
  assert.equal(first.membership.isHeld, true)
  assert.deepEqual(first.membership.current().leases?.get(2), undefined)
  assert.deepEqual(first.log.of('warn'), [
    'the registry cannot be reached', 'the lease ran out: this node leads nothing until it is renewed'
  ])
  assert.deepEqual(first.log.of('info'), ['the registry is reached again'])
})

test('cluster-membership: after an outage nodes have time to come back before their shards are given away', async () => {
  const { runtime, node } = newWorld()
  const [first, second, third] = [await joined(runtime, node(1)), await joined(runtime, node(2)), await joined(runtime, node(3))]
  await runtime.settle()
  for (const { registry } of [first, second, third]) registry.faults.cutOff = true
  await runtime.advance(20_000)
  first.registry.faults.cutOff = false
  await runtime.advance(1_000)
  assert.deepEqual(ids(first), [1, 2, 3])
  second.registry.faults.cutOff = false
  await runtime.advance(3_500)
  assert.deepEqual(ids(first), [1, 2])
  assert.deepEqual(ids(second), [1, 2])
})

test('cluster-membership: a node that drains is named and placed for nothing, and still serves', async () => {
  const { runtime, node } = newWorld()
  const first = await joined(runtime, node(1))
  const second = await joined(runtime, node(2))
  second.membership.list(3, 9)
  await second.membership.announce({ draining: true })
  await runtime.settle()
  const snapshot = first.membership.current()
  for (const shard of [0, 1, 2, 3]) assert.equal(targetOf(snapshot, shard), 1)
  assert.equal(leaderOf(snapshot, 3), 2)
  assert.deepEqual(gatewaysOf(snapshot, 'az2'), [])
  assert.equal(servingZone(snapshot, 'az2'), 'az1')
})

test('cluster-membership: a registry that is emptied is noticed by all, who are there again at once', async () => {
  const { runtime, node, medium } = newWorld()
  const nodes = [await joined(runtime, node(1)), await joined(runtime, node(2))]
  await runtime.advance(1_000)
  const told = [0, 0]
  nodes.forEach(({ membership }, i) => membership.onForgotten(() => { told[i]! += 1 }))
  medium.held.clear()
  medium.version = 0
  await runtime.advance(2_000)
  assert.deepEqual(told, [1, 1])
  assert.deepEqual(nodes.map(ids), [[1, 2], [1, 2]])
})
