/** Which version of a call's messages two nodes use: streams are dialled once, maybe before a peer serves all calls. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { field, message, uint32 } from '#shared/binary/message.ts'
import { CALL_VERSIONS } from '#shared/rpc/call-versions.ts'
import type { RpcCall } from '#shared/rpc/call.ts'
import { TransportPair } from '#test/support/transport-pair.ts'

type Told = { readonly old: number; readonly since1: number }

const versions = { versions: [0, 1], flexibleSince: 1 } as const
const told = message('Told', versions, { old: field(uint32), since1: field(uint32, { since: 1 }) })
const tellCall: RpcCall<Told, Told> =
  { id: 61_001, name: 'tell', cause: 'admin', payloadCause: null, request: told, response: told }
const wakeCall: RpcCall<Told, Told> = { ...tellCall, id: 61_002, name: 'wake' }
const SAYS: Told = { old: 1, since1: 2 }
const OPTIONS = { deadlineMs: 0 }

test('transport: a call that is served only after a stream was opened goes in the newest version all the same', async () => {
  const pair = new TransportPair({ callVersions: [{ id: tellCall.id, versionMax: 1 }] })
  const [a, b] = [pair.start(1), pair.start(2)]
  b.transport.serve(wakeCall, async (request) => request)
  await a.transport.call(2, wakeCall, SAYS, OPTIONS)
  b.transport.serve(tellCall, async (request) => request)
  const { response } = await a.transport.call(2, tellCall, SAYS, OPTIONS)
  assert.deepEqual(response, SAYS)
  pair.close()
})

test('transport: a call that the peer does not know in later versions goes in the first', async () => {
  const pair = new TransportPair()
  const [a, b] = [pair.start(1), pair.start(2)]
  b.transport.serve(wakeCall, async (request) => request)
  await a.transport.call(2, wakeCall, SAYS, OPTIONS)
  b.transport.serve(tellCall, async (request) => request)
  const { response } = await a.transport.call(2, tellCall, SAYS, OPTIONS)
  assert.deepEqual(response, { old: 1, since1: 0 })
  pair.close()
})

test('transport: the versions that are told are those of all calls that have more than one', async () => {
  const folder = new URL('../../../../shared/rpc/', import.meta.url)
  const modules: unknown[] = await Promise.all(readdirSync(folder).map((name) => import(new URL(name, folder).href)))
  const calls = modules.flatMap((exports) => Object.values(exports as object)).filter(isCall)
  const later = calls.filter(({ request }) => request.versionMax > 0)
  assert.deepEqual(
    later.map(({ id, request }) => ({ id, versionMax: request.versionMax })).toSorted((a, b) => a.id - b.id),
    CALL_VERSIONS.toSorted((a, b) => a.id - b.id)
  )
})

function isCall(exported: unknown): exported is RpcCall<unknown, unknown> {
  return typeof exported === 'object' && exported !== null && 'payloadCause' in exported && 'request' in exported
}
