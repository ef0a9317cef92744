import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasReader, leaderOf, NO_NODE, readerOfChunk, zoneReaderOf } from '#shared/cluster/placement.ts'
import { gatewayForGroup, gatewayOf, gatewaysOf, servingZone } from '#shared/cluster/ring.ts'
import type { ClusterSnapshot, ListenerInfo, NodeInfo } from '#shared/cluster/membership.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { nodeOf, snapshotOf } from '#test/support/snapshots.ts'

const LISTENER: ListenerInfo = {
  name: 'PLAINTEXT', zone: 'az1', host: '127.0.0.1', port: 9092, advertisedHost: '127.0.0.1', advertisedPort: 9092
}
const TOPIC = 'Zv9-aB3dQfW_0123456789'

test('ring: only gateways of the zone are named', () => {
  const gatewayOnly = nodeOf(4, 'az1', { gateway: true, broker: false })
  const brokerOnly = nodeOf(7, 'az1', { gateway: false, broker: true })
  const snapshot = { ...snapshotOf([2, 3]), nodes: [nodeOf(2, 'az2'), gatewayOnly, brokerOnly] }
  assert.deepEqual(gatewaysOf(snapshot, 'az1'), [gatewayOnly])
  assert.equal(gatewayOf(snapshot, 'az1', TOPIC, 0), gatewayOnly)
  assert.equal(gatewayForGroup(snapshot, 'az1', 'g'), gatewayOnly)
  assert.equal(zoneReaderOf(snapshot, 'az1', 3), 7)
  assert.notEqual(leaderOf(snapshot, 3), 4)
})

test('ring: a zone without a gateway has none, and is served by another zone', () => {
  const snapshot = snapshotOf([1, 2])
  assert.equal(gatewayOf(snapshot, 'az0', TOPIC, 0), null)
  assert.equal(servingZone(snapshot, 'az1'), 'az1')
  assert(['az1', 'az2'].includes(servingZone(snapshot, 'az0') ?? ''))
  assert.equal(servingZone({ ...snapshot, nodes: [] }, 'az0'), null)
})

test('ring: one that stops is named for nothing, even alone in its zone, unless no gateway is left anywhere', () => {
  const [draining, stopping] = [{ draining: true }, { draining: true, stopping: true }]
  const listeners = [LISTENER]
  const drains = { ...nodeOf(1, 'az1'), listeners, ...draining }
  const stops = { ...nodeOf(2, 'az2'), listeners, ...stopping }
  const snapshot = (...nodes: readonly NodeInfo[]): ClusterSnapshot => ({ ...snapshotOf([]), nodes })
  const both = snapshot(drains, stops)
  assert.deepEqual([gatewaysOf(both, 'az1'), gatewaysOf(both, 'az2'), servingZone(both, 'az2')], [[drains], [], 'az1'])
  const last = snapshot({ ...drains, ...stopping }, stops)
  assert.deepEqual([servingZone(last, 'az1'), servingZone(last, 'az2')], ['az1', 'az2'])
  assert.equal(servingZone(snapshot({ ...stops, listeners: [] }), 'az2'), null)
})

test('ring: a weight of zero names a gateway for nothing, a higher one for more', () => {
  const snapshot = snapshotOf([1, 2, 3], { zoneCount: 1 })
  const overrides = { weights: new Map([[1, 0], [2, 3]]) }
  const picks = Array.from({ length: 400 }, (_, partition) =>
    gatewayOf(snapshot, 'az0', TOPIC, partition, overrides)!.nodeId)
  assert.equal(picks.filter((id) => id === 1).length, 0)
  assert(picks.filter((id) => id === 2).length > 250)
  assert.equal(gatewayOf(snapshot, 'az0', TOPIC, 0, { weights: new Map([[1, 0], [2, 0], [3, 0]]) }), null)
})

test('placement: where all brokers of a zone drain, they read for it until they end', () => {
  const broker = nodeOf(2, 'az1', { gateway: false, broker: true })
  const withBrokers = (...nodes: readonly NodeInfo[]): ClusterSnapshot =>
    ({ ...snapshotOf([]), nodes: [nodeOf(1, 'az1', { gateway: true, broker: false }), ...nodes, nodeOf(4, 'az2')] })
  const readersIn = (snapshot: ClusterSnapshot): unknown[] =>
    [hasReader(snapshot, 'az1'), zoneReaderOf(snapshot, 'az1', 0), readerOfChunk(snapshot, 'az1', 'chunk')]
  const draining = withBrokers({ ...broker, draining: true })
  assert.deepEqual(readersIn(draining), [true, 2, 2])
  assert.equal(leaderOf(draining, 0), 4)
  assert.deepEqual(readersIn(withBrokers({ ...broker, draining: true }, { ...broker, nodeId: 3 })), [true, 3, 3])
  assert.deepEqual(readersIn(withBrokers()), [false, null, null])
})

test('placement: without a broker nobody leads', () => {
  const snapshot = { ...snapshotOf([]), nodes: [nodeOf(1, 'az1', { gateway: true, broker: false })] }
  assert.equal(leaderOf(snapshot, 0), NO_NODE)
  assert.equal(zoneReaderOf(snapshot, 'az1', 0), null)
})

test('static-membership: watchers see each new snapshot until they stop', () => {
  const membership = new StaticMembership(snapshotOf([1]))
  const seen: number[] = []
  const stop = membership.watch(({ version }) => { seen.push(version) })
  membership.set(snapshotOf([1, 2], { version: 2 }))
  stop()
  membership.set(snapshotOf([1], { version: 3 }))
  assert.deepEqual(seen, [2])
  assert.equal(membership.current().version, 3)
  assert.throws(() => membership.set(snapshotOf([1], { version: 3 })))
})
