/**
 * Goal: only nodes of one cluster that share its secret talk, each in its newest life, and both sides say why not, once.
 * Method: pairs of nodes that differ in one thing, over connections in memory; attackers write their own bytes.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { field, int32, message, string } from '#shared/binary/message.ts'
import type { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { RpcCall } from '#shared/rpc/call.ts'
import { encodeHandshake, HANDSHAKE_KIND, helloMessage, proofMessage, type Hello } from '#shared/transport/handshake-messages.ts'
import { RecordingLog } from '#test/support/gateway-twin.ts'
import { CLUSTER_ID, type NodeOptions, type PairNode, TransportPair } from '#test/support/transport-pair.ts'
import { askCall, asks, says, withCode } from './transport-suite.ts'

const SECRET = 'correct horse battery staple'

type Side = { readonly node: PairNode; readonly log: RecordingLog }
type World = { readonly pair: TransportPair; readonly a: Side; readonly b: Side }

function open(ofA: NodeOptions, ofB: NodeOptions, remoteAddress = '10.0.0.7'): World {
  const pair = new TransportPair()
  pair.streams.remoteAddress = remoteAddress
  const side = (nodeId: number, options: NodeOptions): Side => {
    const log = new RecordingLog()
    const node = pair.start(nodeId, { ...options, log })
    node.transport.serve(askCall, async () => says('yes'))
    return { node, log }
  }
  return { pair, a: side(1, ofA), b: side(2, ofB) }
}

const secret = { settings: { rpcSecret: SECRET } }
const call = ({ node }: Side, to = 2): Promise<string> => node.transport.call(to, askCall, asks(1), { deadlineMs: 0 }).then(({ response }) => response.text)

const REFUSED: readonly (readonly [what: string, a: NodeOptions, b: NodeOptions, reason: RegExp, remoteAddress?: string])[] = [
  ['another secret', secret, { settings: { rpcSecret: `${SECRET}!` } }, /do not share the cluster secret/],
  ['no secret where the other has one', { settings: { rpcInsecure: true } }, secret, /do not share the cluster secret/],
  ['a secret where the other has none', secret, { settings: { rpcInsecure: true } }, /do not share the cluster secret/],
  ['another cluster', secret, { ...secret, clusterId: 'YW5vdGhlciBjbHVzdGVy' }, /different clusters/],
  ['only newer protocols', secret, { ...secret, protocol: { min: 2, max: 3 } }, /no protocol in common/],
  ['only older protocols', { ...secret, protocol: { min: 2, max: 3 } }, secret, /no protocol in common/]
]

for (const [what, ofA, ofB, reason] of REFUSED) {
  test(`handshake: ${what} is refused, which both sides say once`, async () => {
    const { pair, a, b } = open(ofA, ofB)
    for (let i = 0; i < 5; i++) {
      await assert.rejects(call(a), (error: ZonewiseError) => withCode('RPC_UNAVAILABLE')(error) && reason.test(String(error.context['reason'])))
      await pair.advance(2_000)
    }
    assert(pair.streams.connections.length >= 5)
    for (const { log } of [a, b]) {
      assert.equal(log.lines.length, 1)
      const [{ level, fields }] = log.lines as [RecordingLog['lines'][number]]
      assert.equal(level, 'warn')
      assert.match(String(fields['reason']), reason)
    }
    pair.close()
  })
}

test('handshake: without a secret nodes talk on one machine only, unless they are told to trust the network', async () => {
  const far = open({}, {})
  await assert.rejects(call(far.a), (error: ZonewiseError) => /one machine only/.test(String(error.context['reason'])))
  far.pair.close()
  for (const address of ['127.0.0.1', '127.8.9.1', '::1']) {
    const near = open({}, {}, address)
    assert.equal(await call(near.a), 'yes')
    near.pair.close()
  }
  const trusting = open({ settings: { rpcInsecure: true } }, { settings: { rpcInsecure: true } })
  assert.equal(await call(trusting.a), 'yes')
  trusting.pair.close()
  const oneSided = open({ settings: { rpcInsecure: true } }, {})
  await assert.rejects(call(oneSided.a), (error: ZonewiseError) => /one machine only/.test(String(error.context['reason'])))
  oneSided.pair.close()
})

test('handshake: a change is said again', async () => {
  const { pair, a, b } = open(secret, secret)
  await call(a)
  pair.kill(b.node)
  await pair.settle()
  for (let i = 0; i < 5; i++) {
    await assert.rejects(call(a), withCode('RPC_UNAVAILABLE'))
    await pair.advance(2_000)
  }
  const second = pair.start(2, secret)
  second.transport.serve(askCall, async () => says('again'))
  assert.equal(await call(a), 'again')
  assert.deepEqual(a.log.lines.map(({ level, message: text }) => [level, text]), [
    ['info', 'a peer can be called'], ['info', 'the connection to a peer is lost'], ['warn', 'a peer cannot be reached'], ['info', 'a peer can be called']
  ])
  pair.close()
})

test('handshake: an address that belongs to another node is refused', async () => {
  const { pair, a, b } = open(secret, secret)
  pair.announce(3, { ...b.node.info, nodeId: 3 })
  await assert.rejects(call(a, 3), (error: ZonewiseError) => /another node/.test(String(error.context['reason'])))
  assert.equal(await call(a), 'yes')
  pair.close()
})

test('handshake: the newer life of a node is called, its older one neither calls nor answers any more', async () => {
  const { pair, a, b } = open(secret, secret)
  assert.equal(await call(a), 'yes')
  assert.equal(await call(b, 1), 'yes')
  const second = pair.start(2, secret) // the older process goes on, as one that was stopped and wakes up
  second.transport.serve(askCall, async () => says('newer'))
  assert.equal(await call(a), 'newer')
  assert.equal(pair.streams.connections.filter(({ client }) => !client.isClosed).length, 1)
  await assert.rejects(call(b, 1), (error: ZonewiseError) => withCode('RPC_UNAVAILABLE')(error))
  await pair.advance(2_000)
  await assert.rejects(call(b, 1), (error: ZonewiseError) => /newer life/.test(String(error.context['reason'])))
  pair.announce(2, { ...second.info, rpc: b.node.info.rpc! }) // somebody mixed up the addresses
  await assert.rejects(call(a), (error: ZonewiseError) => /newer life/.test(String(error.context['reason'])))
  pair.close()
})

test('handshake: a newer life that calls before the membership tells of it ends what leads to the older one', async () => {
  const { pair, a, b } = open(secret, secret)
  const early = pair.start(3, secret)
  early.transport.serve(askCall, () => new Promise(() => {}))
  const waiting = assert.rejects(call(a, 3), withCode('RPC_UNAVAILABLE'))
  await pair.settle()
  const secondLife = pair.startUnannounced(3, { ...secret, nodeEpoch: early.info.nodeEpoch + 1 })
  assert.equal(await secondLife.transport.call(1, askCall, asks(1), { deadlineMs: 0 }).then(({ response }) => response.text), 'yes')
  await waiting
  assert.equal(await call(b, 1), 'yes')
  pair.close()
})

test('handshake: versions N and N+1 talk, by the newest protocol and messages that both know', async () => {
  const older = message('Old', { versions: [0, 0], flexibleSince: null }, { number: field(int32) })
  const olderAnswer = message('OldAnswer', { versions: [0, 0], flexibleSince: null }, { text: field(string) })
  const newer = message('New', { versions: [0, 1], flexibleSince: null }, { number: field(int32), added: field(string, { since: 1, default: 'absent' }) })
  const newerAnswer = message('NewAnswer', { versions: [0, 1], flexibleSince: null }, { text: field(string), more: field(int32, { since: 1, default: -1 }) })
  const common = { id: 901, name: 'ask', cause: 'plan', payloadCause: null } as const
  const oldCall: RpcCall<{ number: number }, { text: string }> = { ...common, request: older, response: olderAnswer }
  const newCall: RpcCall<{ number: number; added: string }, { text: string; more: number }> = { ...common, request: newer, response: newerAnswer }
  const { pair, a, b } = open(secret, { ...secret, protocol: { min: 1, max: 2 } })
  const c = pair.start(3, { ...secret, protocol: { min: 1, max: 2 } }).transport
  const [old, next] = [a.node.transport, b.node.transport]
  old.serve(oldCall, async ({ number }) => ({ text: `old ${number}` }))
  for (const node of [next, c]) node.serve(newCall, async ({ number, added }) => ({ text: `new ${number} ${added}`, more: 7 }))
  const options = { deadlineMs: 0 }
  assert.deepEqual((await old.call(2, oldCall, { number: 1 }, options)).response, { text: 'new 1 absent' })
  assert.deepEqual((await next.call(1, newCall, { number: 2, added: 'x' }, options)).response, { text: 'old 2', more: -1 })
  assert.deepEqual((await c.call(2, newCall, { number: 3, added: 'x' }, options)).response, { text: 'new 3 x', more: 7 })
  const strict = message('Strict', { versions: [1, 1], flexibleSince: null }, { number: field(int32), added: field(string) })
  const strictCall: RpcCall<{ number: number; added: string }, { text: string; more: number }> = { ...common, request: strict, response: newerAnswer }
  await assert.rejects(next.call(1, strictCall, { number: 1, added: '' }, options), /too old/)
  pair.close()
})

test('handshake: the secret is never on the wire, and no two handshakes are alike', async () => {
  const { pair, a, b } = open(secret, secret)
  const seen: Buffer[] = []
  pair.streams.onConnection = ({ client, server }) => {
    for (const end of [client, server]) end.tamper = (bytes) => { seen.push(Buffer.from(bytes)); return bytes }
  }
  await call(a)
  const first = Buffer.concat(seen.splice(0))
  pair.streams.last.cut()
  await pair.advance(2_000)
  await call(a)
  const second = Buffer.concat(seen.splice(0))
  assert.equal(first.includes(SECRET), false)
  assert.equal(first.length, second.length)
  assert.notDeepEqual(first, second)
  assert.equal([...a.log.lines, ...b.log.lines].some((line) => JSON.stringify(line).includes(SECRET)), false)
  pair.close()
})

/** What somebody without the secret hears who says `messages` in order, each when something came. */
async function attack({ pair, b }: World, ...messages: readonly Uint8Array[]): Promise<{ readonly heard: Buffer; readonly isClosed: boolean }> {
  const heard: Buffer[] = []
  let isClosed = false
  const socket = await pair.streams.dial(b.node.info.rpc!, { data: (bytes) => { heard.push(Buffer.from(bytes)) }, drain() {}, closed: () => { isClosed = true } })
  for (const bytes of messages) {
    socket.write([bytes])
    await pair.settle()
  }
  return { heard: Buffer.concat(heard), isClosed }
}

const hello = (changes: Partial<Hello> = {}): Uint8Array => encodeHandshake(HANDSHAKE_KIND.hello, helloMessage, {
  magic: 0x5a57_5250, versionMin: 1, versionMax: 1, clusterId: CLUSTER_ID, nodeId: 1, nodeEpoch: 99, zone: 'az1', toNode: 2, auth: 1,
  nonce: Buffer.alloc(32, 1), windowBytes: 1_000_000, messageBytesMax: 1_000_000, ...changes
})
const proof = (bytes: Uint8Array): Uint8Array => encodeHandshake(HANDSHAKE_KIND.proof, proofMessage, { proof: bytes })

test('handshake: who does not hold the secret gets no call through, whatever it sends, and does not pass for a newer life', async () => {
  const request = Buffer.from([0, 0, 10, 1, 0, 0x84, 0x07, 0, 0, 0, 0, 1, 0, 0]) // of askCall, nearly
  const world = open(secret, secret)
  let served = 0
  world.b.node.transport.serve({ ...askCall, id: 902 }, async () => { served += 1; return says('') })
  const tries = [
    [hello(), proof(Buffer.alloc(32)), request], [hello(), proof(Buffer.alloc(0)), request], [hello(), request], [request], [proof(Buffer.alloc(32)), request],
    [hello({ auth: 0 }), proof(Buffer.alloc(0)), request], [hello(), hello(), proof(Buffer.alloc(32))], [hello({ nonce: Buffer.alloc(0) }), request], [hello({ nodeEpoch: NaN }), request], [hello({ nodeEpoch: -1 }), request]
  ]
  for (const messages of tries) assert.equal((await attack(world, ...messages)).isClosed, true)
  // The proof that the server gave is none of a caller.
  const { heard } = await attack(world, hello())
  const welcomeBytes = 3 + heard.readUInt16BE(0)
  const theirs = heard.subarray(welcomeBytes)
  assert.equal(theirs[2], HANDSHAKE_KIND.proof)
  assert.equal((await attack(world, hello(), theirs, request)).isClosed, true)
  assert.equal(served, 0)
  assert.equal(await call(world.a), 'yes') // in life 1, though somebody spoke of life 99
  assert.equal(await call(world.b, 1), 'yes')
  world.pair.close()
})

test('handshake: whoever is refused and stays cannot keep its connection', async () => {
  const world = open(secret, secret)
  world.pair.streams.onConnection = ({ client }) => { client.staysOpen = true }
  for (let i = 0; i < 3; i++) await attack(world, hello(), proof(Buffer.alloc(32)))
  const openCount = (): number => world.pair.streams.connections.filter(({ server }) => !server.isClosed).length
  assert.equal(openCount(), 3)
  await world.pair.advance(10_000)
  assert.equal(openCount(), 0)
  world.pair.close()
})

test('handshake: a node that no process answers for costs one try in a while; calls in between fail at once', async () => {
  const { pair, a } = open(secret, secret)
  pair.streams.isSilent = true
  const slow = assert.rejects(call(a), (error: ZonewiseError) => /no answer in time/.test(String(error.context['reason'])))
  await pair.advance(2_900)
  const waits = a.node.transport.call(2, askCall, asks(1), { deadlineMs: 50 })
  const gone = assert.rejects(waits, withCode('RPC_TIMED_OUT')) // its own time is over before the dial's
  await pair.advance(150)
  await slow
  await gone
  let failedAtOnce = 0
  for (let i = 0; i < 100; i++) {
    const error: unknown = await Promise.race([call(a).catch((caught: unknown) => caught), pair.settle().then(() => null)])
    if (error !== null) failedAtOnce += 1
    await pair.advance(100)
  }
  assert(failedAtOnce >= 3 && pair.streams.dialCount < 8, `${failedAtOnce} calls, ${pair.streams.dialCount} dials`)
  pair.close()
})
