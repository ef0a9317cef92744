/** Goal: clients are sent to another zone only once all gateways that may get them know who comes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ConnectedClient, expectGuests, sayFarewell, type FarewellParts } from '#gateway/zone/farewell.ts'
import { Guests } from '#gateway/zone/guests.ts'
import type { NodeInfo } from '#shared/cluster/membership.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { InProcessNetwork } from '#shared/transport/in-process.ts'
import { nodeOf, RecordingLog, snapshotOf } from '#test/support/gateway-twin.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

type Party = { readonly parts: FarewellParts; readonly guests: Guests }

const OURS: ConnectedClient = { host: '/10.0.1.7', clientId: 'app', zone: 'az1' }
const THEIRS: ConnectedClient = { host: '/10.0.2.7', clientId: 'app', zone: 'az2' }
const LONG: ConnectedClient = { ...OURS, clientId: 'x'.repeat(300) }

/** Gateways that know each other; each hears but the `deaf`. */
function setUp(nodes: readonly NodeInfo[], connected: readonly ConnectedClient[], deaf: readonly number[] = []) {
  const runtime = new ManualRuntime()
  const membership = new StaticMembership(snapshotOf(nodes))
  const network = new InProcessNetwork({ ledger: new Ledger(), timer: runtime.timer })
  const parties = new Map<number, Party>(nodes.map((node) => {
    const guests = new Guests({ clock: runtime.clock, guestsMax: 100, isServed: () => false })
    const parts: FarewellParts = {
      nodeId: node.nodeId, zone: node.zone, membership, transport: network.attach(node), log: new RecordingLog(),
      guestsMax: 100, connected: () => connected
    }
    if (!deaf.includes(node.nodeId)) expectGuests(parts, guests)
    return [node.nodeId, { parts, guests }]
  }))
  const farewell = async (nodeId: number): Promise<boolean> => {
    const saying = sayFarewell(parties.get(nodeId)!.parts)
    await runtime.settle()
    return saying
  }
  const zonesAt = (nodeId: number): (string | null)[] =>
    connected.map(({ host, clientId }) => parties.get(nodeId)!.guests.zoneOf(host, clientId))
  return { farewell, zonesAt }
}

test('farewell: the last gateway of a zone tells all gateways of the zone that will serve its clients', async () => {
  const { farewell, zonesAt } = setUp([nodeOf(1, 'az1'), nodeOf(2, 'az2'), nodeOf(3, 'az2')], [OURS, OURS, LONG])
  assert.equal(await farewell(1), true)
  assert.deepEqual([zonesAt(2), zonesAt(3)], [['az1', 'az1', null], ['az1', 'az1', null]])
})

test('farewell: guests are told on as what they are, unless their own zone serves again', async () => {
  const guest: ConnectedClient = { host: '/10.0.3.7', clientId: 'app', zone: 'az3' }
  const { farewell, zonesAt } = setUp([nodeOf(1, 'az1'), nodeOf(2, 'az2')], [OURS, THEIRS, guest])
  assert.equal(await farewell(1), true)
  assert.deepEqual(zonesAt(2), ['az1', null, 'az3'])
  const back = setUp([nodeOf(1, 'az1'), nodeOf(2, 'az2'), nodeOf(3, 'az3')], [OURS, { ...guest, clientId: 'idle' }])
  assert.equal(await back.farewell(1), true)
  for (const host of [2, 3]) assert.equal(back.zonesAt(host)[1], null)
})

test('farewell: where others of the zone serve nobody else is told', async () => {
  const { farewell, zonesAt } = setUp([nodeOf(1, 'az1'), nodeOf(2, 'az1'), nodeOf(3, 'az2')], [OURS])
  assert.equal(await farewell(1), true)
  assert.deepEqual(zonesAt(3), [null])
})

test('farewell: clients stay where nobody can take them, or one that may does not know of them', async () => {
  assert.equal(await setUp([nodeOf(1, 'az1')], [OURS]).farewell(1), false)
  const { farewell } = setUp([nodeOf(1, 'az1'), nodeOf(2, 'az2'), nodeOf(3, 'az2')], [OURS], [3])
  assert.equal(await farewell(1), false)
})
