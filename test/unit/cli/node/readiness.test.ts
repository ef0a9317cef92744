/** Goal: readiness says what is missing, in bounded time and at bounded cost, whatever the store does. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ZonewiseNode } from '#cli/node/node.ts'
import { ClusterReadiness, readinessOf, StoreProbe } from '#cli/node/readiness.ts'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

function setUp() {
  const runtime = new ManualRuntime()
  const calls = { puts: 0, answer: (): Promise<void> => Promise.resolve() }
  const inner = new MemoryStore(runtime.clock)
  const store = Object.assign(Object.create(inner) as MemoryStore, {
    put: async (): Promise<void> => { calls.puts += 1; await calls.answer() }, delete: () => Promise.resolve()
  })
  return { runtime, calls, probe: new StoreProbe(store, runtime) }
}

test('readiness: one PUT counts for a second, and many who ask share it', async () => {
  const { runtime, calls, probe } = setUp()
  assert.deepEqual(await Promise.all([1, 2, 3].map(() => probe.look())), [null, null, null])
  assert.equal(await probe.look(), null)
  assert.equal(calls.puts, 1)
  await runtime.advance(1_500)
  assert.equal(await probe.look(), null)
  assert.equal(calls.puts, 2)
})

test('readiness: a store that hangs is told after two seconds, with one PUT under way, and is good again when it answers', async () => {
  const { runtime, calls, probe } = setUp()
  const held = Promise.withResolvers<void>()
  calls.answer = () => held.promise
  for (let asked = 0; asked < 3; asked++) {
    const looked = probe.look()
    await runtime.advance(2_000)
    assert.match(String(await looked), /has not answered/)
  }
  assert.equal(calls.puts, 1)
  held.resolve()
  await runtime.settle()
  assert.equal(await probe.look(), null)
})

test('readiness: a store that refuses says why', async () => {
  const { calls, probe } = setUp()
  calls.answer = () => Promise.reject(new ZonewiseError('STORE_FULL', 'the disk is full', { path: '/x' }))
  assert.match(String(await probe.look()), /took no PUT: the disk is full \(path \/x\)/)
})

test('readiness: a shard without a leader is waited for, a quarantined one needs a human', async () => {
  const nodeWith = (quarantine: ZonewiseError | null): ZonewiseNode =>
    ({ missingShards: () => [3], quarantine: () => quarantine }) as unknown as ZonewiseNode
  const waiting = await readinessOf([nodeWith(null)], setUp().probe)
  assert.deepEqual(waiting, { ready: false, missing: ['shard 3 has no leader (node 1)'], settled: false })
  const context = { shard: 3, reason: 'a file is damaged' }
  const quarantine = new ZonewiseError('SHARD_QUARANTINED', 'shard is quarantined', context)
  const stuck = await readinessOf([nodeWith(quarantine)], setUp().probe)
  assert.deepEqual(stuck, { ready: false, missing: ['shard 3 is quarantined: a file is damaged'], settled: true })
  assert.deepEqual(await readinessOf([], setUp().probe), { ready: true, missing: [], settled: true })
})

test('readiness: a node of a cluster looks itself at a shard that nobody leads for long, and settles for what it finds', async () => {
  const { runtime, probe } = setUp()
  const leases = new Map([0, 1, CATALOG_SHARD].map((shard) => [shard, { nodeId: 2, epoch: 1 }]))
  const membership = { isHeld: true, current: () => ({ version: 1, clusterId: 'c', shardCount: 3, nodes: [], leases }) }
  const looked: number[] = []
  let quarantine: ZonewiseError | null = null
  const node = {
    missingShards: () => [], lookAt: (shard: number) => { looked.push(shard) },
    quarantine: (shard: number) => (shard === 2 ? quarantine : null)
  }
  const readiness = new ClusterReadiness({ node, membership, probe, clock: runtime.clock })
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await readiness.look(), { ready: false, missing: ['shard 2 has no leader'], settled: false })
    await runtime.advance(2_000)
  }
  assert.deepEqual(looked, [])
  await readiness.look()
  assert.deepEqual(looked, [2])
  quarantine =
    new ZonewiseError('SHARD_QUARANTINED', 'shard is quarantined', { shard: 2, reason: 'an entry is damaged' })
  assert.deepEqual(await readiness.look(), {
    ready: false, missing: ['shard 2 is quarantined: an entry is damaged'], settled: true
  })
  leases.set(2, { nodeId: 1, epoch: 2 })
  quarantine = null
  assert.deepEqual(await readiness.look(), { ready: true, missing: [], settled: true })
  assert.equal(looked.length, 2)
})
