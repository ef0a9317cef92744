/** Goal: which zones are there, which have a gateway, and when this node's clients are to go elsewhere. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Standing } from '#gateway/zone/client-zone.ts'
import { ClientZones } from '#gateway/zone/client-zones.ts'
import type { NodeInfo } from '#shared/cluster/membership.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { nodeOf, snapshotOf } from '#test/support/gateway-twin.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const OURS: Standing = { zone: 'az1', place: 'az1', isAway: false }
const AWAY: Standing = { zone: 'az9', place: 'az9', isAway: true }
const HOME_AGAIN: Standing = { zone: 'az2', place: 'az2', isAway: false }

function setUp(nodes: readonly NodeInfo[]) {
  const runtime = new ManualRuntime()
  const membership = new StaticMembership(snapshotOf(nodes))
  const zones = new ClientZones({ membership, nodeId: 1, zone: 'az1', zones: ['az9'], followsClaims: false, runtime })
  let version = 1
  const become = (...next: readonly NodeInfo[]): void => { membership.set(snapshotOf(next, ++version)) }
  return { runtime, zones, become }
}

const serving = nodeOf(1, 'az1')
const draining = nodeOf(1, 'az1', { draining: true })
const other = nodeOf(2, 'az1')
const far = nodeOf(3, 'az2')

test('client-zones: clients leave while this node drains and others of its zone are named', async () => {
  const { runtime, zones, become } = setUp([serving, other])
  assert.equal(zones.mustMove(OURS), false)
  await runtime.advance(700)
  become(draining, other)
  assert.equal(zones.leaving.aborted, true)
  assert.equal(zones.leavingSinceMs, runtime.clock.monotonicMs())
  assert.deepEqual([OURS, AWAY].map((standing) => zones.mustMove(standing)), [true, true])
  become(serving, other)
  assert.equal(zones.leaving.aborted, false)
  assert.equal(zones.mustMove(OURS), false)
})

test('client-zones: nobody leaves the only gateway of a zone, or one of several that all drain', () => {
  const { zones, become } = setUp([serving, far])
  become(draining, far)
  assert.equal(zones.mustMove(OURS), false)
  become(draining, nodeOf(2, 'az1', { draining: true }), far)
  assert.equal(zones.mustMove(OURS), false)
  become(draining, nodeOf(2, 'az1', { draining: true, listeners: [] }), far)
  assert.equal(zones.mustMove(OURS), false, 'one that does not listen yet is nobody to go to')
})

test('client-zones: clients leave the only gateway of a zone where another zone awaits them', () => {
  const { zones, become } = setUp([serving, far])
  const stopping = nodeOf(1, 'az1', { draining: true, stopping: true })
  become(stopping, far)
  assert.deepEqual([zones.isServed('az1'), zones.mustMove({ ...OURS, isAway: true })], [false, true])
  become(stopping) // the other one went first: this is the last that they have
  assert.deepEqual([zones.isServed('az1'), zones.mustMove(OURS)], [true, false])
  become(far)
  assert.equal(zones.leaving.aborted, false, 'a registry that does not know this node says nothing of its clients')
})

test('client-zones: whose zone is there again goes home', () => {
  const { zones, become } = setUp([serving])
  assert.equal(zones.mustMove(HOME_AGAIN), false)
  become(serving, far)
  assert.equal(zones.mustMove(HOME_AGAIN), true)
})

test('client-zones: zones are known for ever, served while they have a gateway, and changes are told by a version', () => {
  const { zones, become } = setUp([serving, far])
  assert.deepEqual(['az1', 'az2', 'az9', 'made-up'].map((zone) => zones.isKnown(zone)), [true, true, true, false])
  assert.deepEqual(['az1', 'az2', 'az9'].map((zone) => zones.isServed(zone)), [true, true, false])
  const { version } = zones
  become(serving, other, far)
  assert.equal(zones.version, version)
  become(serving, other)
  assert.notEqual(zones.version, version)
  assert.deepEqual([zones.isKnown('az2'), zones.isServed('az2')], [true, false])
})
