/**
 * Goal: whatever happens to a connection, each call is settled once, the stream's bounds hold, and the next call works.
 * Method: two nodes over connections in memory that are cut, tampered with or not read, with manual time.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { releaseAll } from '#shared/binary/memory-pool.ts'
import type { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import type { TransportSettings } from '#shared/transport/config.ts'
import { exposeTransport, RPC_METRICS } from '#shared/transport/metrics.ts'
import { RecordingLog } from '#test/support/gateway-twin.ts'
import type { MemoryConnection } from '#test/support/memory-streams.ts'
import { type PairNode, TransportPair } from '#test/support/transport-pair.ts'
import { type Answer, askCall, asks, NO_BYTES, pattern, says, withCode } from './transport-suite.ts'

type World = { readonly pair: TransportPair; readonly a: PairNode; readonly b: PairNode; readonly log: RecordingLog }

function open(settings: Partial<TransportSettings> = {}, pieceBytes = Infinity): World {
  const log = new RecordingLog()
  const pair = new TransportPair({ settings, pieceBytes, log })
  const [a, b] = [pair.start(1), pair.start(2)]
  return { pair, a, b, log }
}

/** Answers `number` with so many bytes of payload. */
function serveBytes({ transport }: PairNode): void {
  transport.serve(askCall, async ({ number, body }) => ({ response: { text: String(number), body }, payload: number > 0 ? [pattern(number, 1)] : [] }))
}

const idle = { callsOut: 0, callsIn: 0, queuedBytes: 0 }
function assertIdle({ transport }: PairNode): void {
  const { callsOut, callsIn, queuedBytes } = transport.figures()
  assert.deepEqual({ callsOut, callsIn, queuedBytes }, idle)
}

const isDown = (error: unknown): boolean => withCode('RPC_UNAVAILABLE')(error)

/** Bytes of each direction, with the handshake, until one call of `number` with a payload of `payloadBytes` is answered. */
async function bytesOfCall(payloadBytes: number, number: number): Promise<{ readonly client: number; readonly server: number }> {
  const { pair, a, b } = open()
  serveBytes(b)
  await a.transport.call(2, askCall, asks(number), { deadlineMs: 0, payload: payloadBytes > 0 ? [pattern(payloadBytes, 2)] : [] })
  await pair.settle()
  const { client, server } = pair.streams.last
  pair.close()
  return { client: client.deliveredBytes, server: server.deliveredBytes }
}

for (const side of ['client', 'server'] as const) {
  test(`network: a connection cut after any byte of a small call that the ${side} sends settles it, and the next call works`, async () => {
    const total = await bytesOfCall(10, 10)
    for (let bytes = 1; bytes <= total[side]; bytes++) await cutAfter(side, bytes, 10, 10, 1)
  })

  test(`network: a connection cut within a big call, sent by the ${side}, settles it, and the next call works`, async () => {
    const total = await bytesOfCall(700_000, 700_000)
    for (let bytes = 5_000; bytes <= total[side]; bytes += 39_989) await cutAfter(side, bytes, 700_000, 700_000, 1_000)
  })
}

async function cutAfter(side: 'client' | 'server', bytes: number, payloadBytes: number, number: number, pieceBytes: number): Promise<void> {
  const { pair, a, b } = open({ rpcReconnectMinMs: 1, rpcReconnectMaxMs: 1 }, pieceBytes)
  serveBytes(b)
  pair.streams.onConnection = (connection) => {
    pair.streams.onConnection = null
    connection[side].onDelivered = (delivered) => { if (delivered >= bytes) connection.cut() }
  }
  let settled = 0
  const call = a.transport.call(2, askCall, asks(number), { deadlineMs: 0, payload: [pattern(payloadBytes, 2)] })
    .then(({ payload }) => {
      assert(pattern(number, 1).equals(payload[0]!))
      releaseAll(payload)
    }, (error: unknown) => { assert(isDown(error), String(error)) })
    .finally(() => { settled += 1 })
  await pair.settle()
  assert.equal(settled, 1, `${side} cut after ${bytes} bytes`)
  await call
  await pair.advance(10)
  const { response } = await a.transport.call(2, askCall, asks(0), { deadlineMs: 0 })
  assert.equal(response.text, '0')
  assertIdle(a)
  assertIdle(b)
  assert.equal(pair.bugs.length, 0)
  pair.close()
  await pair.settle()
  assert.equal(pair.memory.heldBytes, 0)
}

for (const side of ['client', 'server'] as const) {
  test(`network: garbage ends a stream of which the ${side} gets it; it is said once, and the next call works`, async () => {
    const { pair, a, b, log } = open({ rpcReconnectMinMs: 1, rpcReconnectMaxMs: 1 })
    serveBytes(b)
    await a.transport.call(2, askCall, asks(0), { deadlineMs: 0 })
    const garbage = [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), Buffer.alloc(10_000, 0xff), Buffer.alloc(100)]
    for (const bytes of garbage) {
      pair.streams.last[side].handlers!.data(bytes)
      await pair.advance(10)
      assert(pair.streams.last.client.isClosed && pair.streams.last.server.isClosed)
      assert.equal((await a.transport.call(2, askCall, asks(0), { deadlineMs: 0 })).response.text, '0')
    }
    assert.deepEqual(log.of('error'), garbage.map(() => 'a peer breaks the rules of frames'))
    pair.close()
  })
}

test('network: what is no handshake is refused', async () => {
  const { pair, b, log } = open()
  const ended: unknown[] = []
  for (const bytes of [Buffer.from('GET / HTTP/1.1\r\n'), Buffer.from([0, 5, 1, 1, 2, 3, 4, 5]), Buffer.from([0, 0, 3]), Buffer.from([0xff, 0xff, 1])]) {
    const socket = await pair.streams.dial(b.info.rpc!, { data() {}, drain() {}, closed: (error) => { ended.push(error) } })
    socket.write([bytes])
    await pair.settle()
  }
  assert.deepEqual(ended, [null, null, null, null])
  assert.deepEqual(log.of('warn'), ['a node that calls is refused'])
  pair.close()
})

test('network: a connection that never shakes hands is closed in time, and only so many may be open', async () => {
  const { pair, a, b } = open({ rpcHandshakesMax: 3 })
  serveBytes(b)
  const dial = (): Promise<unknown> => pair.streams.dial(b.info.rpc!, { data() {}, drain() {}, closed() {} })
  for (let i = 0; i < 3; i++) await dial()
  await assert.rejects(a.transport.call(2, askCall, asks(0), { deadlineMs: 0 }), (error: ZonewiseError) => isDown(error) && /shaking hands/.test(String(error.context['reason'])))
  await pair.advance(3_100)
  assert(pair.streams.connections.every(({ client }) => client.isClosed))
  assert.equal((await a.transport.call(2, askCall, asks(0), { deadlineMs: 0 })).response.text, '0')
  pair.close()
})

test('network: a peer that falls silent is dead after 3 s, for callers and for handlers', async () => {
  const { pair, a, b } = open()
  let reason: unknown = null
  b.transport.serve(askCall, (_request, { signal }) => new Promise(() => {
    signal.addEventListener('abort', () => { reason = signal.reason })
  }))
  let error: unknown = null
  const call = a.transport.call(2, askCall, asks(1), { deadlineMs: 0 }).catch((caught: unknown) => { error = caught })
  await pair.advance(20_000)
  assert.equal(error, null) // it works, and says so
  freeze(pair.streams.last)
  await pair.advance(2_900)
  assert.deepEqual([error, reason], [null, null])
  await pair.advance(700)
  await call
  assert(isDown(error) && isDown(reason))
  pair.close()
})

test('network: who calls a peer that stopped while nothing was in flight, notices it too', async () => {
  const { pair, a, b } = open()
  serveBytes(b)
  await a.transport.call(2, askCall, asks(0), { deadlineMs: 0 })
  await pair.advance(60_000)
  freeze(pair.streams.last)
  let error: unknown = null
  const call = a.transport.call(2, askCall, asks(0), { deadlineMs: 0 }).catch((caught: unknown) => { error = caught })
  await pair.advance(2_900)
  assert.equal(error, null)
  await pair.advance(700)
  await call
  assert(isDown(error))
  pair.close()
})

/** Nothing passes any more, in both directions, and nobody is told. */
function freeze({ client, server }: MemoryConnection): void {
  client.tamper = server.tamper = () => Buffer.alloc(0)
}

test('network: a stream without calls says nothing at all', async () => {
  const { pair, a, b } = open()
  serveBytes(b)
  await a.transport.call(2, askCall, asks(10), { deadlineMs: 5_000 })
  await pair.advance(2_000)
  const { client, server } = pair.streams.last
  const before = [client.writtenBytes, server.writtenBytes]
  await pair.advance(120_000)
  assert.deepEqual([client.writtenBytes, server.writtenBytes], before)
  assert.equal(pair.time.pendingCount, 0)
  pair.close()
})

test('network: a peer that reads nothing holds no more memory than the bounds say, and is dead after 3 s', async () => {
  const { pair, a, b } = open({ rpcInFlightBytesMax: 10_000_000, rpcCallsMax: 200 })
  serveBytes(b)
  await a.transport.call(2, askCall, asks(0), { deadlineMs: 0 })
  pair.streams.last.server.isStuck = true
  const codes = Promise.all(Array.from({ length: 300 }, () =>
    a.transport.call(2, askCall, asks(0), { deadlineMs: 0, payload: [pattern(1_000_000, 1)] }).catch((error: ZonewiseError) => error.code)))
  await pair.settle()
  assert.equal(a.transport.figures().callsOut, 10)
  assert(a.transport.figures().queuedBytes < 11_000_000)
  await pair.advance(3_600)
  const counts = Map.groupBy(await codes, (code) => code)
  assert.deepEqual([counts.get('OVERLOADED')?.length, counts.get('RPC_UNAVAILABLE')?.length], [290, 10])
  assertIdle(a)
  pair.close()
  await pair.settle()
  assert.equal(pair.memory.heldBytes, 0)
})

test('network: one giant in flight keeps neither small calls nor big ones out, there or back', async () => {
  const { pair, a, b } = open({ rpcInFlightBytesMax: 1_000_000, rpcAnswerBytesMax: 1_000_000, rpcWindowBytes: 1_000_000 })
  pair.streams.kernelBytes = 100_000
  serveBytes(b)
  await a.transport.call(2, askCall, asks(0), { deadlineMs: 0 })
  const order: string[] = []
  const call = async (name: string, number: number, payload: readonly Uint8Array[]): Promise<void> => {
    const reply = await a.transport.call(2, askCall, asks(number), { deadlineMs: 0, payload })
    releaseAll(reply.payload)
    order.push(name)
  }
  const giants = Promise.all([call('giant request', 0, [pattern(20_000_000, 1)]), call('giant answer', 20_000_000, [])])
  await assert.rejects(call('one more', 0, [pattern(200_000, 1)]), withCode('OVERLOADED')) // the requests' bound is reached
  for (let i = 0; i < 5; i++) await Promise.all([call('small', 0, []), call('read', 65_536, []), call('big read', 500_000, [])])
  assert.equal(order.filter((name) => name.startsWith('giant')).length, 0)
  await giants
  assert.equal(order.length, 17)
  pair.close()
})

test('network: for a caller that does not read its answers no further call for payload begins', async () => {
  const { pair, a, b } = open({ rpcAnswerBytesMax: 3_000_000 })
  let begun = 0
  b.transport.serve(askCall, async ({ number }) => {
    begun += 1
    return { response: says(''), payload: [pattern(number, 1)] }
  })
  await a.transport.call(2, askCall, asks(0), { deadlineMs: 0 })
  const { client } = pair.streams.last
  client.isStuck = true
  const calls = Array.from({ length: 20 }, () => a.transport.call(2, askCall, asks(1_000_000), { deadlineMs: 0 }))
  await pair.settle()
  assert.equal(begun, 1 + 20) // all came in one turn: nothing waited yet
  const more = Array.from({ length: 20 }, () => a.transport.call(2, askCall, asks(1_000_000), { deadlineMs: 0 }))
  await pair.settle()
  assert.equal(begun, 1 + 20)
  client.resume()
  await Promise.all([...calls, ...more])
  assert.equal(begun, 1 + 40)
  assertIdle(b)
  pair.close()
})

test('network: what is put off and then given up is forgotten, with its memory', async () => {
  const { pair, a, b } = open({ rpcAnswerBytesMax: 1_000_000 })
  let begun = 0
  b.transport.serve(askCall, async ({ number }) => {
    begun += 1
    return { response: says(''), payload: [pattern(number, 1)] }
  })
  releaseAll((await a.transport.call(2, askCall, asks(0), { deadlineMs: 0 })).payload)
  const { client } = pair.streams.last
  client.isStuck = true
  const first = [3_000_000, 2_000_000].map((bytes) => a.transport.call(2, askCall, asks(bytes), { deadlineMs: 0 }))
  await pair.settle()
  for (let round = 0; round < 20; round++) {
    const stop = new AbortController()
    const calls = Array.from({ length: 50 }, () => assert.rejects(a.transport.call(2, askCall, asks(5), { deadlineMs: 0, signal: stop.signal, payload: [pattern(10_000, 1)] }), /enough/))
    await pair.settle()
    stop.abort(new Error('enough'))
    await Promise.all(calls)
    await pair.settle()
  }
  assert.deepEqual([begun, b.transport.figures().callsIn, pair.memory.heldBytes], [3, 0, 0])
  client.resume()
  for (const { payload } of await Promise.all(first)) releaseAll(payload)
  releaseAll((await a.transport.call(2, askCall, asks(7), { deadlineMs: 0 })).payload)
  assert.equal(begun, 4)
  pair.close()
})

for (const [what, stuck] of [['requests', 'server'], ['answers', 'client']] as const) {
  test(`network: big ${what} that are given up half sent, or not begun, give all of the window back`, async () => {
    const window = 3_000_000
    const { pair, a, b } = open({ rpcWindowBytes: window })
    b.transport.serve(askCall, async ({ number }) => ({ response: says(''), payload: number > 0 ? [pattern(number, 1)] : [] }))
    await a.transport.call(2, askCall, asks(0), { deadlineMs: 0 })
    /** A call with `bytes` the way that is tested. */
    const call = (bytes: number, signal?: AbortSignal): Promise<unknown> => {
      const [number, payload] = what === 'requests' ? [0, [pattern(bytes, 1)]] : [bytes, []]
      const options = { deadlineMs: 0, payload, ...(signal === undefined ? {} : { signal }) }
      return a.transport.call(2, askCall, asks(number), options).then((reply) => { releaseAll(reply.payload) })
    }
    const end = pair.streams.last[stuck]
    for (let round = 0; round < 3; round++) {
      const before = end.peer!.writtenBytes
      end.isStuck = true
      const stop = new AbortController()
      // Three begin and nine wait, for room in the window; of two giants one begins.
      const sizes = [window + 1, window + 1, ...Array.from({ length: 12 }, () => 800_000)]
      const calls = sizes.map((bytes) => assert.rejects(call(bytes, stop.signal), /enough/))
      await pair.settle()
      stop.abort(new Error('enough'))
      await Promise.all(calls)
      end.resume()
      await pair.settle()
      assert(end.peer!.writtenBytes - before < 1_500_000) // what the socket had taken, of 15.6 MB
      await call(window - 100) // all of it, or it would wait for ever
      await call(window + 1)
    }
    assert.equal(pair.streams.connections.length, 1)
    assertIdle(a)
    assertIdle(b)
    assert.equal(pair.memory.heldBytes, 0)
    pair.close()
  })
}

test('network: a big answer that is on its way when its call is given up ends the call all the same', async () => {
  const { pair, a, b } = open()
  pair.streams.kernelBytes = 1_000_000
  serveBytes(b)
  await a.transport.call(2, askCall, asks(0), { deadlineMs: 0 })
  const { client } = pair.streams.last
  for (const passed of [0, 100_000]) { // of the answer, before the call is given up
    pair.streams.kernelBytes = passed === 0 ? 1_000_000 : passed
    const stop = new AbortController()
    client.isStuck = passed === 0
    const call = assert.rejects(a.transport.call(2, askCall, asks(400_000), { deadlineMs: 0, signal: stop.signal }), /enough/)
    if (passed > 0) client.peer!.onDelivered = (bytes) => { if (bytes > passed) { client.isStuck = true; client.peer!.onDelivered = null } }
    await pair.settle()
    pair.streams.kernelBytes = 1_000_000
    stop.abort(new Error('enough'))
    await call
    client.resume()
    await pair.settle()
    assertIdle(a)
    assertIdle(b)
    assert.equal(pair.memory.heldBytes, 0)
  }
  pair.close()
})

test('network: big requests that a full socket keeps from beginning give their share of the window back', async () => {
  const { pair, a, b } = open({ rpcWindowBytes: 8_000_000 })
  serveBytes(b)
  await a.transport.call(2, askCall, asks(0), { deadlineMs: 0 })
  const { server } = pair.streams.last
  server.isStuck = true
  const stop = new AbortController()
  const given = Array.from({ length: 9 }, () => assert.rejects(a.transport.call(2, askCall, asks(0), { deadlineMs: 0, signal: stop.signal, payload: [pattern(800_000, 1)] }), /enough/))
  await pair.settle()
  assert(a.transport.figures().queuedBytes > 6_000_000)
  stop.abort(new Error('enough'))
  await Promise.all(given)
  server.resume()
  await pair.settle()
  await a.transport.call(2, askCall, asks(0), { deadlineMs: 0, payload: [pattern(7_999_900, 1)] })
  pair.close()
})

test('network: one peer has no more calls in work than the bound, those that it gave up included', async () => {
  const { pair, a, b } = open({ rpcCallsMax: 5 })
  const release: (() => void)[] = []
  b.transport.serve(askCall, () => new Promise<Answer>((resolve) => { release.push(() => { resolve(says('')) }) }))
  const stop = new AbortController()
  const given = Array.from({ length: 5 }, () => assert.rejects(a.transport.call(2, askCall, asks(1), { deadlineMs: 0, signal: stop.signal }), /enough/))
  await pair.settle()
  await assert.rejects(a.transport.call(2, askCall, asks(1), { deadlineMs: 0 }), withCode('OVERLOADED')) // said here
  stop.abort(new Error('enough'))
  await Promise.all(given)
  await pair.settle()
  await assert.rejects(a.transport.call(2, askCall, asks(1), { deadlineMs: 0 }), withCode('OVERLOADED')) // said there: five handlers go on
  release.forEach((resolve) => { resolve() })
  await pair.settle()
  const call = a.transport.call(2, askCall, asks(1), { deadlineMs: 0 })
  await pair.settle()
  release.at(-1)!()
  await call
  pair.close()
})

test('network: request bytes in work are bounded at the server too', async () => {
  const { pair, a, b } = open()
  const strict = pair.start(3, { settings: { rpcInFlightBytesMax: 1_000 } })
  strict.transport.serve(askCall, () => new Promise(() => {}))
  serveBytes(b)
  const held = a.transport.call(3, askCall, asks(1), { deadlineMs: 0, payload: [pattern(2_000, 1)] }).catch(() => {})
  await pair.settle()
  await assert.rejects(a.transport.call(3, askCall, asks(1), { deadlineMs: 0 }), withCode('OVERLOADED'))
  pair.close()
  await held
})

test('network: a message above the bound is refused where it is made, and the stream lives', async () => {
  const { pair, a, b } = open({ rpcMessageBytesMax: 2 ** 20 })
  const small = pair.start(3, { settings: { rpcMessageBytesMax: 1_000_000 } }) // knows the bound of its peer, and the other way round
  serveBytes(b)
  serveBytes(small)
  const ask = (node: number, number: number, payload: readonly Uint8Array[]): Promise<unknown> => a.transport.call(node, askCall, asks(number), { deadlineMs: 0, payload })
  const tooBig = (error: ZonewiseError): boolean => error.code === 'OVERLOADED' && error.context['setting'] === 'rpcMessageBytesMax'
  await assert.rejects(ask(2, 0, [pattern(2 ** 20, 1)]), tooBig)
  await assert.rejects(ask(2, 2 ** 20, []), tooBig)
  await ask(2, 2 ** 20 - 100, [pattern(2 ** 20 - 100, 1)])
  await assert.rejects(ask(3, 0, [pattern(1_000_000, 1)]), tooBig)
  await assert.rejects(ask(3, 1_000_000, []), tooBig)
  await ask(3, 999_900, [pattern(999_900, 1)])
  assert.equal(pair.streams.connections.length, 2)
  assertIdle(a)
  pair.close()
})

test('network: many calls of one turn leave in one write, and so do their answers', async () => {
  const { pair, a, b } = open()
  serveBytes(b)
  await a.transport.call(2, askCall, asks(0), { deadlineMs: 0 })
  const { client, server } = pair.streams.last
  const before = [client.writeCount, server.writeCount]
  await Promise.all(Array.from({ length: 200 }, () => a.transport.call(2, askCall, { number: 0, body: NO_BYTES }, { deadlineMs: 1_000 })))
  assert.deepEqual([client.writeCount - before[0]!, server.writeCount - before[1]!], [1, 1])
  pair.close()
})

test('network: a small call does not wait for a big one, in neither direction', async () => {
  const { pair, a, b } = open()
  pair.streams.kernelBytes = 100_000
  serveBytes(b)
  await a.transport.call(2, askCall, asks(0), { deadlineMs: 0 })
  const order: string[] = []
  const call = async (name: string, number: number, payload: readonly Uint8Array[]): Promise<void> => {
    await a.transport.call(2, askCall, asks(number), { deadlineMs: 0, payload })
    order.push(name)
  }
  await Promise.all([
    call('big request', 0, [pattern(30_000_000, 1)]), call('big answer', 30_000_000, []), call('middling', 0, [pattern(300_000, 1)]), call('small', 0, [])
  ])
  assert.deepEqual(order.slice(0, 2), ['small', 'middling'])
  pair.close()
})

test('network: big messages beyond the window wait for their turn and hold no memory at the receiver', async () => {
  const { pair, a, b } = open({ rpcWindowBytes: 1_000_000 })
  pair.streams.kernelBytes = 50_000
  serveBytes(b)
  const done: number[] = []
  const calls = Array.from({ length: 10 }, async (_, i) => {
    await a.transport.call(2, askCall, asks(600_000), { deadlineMs: 0, payload: [pattern(600_000, i)] })
    done.push(i)
  })
  await Promise.all(calls)
  assert.deepEqual(done, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) // no two fit together: one after the other
  pair.close()
})

test('network: the deadline is kept where the handler runs, even if the word that nobody waits is lost', async () => {
  const { pair, a, b } = open({ rpcSilenceMs: 60_000 })
  let reason: unknown = null
  b.transport.serve(askCall, (_request, { signal }) => new Promise(() => {
    signal.addEventListener('abort', () => { reason = signal.reason })
  }))
  const call = a.transport.call(2, askCall, asks(1), { deadlineMs: 2_000 }).catch(() => {})
  await pair.settle()
  freeze(pair.streams.last)
  await pair.advance(1_900)
  assert.equal(reason, null)
  await pair.advance(1_200)
  await call
  assert(withCode('RPC_TIMED_OUT')(reason))
  pair.close()
})

test('network: every byte on the sockets is in the ledger, by the zones of both ends', async () => {
  const { pair, a, b } = open({ rpcSecret: 'a secret that is long enough' }, 777)
  serveBytes(b)
  serveBytes(a)
  const stop = new AbortController()
  await Promise.allSettled([
    ...Array.from({ length: 30 }, (_, i) => a.transport.call(2, askCall, asks(i * 10_000), { deadlineMs: 0, payload: [pattern(i * 20_000, i)] })),
    ...Array.from({ length: 10 }, (_, i) => b.transport.call(1, askCall, asks(i), { deadlineMs: 0, signal: stop.signal }))
  ])
  await pair.settle()
  const sent = pair.streams.connections.reduce((sum, { client, server }) => sum + client.writtenBytes + server.writtenBytes, 0)
  const counted = pair.rows().reduce((sum, { bytes }) => sum + bytes, 0)
  assert.equal(counted, sent)
  pair.close()
})

test('network: metrics tell of streams, calls and losses', async () => {
  const { pair, a, b } = open()
  const metrics = new Metrics()
  exposeTransport(metrics, 'az1', () => a.transport.figures())
  const values = (): number[] => Object.values(RPC_METRICS).map((row) => metrics.value(row, { zone: 'az1' }))
  b.transport.serve(askCall, ({ number }) => number < 0 ? new Promise(() => {}) : Promise.resolve(says('')))
  const call = assert.rejects(a.transport.call(2, askCall, asks(-1), { deadlineMs: 0 }), isDown)
  await pair.settle()
  assert.deepEqual(values(), [1, 0, 1, 0, 0, 0, 0])
  pair.kill(b)
  await call
  await pair.advance(2_000)
  await assert.rejects(a.transport.call(2, askCall, asks(0), { deadlineMs: 0 }), isDown)
  assert.deepEqual(values(), [0, 0, 0, 0, 0, 1, 1])
  pair.close()
})
