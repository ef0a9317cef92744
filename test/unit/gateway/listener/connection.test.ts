/**
 * Goal: a connection answers in order, holds its bounds, and ends cleanly on whatever it cannot answer.
 * Method: real listeners over sockets in memory; handlers that the test settles when it likes.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiVersionsHandler, apiVersionsTooNewHandler } from '#gateway/api/api-versions.ts'
import type { RequestContext } from '#gateway/api/handler.ts'
import { serve, servedTable, type ServedApi } from '#gateway/api/served-table.ts'
import type { GatewaySettings } from '#gateway/config.ts'
import { Listeners } from '#gateway/listener/listeners.ts'
import { LISTENER_METRICS } from '#gateway/metrics.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Metrics } from '#shared/metrics/metrics.ts'
import { API, type Api } from '#shared/wire/api-registry.ts'
import { decodeResponseFrame, encodeRequestFrame, FrameSplitter } from '#shared/wire/framing.ts'
import { gatewayTwin, listenerOf, nodeOf, snapshotOf, type Twin } from '#test/support/gateway-twin.ts'
import { MemoryListening, type MemorySocket } from '#test/support/memory-socket.ts'

const HEARTBEAT_VERSION = 4
const PRODUCE_VERSION = 9

type Begun = { readonly context: RequestContext; readonly name: string; readonly answer: PromiseWithResolvers<number | null> }
type Rig = Twin & { readonly listeners: Listeners; readonly network: MemoryListening; readonly begun: Begun[]; readonly port: number }

/** Heartbeat and Produce answer when the test settles them: an error code, or null for no answer. */
async function rig(settings: Partial<GatewaySettings> = {}, listener = listenerOf(1, 'az1', { port: 0 })): Promise<Rig> {
  const twin = gatewayTwin(settings)
  const begun: Begun[] = []
  const begin = (context: RequestContext, name: string): Promise<number | null> => {
    const answer = Promise.withResolvers<number | null>()
    begun.push({ context, name, answer })
    return answer.promise
  }
  const rows: ServedApi[] = [
    serve(API.apiVersions, apiVersionsHandler(() => rows)),
    serve(API.heartbeat, async (context, _version, { groupId }) => {
      const errorCode = await begin(context, groupId)
      return errorCode === null ? null : { throttleTimeMs: 0, errorCode }
    }),
    serve(API.produce, async (context, _version, { topicData }) => {
      const errorCode = await begin(context, topicData[0]!.name)
      if (errorCode === null) return null
      const partitionResponses = [{ index: 0, errorCode, baseOffset: 7, logAppendTimeMs: -1, logStartOffset: 0, recordErrors: [], errorMessage: null }]
      return { responses: [{ name: topicData[0]!.name, partitionResponses }], throttleTimeMs: 0 }
    }, { cause: 'produce', pipelined: true })
  ]
  const network = new MemoryListening()
  const listeners = new Listeners(twin.services, servedTable(rows, serve(API.apiVersions, apiVersionsTooNewHandler)), network, twin.listenerMetrics)
  const [bound] = await listeners.start([listener])
  return { ...twin, listeners, network, begun, port: bound!.port }
}

function bytesOf<Request, Response>(api: Api<Request, Response>, version: number, correlationId: number, body: Request, clientId = 'c'): Buffer {
  return Buffer.concat(encodeRequestFrame(api, { version, correlationId, clientId }, body))
}

function heartbeat(correlationId: number, groupId = `g${correlationId}`, clientId = 'c'): Buffer {
  const body = { groupId, generationId: 1, memberId: 'm', groupInstanceId: null }
  return bytesOf(API.heartbeat, HEARTBEAT_VERSION, correlationId, body, clientId)
}

function produce(correlationId: number, payload: Uint8Array = Buffer.alloc(8)): Buffer {
  const topicData = [{ name: `t${correlationId}`, partitionData: [{ index: 0, records: payload }] }]
  return bytesOf(API.produce, PRODUCE_VERSION, correlationId, { transactionalId: null, acks: -1, timeoutMs: 1_000, topicData })
}

/** Correlation ids of the answers, in order. */
function answered(socket: MemorySocket): number[] {
  return new FrameSplitter(2 ** 30).push(socket.sent).map((frame) => Buffer.from(frame).readInt32BE(0))
}

function metricsOf(twin: Twin): Metrics {
  return twin.services.metrics
}

test('connection: answers leave in the order of the requests, though produce requests finish in another (PROTOCOL 1)', async () => {
  const { network, port, begun, runtime } = await rig()
  const socket = network.dial(port)!
  socket.receive(Buffer.concat([produce(1), produce(2), produce(3)]))
  assert.deepEqual(begun.map(({ name }) => name), ['t1', 't2', 't3'])
  begun[2]!.answer.resolve(0)
  begun[1]!.answer.resolve(0)
  await runtime.settle()
  assert.deepEqual(answered(socket), [])
  begun[0]!.answer.resolve(0)
  await runtime.settle()
  assert.deepEqual(answered(socket), [1, 2, 3])
  assert.equal(socket.writes.length, 1, 'one write for all that was ready')
})

test('connection: other requests begin when all before them are answered (PROTOCOL 1)', async () => {
  const { network, port, begun, runtime } = await rig()
  const socket = network.dial(port)!
  socket.receive(Buffer.concat([produce(1), heartbeat(2), heartbeat(3), produce(4), produce(5)]))
  const names: string[][] = []
  for (let i = 0; i < 5; i++) {
    names.push(begun.map(({ name }) => name))
    begun[i]!.answer.resolve(0)
    await runtime.settle()
  }
  assert.deepEqual(names, [['t1'], ['t1', 'g2'], ['t1', 'g2', 'g3'], ['t1', 'g2', 'g3', 't4', 't5'], ['t1', 'g2', 'g3', 't4', 't5']])
  assert.deepEqual(answered(socket), [1, 2, 3, 4, 5])
})

test('connection: a produce request that holds the order is not overtaken (PROTOCOL 1)', async () => {
  const { network, port, begun, runtime } = await rig()
  const socket = network.dial(port)!
  socket.receive(produce(1))
  const release = begun[0]!.context.holdOrder()
  socket.receive(produce(2))
  assert.equal(begun.length, 1)
  release()
  assert.deepEqual(begun.map(({ name }) => name), ['t1', 't2'])
  for (const { answer } of begun) answer.resolve(0)
  await runtime.settle()
  assert.deepEqual(answered(socket), [1, 2])
})

test('connection: a request without an answer leaves no gap (PROTOCOL 8)', async () => {
  const { network, port, begun, runtime } = await rig()
  const socket = network.dial(port)!
  socket.receive(Buffer.concat([produce(1), produce(2), produce(3)]))
  begun[0]!.answer.resolve(0)
  begun[1]!.answer.resolve(null)
  begun[2]!.answer.resolve(0)
  await runtime.settle()
  assert.deepEqual(answered(socket), [1, 3])
  assert.equal(socket.ended, false)
})

test('connection: a handler that throws ends the connection behind earlier answers, later ones are dropped (PROTOCOL 8)', async () => {
  const { network, port, begun, runtime, log } = await rig()
  const socket = network.dial(port)!
  socket.receive(Buffer.concat([produce(1), produce(2), produce(3)]))
  begun[1]!.answer.reject(new ZonewiseError('OVERLOADED', 'no room for the batch'))
  begun[2]!.answer.resolve(0)
  begun[0]!.answer.resolve(0)
  await runtime.settle()
  assert.deepEqual(answered(socket), [1])
  assert.equal(socket.ended, true)
  assert.deepEqual(log.of('warn'), ['client connection closed'])
})

test('connection: what cannot be read or is not served closes it, with one line a second for all (PROTOCOL 2, 4)', async () => {
  const { network, port, begun, runtime, log } = await rig()
  const truncated = heartbeat(1).subarray(0, 20)
  truncated.writeInt32BE(16, 0)
  const unknownKey = Buffer.from(heartbeat(1))
  unknownKey.writeInt16BE(999, 4)
  const unknownVersion = Buffer.from(heartbeat(1))
  unknownVersion.writeInt16BE(5, 6)
  const oldProduce = Buffer.from(produce(1))
  oldProduce.writeInt16BE(2, 6)
  const negativeKey = Buffer.from(heartbeat(1))
  negativeKey.writeInt16BE(-1, 4)
  const negativeVersion = Buffer.from(heartbeat(1))
  negativeVersion.writeInt16BE(-1, 6)
  const bad = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'), truncated, unknownKey, unknownVersion, oldProduce, negativeKey, negativeVersion,
    Buffer.from([0, 0, 0, 0]), Buffer.from([0, 0, 0, 3, 1, 2, 3]), Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.from([0x7f, 0xff, 0xff, 0xff])
  ]
  for (const bytes of bad) {
    const socket = network.dial(port)!
    socket.receive(bytes)
    await runtime.settle()
    assert.equal(socket.ended, true, bytes.toString('hex'))
    assert.equal(socket.sent.length, 0)
  }
  assert.equal(begun.length, 0)
  assert.deepEqual(log.of('warn'), ['client connection closed'])
})

test('connection: bytes behind a request are not looked at, as in Kafka: librdkafka 2.15 leaves some', async () => {
  const { network, port, begun, runtime } = await rig()
  const socket = network.dial(port)!
  const leftOver = Buffer.concat([heartbeat(1), Buffer.from([1, 0, 0])])
  leftOver.writeInt32BE(leftOver.length - 4, 0)
  socket.receive(Buffer.concat([leftOver, heartbeat(2)]))
  for (const index of [0, 1]) {
    begun[index]!.answer.resolve(0)
    await runtime.settle()
  }
  assert.deepEqual(answered(socket), [1, 2])
  assert.equal(socket.ended, false)
})

test('connection: a request with more partitions than may be named is given up while it is read', async () => {
  const { network, port, begun, runtime } = await rig({ requestPartitionsMax: 100 })
  const socket = network.dial(port)!
  const topicData = Array.from({ length: 201 }, () => ({ name: '', partitionData: [] }))
  socket.receive(bytesOf(API.produce, PRODUCE_VERSION, 1, { transactionalId: null, acks: 1, timeoutMs: 1_000, topicData }))
  await runtime.settle()
  assert.equal(socket.ended, true)
  assert.equal(begun.length, 0)
})

test('connection: garbage behind requests ends it only when they are answered', async () => {
  const { network, port, begun, runtime } = await rig()
  const socket = network.dial(port)!
  socket.receive(Buffer.concat([heartbeat(1), Buffer.from([0xff, 0, 0, 0])]))
  await runtime.settle()
  assert.equal(socket.ended, false)
  begun[0]!.answer.resolve(0)
  await runtime.settle()
  assert.deepEqual(answered(socket), [1])
  assert.equal(socket.ended, true)
})

test('connection: an ApiVersions too new is answered in version 0 without its body being read (PROTOCOL 3)', async () => {
  const { network, port, runtime } = await rig()
  const socket = network.dial(port)!
  const frame = Buffer.alloc(4 + 8 + 40, 0xff)
  frame.writeInt32BE(48, 0)
  frame.writeInt16BE(18, 4)
  frame.writeInt16BE(77, 6)
  frame.writeInt32BE(5, 8)
  socket.receive(frame)
  await runtime.settle()
  const { correlationId, body } = decodeResponseFrame(API.apiVersions, 0, socket.sent.subarray(4))
  assert.equal(correlationId, 5)
  assert.equal(body.errorCode, 35)
  assert.deepEqual(body.apiKeys, [{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
  assert.equal(socket.ended, false)
})

test('connection: a socket is not read while its requests reach their bound, and read again when they are answered', async () => {
  const { network, port, begun, runtime } = await rig({ connectionRequestsMax: 2 })
  const socket = network.dial(port)!
  socket.receive(Buffer.concat([heartbeat(1), heartbeat(2), heartbeat(3)]))
  assert.equal(socket.paused, true)
  begun[0]!.answer.resolve(0)
  await runtime.settle()
  assert.equal(socket.paused, true)
  begun[1]!.answer.resolve(0)
  await runtime.settle()
  assert.equal(socket.paused, false)
})

test('connection: bytes in work over the whole node pause the sockets that send more', async () => {
  const { network, port, begun, runtime, services } = await rig({ inFlightBytesMax: 2 ** 20, connectionInFlightBytesMax: 2 ** 21 })
  const [one, two] = [network.dial(port)!, network.dial(port)!]
  one.receive(produce(1, Buffer.alloc(2 ** 20)))
  two.receive(produce(2, Buffer.alloc(100)))
  assert.deepEqual([one.paused, two.paused], [true, true])
  begun[0]!.answer.resolve(0)
  await runtime.settle()
  assert.deepEqual([one.paused, two.paused], [false, false])
  begun[1]!.answer.resolve(0)
  await runtime.settle()
  assert.equal(services.metrics.value(LISTENER_METRICS.requestBytes, { zone: 'az1' }), 0)
})

test('connection: incomplete requests beyond the bound of the node end the connection that grows', async () => {
  const { network, port, runtime, log } = await rig({ inFlightBytesMax: 2 ** 20 })
  const socket = network.dial(port)!
  const length = Buffer.alloc(4)
  length.writeInt32BE(50 * 2 ** 20, 0)
  socket.receive(length)
  socket.receive(Buffer.alloc(2 ** 20))
  await runtime.settle()
  assert.equal(socket.ended, true)
  assert.deepEqual(log.of('warn'), ['client connection closed'])
})

test('connection: requests of a client that does not read its answers wait', async () => {
  const { network, port, begun, runtime } = await rig({ connectionAnswerBytesMax: 1 })
  const socket = network.dial(port)!
  socket.stuck = true
  socket.receive(Buffer.concat([heartbeat(1), heartbeat(2)]))
  begun[0]!.answer.resolve(0)
  await runtime.settle()
  assert.equal(socket.writes.length, 1)
  assert.equal(begun.length, 1, 'the first answer is not read')
  socket.unstick()
  assert.equal(begun.length, 2)
})

test('connection: what a handler leaves for afterwards runs once, whether the answer is taken over or dropped', async () => {
  const { network, port, begun, runtime } = await rig()
  const done: number[] = []
  const seen = (): number[] => [...done]
  const answer = (i: number): void => {
    begun[i]!.context.afterwards(() => { done.push(i) })
    begun[i]!.answer.resolve(0)
  }
  const socket = network.dial(port)!
  socket.receive(Buffer.concat([produce(1), produce(2)]))
  answer(1)
  await runtime.settle()
  assert.deepEqual(seen(), [], 'an earlier answer is missing')
  answer(0)
  await runtime.settle()
  assert.deepEqual(seen(), [0, 1])
  const other = network.dial(port)!
  other.receive(heartbeat(3))
  other.lose()
  answer(2)
  await runtime.settle()
  assert.deepEqual(seen(), [0, 1, 2], 'answered to nobody')
  const failing = network.dial(port)!
  failing.receive(heartbeat(4))
  begun[3]!.context.afterwards(() => { done.push(3) })
  begun[3]!.answer.reject(new ZonewiseError('OVERLOADED', 'no'))
  await runtime.settle()
  assert.deepEqual(seen(), [0, 1, 2, 3])
})

test('connection: where room for answers is short, clients that read nothing are closed, the longest first, and no others', async () => {
  const { network, port, begun, runtime, services, log } = await rig({ answerBytesMax: 2 ** 20, answerStallMs: 2_000 })
  const clients = [network.dial(port)!, network.dial(port)!, network.dial(port)!]
  for (const [i, socket] of clients.entries()) {
    socket.stuck = true
    socket.receive(heartbeat(i))
    begun[i]!.answer.resolve(0)
    await runtime.advance(1_000)
  }
  await runtime.advance(10_000)
  assert.deepEqual(clients.map(({ destroyed }) => destroyed), [false, false, false], 'nobody needs the room')
  const { signal } = new AbortController()
  while (services.answerBytes.bytes < 2 ** 20 - 64 * 1_024) await services.answerBytes.take(2 ** 20, signal)
  const waiting = services.answerBytes.take(1, signal)
  clients[1]!.unstick()
  await runtime.advance(1_000)
  assert.deepEqual(clients.map(({ destroyed }) => destroyed), [true, false, true], 'too little to help, so all that read nothing')
  assert.deepEqual(log.of('warn'), ['client connection closed'])
  services.answerBytes.add(-(2 ** 19))
  assert.equal(await waiting, 1)
})

test('connection: a client that is gone aborts its requests and gives all bytes back', async () => {
  const twin = await rig()
  const { network, port, begun, runtime, listeners } = twin
  const socket = network.dial(port)!
  socket.receive(Buffer.concat([heartbeat(1), heartbeat(2), heartbeat(3).subarray(0, 9)]))
  const { signal } = begun[0]!.context
  socket.lose(new Error('reset'))
  assert.equal(signal.aborted, true)
  assert.equal(listeners.connectionCount, 0)
  begun[0]!.answer.resolve(0)
  await runtime.settle()
  assert.equal(socket.writes.length, 0)
  assert.equal(listeners.bytes.bytes, 0)
  assert.equal(metricsOf(twin).value(LISTENER_METRICS.connections, { zone: 'az1' }), 0)
})

test('connection: every byte is in the ledger by kind of request, from the listener\'s zone to ours (DESIGN 7)', async () => {
  const { network, port, begun, runtime, ledger } = await rig({}, listenerOf(1, 'az9', { port: 0 }))
  const socket = network.dial(port)!
  const [first, second, cut] = [produce(1), heartbeat(2), heartbeat(3).subarray(0, 9)]
  socket.receive(Buffer.concat([first, second, cut]))
  begun[0]!.answer.resolve(0)
  await runtime.settle()
  begun[1]!.answer.resolve(0)
  await runtime.settle()
  socket.lose()
  const [produced, beaten] = new FrameSplitter(2 ** 30).push(socket.sent).map(({ length }) => length + 4)
  assert.deepEqual(ledger.rows().map(({ from, to, cause, bytes, requests }) => ({ from, to, cause, bytes, requests })), [
    { from: 'az1', to: 'az9', cause: 'client', bytes: beaten, requests: 1 },
    { from: 'az1', to: 'az9', cause: 'produce', bytes: produced, requests: 1 },
    { from: 'az9', to: 'az1', cause: 'client', bytes: second.length + cut.length, requests: 1 },
    { from: 'az9', to: 'az1', cause: 'produce', bytes: first.length, requests: 1 }
  ])
})

test('connection: clients whose zone lost its gateways are counted as failover, until it has one again (DESIGN 7)', async () => {
  const { network, port, begun, runtime, ledger, membership } = await rig()
  const socket = network.dial(port)!
  const beat = async (id: number): Promise<boolean> => {
    socket.receive(heartbeat(id, 'g', 'app zone=az2'))
    begun[id - 1]!.answer.resolve(0)
    await runtime.settle()
    return begun[id - 1]!.context.mustMove
  }
  const counted = (): string[] => ledger.rows().map(({ from, to, cause }) => `${from} ${to} ${cause}`)
  assert.equal(await beat(1), false)
  assert.deepEqual(counted(), ['az1 az1 client'])
  membership.set(snapshotOf([nodeOf(1, 'az1')], 2))
  assert.equal(await beat(2), false)
  assert.equal(begun[1]!.context.zone, 'az2')
  assert.deepEqual(counted(), ['az1 az1 client', 'az1 az2 failover', 'az2 az1 failover'])
  const failedOver = ledger.rows().find(({ from, cause }) => from === 'az2' && cause === 'failover')!
  assert.deepEqual([failedOver.requests, failedOver.payload, failedOver.crosses], [1, true, true])
  membership.set(snapshotOf([nodeOf(1, 'az1'), nodeOf(3, 'az2')], 3))
  assert.equal(await beat(3), true, 'its own zone is there again: it is to go home')
  assert.deepEqual(counted(), [
    'az1 az1 client', 'az1 az2 client', 'az1 az2 failover', 'az2 az1 client', 'az2 az1 failover'
  ])
})

test('connection: a claim of another zone is said once, and the listener\'s zone stands', async () => {
  const { network, port, begun, runtime, log } = await rig()
  const socket = network.dial(port)!
  for (let id = 1; id <= 3; id++) {
    socket.receive(heartbeat(id, 'g', `app zone=az${1 + id}`))
    begun[id - 1]!.answer.resolve(0)
    await runtime.settle()
  }
  assert.deepEqual(log.of('info'), ['client claims another zone than the one it connects from'])
  const { zone, zoneEvidence, clientHost, clientId } = begun[2]!.context
  assert.deepEqual({ zone, claimed: zoneEvidence.claimed, clientHost, clientId },
    { zone: 'az1', claimed: 'az4', clientHost: '/10.0.0.7', clientId: 'app zone=az4' })
})

test('connection: request ids differ, connection by connection and request by request', async () => {
  const { network, port, begun, runtime } = await rig()
  for (const socket of [network.dial(port)!, network.dial(port)!]) socket.receive(Buffer.concat([produce(1), produce(2)]))
  await runtime.settle()
  assert.equal(new Set(begun.map(({ context }) => context.requestId)).size, 4)
})

test('listeners: an idle connection gets a FIN, one with a long poll does not (PROTOCOL 11)', async () => {
  const { network, port, runtime } = await rig({ connectionsMaxIdleMs: 4_000 })
  const [idle, waiting] = [network.dial(port)!, network.dial(port)!]
  waiting.receive(heartbeat(1))
  await runtime.advance(3_000)
  assert.equal(idle.ended, false)
  await runtime.advance(2_000)
  assert.deepEqual([idle.ended, idle.destroyed, waiting.ended], [true, false, false])
})

test('listeners: one connection above the bound is closed at once', async () => {
  const { network, port, listeners } = await rig({ connectionsMax: 1 })
  network.dial(port)
  assert.equal(network.dial(port)!.destroyed, true)
  assert.equal(listeners.connectionCount, 1)
})

test('listeners: port 0 is announced as it was bound', async () => {
  const { services, listenerMetrics } = gatewayTwin()
  const table = servedTable([], serve(API.apiVersions, apiVersionsTooNewHandler))
  const listeners = new Listeners(services, table, new MemoryListening(), listenerMetrics)
  const [a, b] = await listeners.start([listenerOf(1, 'az1', { port: 0, advertisedPort: 0 }), listenerOf(1, 'az1', { name: 'b', port: 0, advertisedPort: 443 })])
  assert.deepEqual([a!.advertisedPort, b!.advertisedPort], [a!.port, 443])
  assert.notEqual(a!.port, b!.port)
  await listeners.stop()
})

test('listeners: stop answers what is in work, drops what is not begun, accepts nothing more', async () => {
  const { network, port, begun, runtime, listeners } = await rig()
  const [busy, idle] = [network.dial(port)!, network.dial(port)!]
  busy.receive(Buffer.concat([heartbeat(1), heartbeat(2)]))
  let stopped = false
  void listeners.stop().then(() => { stopped = true })
  await runtime.settle()
  assert.deepEqual([idle.ended, busy.ended, stopped], [true, false, false])
  assert.equal(network.dial(port), null)
  begun[0]!.answer.resolve(0)
  await runtime.settle()
  assert.deepEqual(answered(busy), [1])
  assert.deepEqual([busy.ended, stopped, begun.length], [true, true, 1])
})

test('listeners: stop waits no longer than its bound', async () => {
  const { network, port, runtime, listeners } = await rig({ stopDrainMs: 1_000 })
  const socket = network.dial(port)!
  socket.receive(heartbeat(1))
  let stopped = false
  void listeners.stop().then(() => { stopped = true })
  await runtime.advance(1_000)
  assert.deepEqual([socket.destroyed, stopped], [true, true])
})
