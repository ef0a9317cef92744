/** Goal: whose last gateway stopped is known where it comes to, is sent home, and nobody else is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Guests } from '#gateway/zone/guests.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const APP = { host: '/10.0.1.7', clientId: 'app' }
const TWIN = { host: '/127.0.0.1', clientId: 'rdkafka' }

function setUp(guestsMax = 100) {
  const runtime = new ManualRuntime()
  const served = new Set<string>()
  const guests = new Guests({ clock: runtime.clock, guestsMax, isServed: (zone) => served.has(zone) })
  return { guests, served, advance: (ms: number): Promise<void> => runtime.advance(ms) }
}

const nobody = (): boolean => false

test('guests: a client is known by its address and its id, on each of its connections', () => {
  const { guests } = setUp()
  assert.equal(guests.zoneOf(APP.host, APP.clientId), null)
  guests.expect('az1', [APP, { host: APP.host, clientId: '' }], nobody)
  assert.deepEqual([guests.zoneOf(APP.host, 'app'), guests.zoneOf(APP.host, 'app')], ['az1', 'az1'])
  assert.equal(guests.zoneOf(APP.host, null), 'az1')
  assert.deepEqual([guests.zoneOf(APP.host, 'other'), guests.zoneOf('/10.0.1.8', 'app')], [null, null])
})

test('guests: it is known while its zone has no gateway, and for ten minutes after', async () => {
  const { guests, served, advance } = setUp()
  guests.expect('az1', [APP], nobody)
  for (let i = 0; i < 3; i++) {
    await advance(9 * MINUTE)
    assert.equal(guests.zoneOf(APP.host, APP.clientId), 'az1')
  }
  served.add('az1')
  await advance(10 * MINUTE - 1)
  assert.equal(guests.zoneOf(APP.host, APP.clientId), 'az1')
  await advance(1)
  assert.equal(guests.zoneOf(APP.host, APP.clientId), null)
})

test('guests: one like a client that is at home here is a guest only while its zone has no gateway', async () => {
  const { guests, served, advance } = setUp()
  served.add('az1') // as membership shows it for a moment more
  guests.expect('az1', [APP, TWIN], ({ clientId }) => clientId === TWIN.clientId)
  assert.equal(guests.zoneOf(TWIN.host, TWIN.clientId), 'az1')
  served.delete('az1')
  await advance(5 * SECOND)
  assert.equal(guests.zoneOf(TWIN.host, TWIN.clientId), 'az1')
  served.add('az1')
  await advance(4 * SECOND)
  assert.equal(guests.zoneOf(TWIN.host, TWIN.clientId), null)
  assert.equal(guests.zoneOf(APP.host, APP.clientId), 'az1')
})

test('guests: there is room for so many, and whoever was told of last stays', () => {
  const { guests } = setUp(2)
  const clients = ['a', 'b', 'c'].map((clientId) => ({ host: APP.host, clientId }))
  guests.expect('az1', clients.slice(0, 2), nobody)
  guests.expect('az1', [clients[0]!, clients[2]!], nobody)
  assert.deepEqual(clients.map(({ host, clientId }) => guests.zoneOf(host, clientId)), ['az1', null, 'az1'])
})
