/** What only this carrier does; the contract is in test/conformance/transport. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytes, field, int32, message, string, type Infer } from '#shared/binary/message.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import type { RpcCall } from '#shared/rpc/call.ts'
import { InProcessNetwork } from '#shared/transport/in-process.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const versions = { versions: [0, 0], flexibleSince: null } as const
const ask = message('Ask', versions, { number: field(int32), body: field(bytes) })
const answer = message('Answer', versions, { text: field(string) })
const askCall: RpcCall<Infer<typeof ask>, Infer<typeof answer>> = {
  id: 900, name: 'ask', cause: 'plan', payloadCause: 'chunk-share', request: ask, response: answer
}
const NO_BYTES = new Uint8Array(0)

type Pair = { runtime: ManualRuntime; ledger: Ledger; network: InProcessNetwork; a: Transport; b: Transport; bugs: unknown[] }

function pair(): Pair {
  const runtime = new ManualRuntime()
  const ledger = new Ledger()
  const bugs: unknown[] = []
  const network = new InProcessNetwork({ ledger, timer: runtime.timer, onBug: (error) => { bugs.push(error) } })
  const a = network.attach({ nodeId: 1, zone: 'az1' })
  const b = network.attach({ nodeId: 2, zone: 'az2' })
  return { runtime, ledger, network, a, b, bugs }
}

const withCode = (code: string) => (error: unknown): boolean => error instanceof ZonewiseError && error.code === code

test('in-process: header is copied, payload goes by reference, both are counted by zones and cause', async () => {
  const { a, b, ledger } = pair()
  const body = new Uint8Array([1, 2, 3])
  const payload = [new Uint8Array(1_000)]
  b.serve(askCall, async (request, context) => {
    assert.equal(request.number, 7)
    assert.notEqual(request.body.buffer, body.buffer)
    assert.deepEqual([context.fromNode, context.fromZone], [1, 'az1'])
    assert.equal(context.payload[0], payload[0])
    return { response: { text: 'yes' }, payload: [context.payload[0]!.subarray(0, 10)] }
  })
  const reply = await a.call(2, askCall, { number: 7, body }, { deadlineMs: 1_000, payload })
  assert.equal(reply.response.text, 'yes')
  assert.equal(reply.payload[0]!.buffer, payload[0]!.buffer)
  assert.deepEqual(ledger.rows().map(({ from, to, cause, bytes: count, requests }) => [from, to, cause, count, requests]), [
    ['az1', 'az2', 'chunk-share', 1_000, 0], ['az1', 'az2', 'plan', 4 + 4 + 3, 1],
    ['az2', 'az1', 'chunk-share', 10, 0], ['az2', 'az1', 'plan', 2 + 3, 0]
  ])
})

test('in-process: a call ends at its deadline and the handler hears of it', async () => {
  const { a, b, runtime } = pair()
  let reason: unknown = null
  b.serve(askCall, (_request, { signal }) => new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => { reason = signal.reason; reject(signal.reason as Error) })
  }))
  const call = assert.rejects(a.call(2, askCall, { number: 1, body: NO_BYTES }, { deadlineMs: 100 }), withCode('RPC_TIMED_OUT'))
  await runtime.advance(99)
  assert.equal(reason, null)
  await runtime.advance(1)
  await call
  assert(withCode('RPC_TIMED_OUT')(reason))
  assert.equal(runtime.pendingCount, 0)
})

test('in-process: faults delay each way and lose requests or answers', async () => {
  const { a, b, network, runtime } = pair()
  let served = 0
  b.serve(askCall, async () => { served += 1; return { text: '' } })
  network.fault = () => ({ delayMs: 40, dropRequest: false, dropReply: false })
  let done = false
  const slow = a.call(2, askCall, { number: 1, body: NO_BYTES }, { deadlineMs: 100 }).then(() => { done = true })
  await runtime.advance(79)
  assert.deepEqual([served, done], [1, false])
  await runtime.advance(1)
  await slow
  for (const [fault, handled] of [[{ dropRequest: true, dropReply: false }, 1], [{ dropRequest: false, dropReply: true }, 2]] as const) {
    network.fault = () => ({ delayMs: 0, ...fault })
    const lost = assert.rejects(a.call(2, askCall, { number: 1, body: NO_BYTES }, { deadlineMs: 100 }), withCode('RPC_TIMED_OUT'))
    await runtime.advance(100)
    await lost
    assert.equal(served, handled)
  }
})
