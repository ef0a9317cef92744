/**
 * Goal: a gateway that stops lets its clients go where they are told, and ends connections while who comes back still
 * finds somebody who says where to go.
 * Method: the real gateway over sockets in memory, on time that stands still.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Gateway } from '#gateway/gateway.ts'
import { API } from '#shared/wire/api-registry.ts'
import { encodeRequestFrame } from '#shared/wire/framing.ts'
import { gatewayTwin, listenerOf, nodeOf, snapshotOf } from '#test/support/gateway-twin.ts'
import { MemoryListening, type MemorySocket } from '#test/support/memory-socket.ts'

const DRAIN_MS = 4_000

async function setUp() {
  const twin = gatewayTwin({ drainMs: DRAIN_MS })
  const network = new MemoryListening()
  const gateway = new Gateway({ ...twin.services, network, zones: [] })
  const [bound] = await gateway.start([listenerOf(1, 'az1', { port: 0 })])
  const connect = (): MemorySocket => network.dial(bound!.port)!
  const drain = (): void => {
    const ours = nodeOf(1, 'az1', { draining: true, stopping: true })
    twin.membership.set(snapshotOf([ours, nodeOf(2, 'az1'), nodeOf(3, 'az2')], 2))
  }
  const unlisted: number[] = [] // when
  const leave = () => {
    const leaving = { over: false }
    void gateway.clientsMoved(() => {
      unlisted.push(twin.runtime.clock.monotonicMs())
      return Promise.resolve()
    }).then(() => { leaving.over = true })
    return leaving
  }
  const stop = async (): Promise<void> => {
    const stopping = gateway.stop()
    await twin.runtime.advance(twin.services.settings.stopDrainMs)
    await stopping
  }
  return { ...twin, stop, connect, drain, leave, unlisted }
}

function ask(socket: MemorySocket, correlationId: number): void {
  const body = { clientSoftwareName: 'test', clientSoftwareVersion: '1' }
  socket.receive(Buffer.concat(encodeRequestFrame(API.apiVersions, { version: 3, correlationId, clientId: 'c' }, body)))
}

test('gateway: halfway through draining, idle connections end, and who comes back still finds it listening', async () => {
  const t = await setUp()
  const [idle, busy] = [t.connect(), t.connect()]
  t.drain()
  const leaving = t.leave()
  for (let ms = 0; ms < DRAIN_MS / 2 + 200; ms += 100) {
    await t.runtime.advance(100)
    ask(busy, ms)
  }
  assert.equal(t.unlisted.length, 1)
  assert(t.unlisted[0]! >= DRAIN_MS / 2 && t.unlisted[0]! <= DRAIN_MS / 2 + 100, `${t.unlisted[0]}`)
  assert.deepEqual([idle.ended, busy.ended, leaving.over], [true, false, false])
  const back = t.connect()
  ask(back, 1)
  await t.runtime.advance(10)
  assert(back.sent.byteLength > 0)
  await t.runtime.advance(DRAIN_MS)
  assert.equal(leaving.over, true)
  await t.stop()
})

test('gateway: when all have gone, it waits a moment for those that were sent away, and no longer', async () => {
  const t = await setUp()
  t.connect()
  t.drain()
  const leaving = t.leave()
  await t.runtime.advance(DRAIN_MS / 2 + 500)
  assert.equal(leaving.over, false)
  await t.runtime.advance(1_000)
  assert.equal(leaving.over, true)
  await t.stop()
})

test('gateway: nobody is waited for where nobody is connected, or where clients have nowhere to go', async () => {
  const t = await setUp()
  t.drain()
  const empty = t.leave()
  await t.runtime.advance(60)
  assert.equal(empty.over, true)
  t.connect()
  t.membership.set(snapshotOf([nodeOf(1, 'az1', { draining: true })], 3))
  const alone = t.leave()
  await t.runtime.advance(60)
  assert.deepEqual([alone.over, t.unlisted], [true, []])
  await t.stop()
})

test('gateway: that nobody reads for its zone is said once, and so is that somebody does again', async () => {
  const t = await setUp()
  const ours = nodeOf(1, 'az1', { roles: { gateway: true, broker: false } })
  t.membership.set(snapshotOf([ours, nodeOf(3, 'az2')], 2))
  t.membership.set(snapshotOf([ours, nodeOf(3, 'az2'), nodeOf(4, 'az2')], 3))
  assert.deepEqual(t.log.of('warn'), ['the zone has no broker, so its clients can read nothing: start one there'])
  t.membership.set(snapshotOf([ours, nodeOf(2, 'az1'), nodeOf(3, 'az2')], 4))
  assert(t.log.of('info').includes('the zone has a broker again'))
  await t.stop()
})
