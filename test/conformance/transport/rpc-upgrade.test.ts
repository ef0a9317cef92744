/**
 * Goal: connections between nodes are opened by an upgrade on the HTTP port, by either way of reading sockets, and who
 * cannot be upgraded is told why. Method: the HTTP server of a process and the dialling side, on the loopback.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as rawConnect } from 'node:net'
import { test } from 'node:test'
import { serveHttp } from '#cli/http/http-server.ts'
import { newAdopter, type Adopter } from '#cli/platform/node-network.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { newRpcDial } from '#cli/platform/rpc-dial.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Socket, SocketHandlers } from '#shared/runtime/network.ts'

const HOST = '127.0.0.1'
const TIMEOUT_MS = 5_000

/** Gathers text until it is as long as awaited. */
function listening(): SocketHandlers & { text: string; until(length: number): Promise<string>; readonly over: Promise<Error | null> } {
  const over = Promise.withResolvers<Error | null>()
  let wake = (): void => {}
  const made = {
    text: '', over: over.promise,
    data: (bytes: Uint8Array) => { made.text += Buffer.from(bytes).toString(); wake() },
    drain() {}, closed: (error: Error | null) => { over.resolve(error) },
    until: async (length: number) => {
      while (made.text.length < length) await new Promise<void>((resolve) => { wake = resolve })
      return made.text
    }
  }
  return made
}

for (const read of ['onread', 'data'] as const) {
  test(`rpc-upgrade: carries bytes both ways, those that came with the upgrade too, beside plain HTTP (${read})`, async () => {
    const http = await serveHttp({ host: HOST, port: 0, runtime: nodeRuntime })
    const adopt: Adopter = newAdopter({ read })
    const servers: Socket[] = []
    http.attachRpc((socket) => {
      servers.push(socket)
      socket.write([Buffer.from('welcome ')])
      return { data: (bytes) => { socket.write([Buffer.from(bytes)]) }, drain() {}, closed() {} }
    })
    const peer = listening()
    const socket = await newRpcDial(TIMEOUT_MS, adopt)({ host: HOST, port: http.port }, peer)
    socket.write([Buffer.from('hel'), Buffer.from('lo')])
    assert.equal(await peer.until(13), 'welcome hello')
    assert.deepEqual([socket.remoteAddress, servers[0]!.remoteAddress, socket.remotePort], [HOST, HOST, http.port])
    assert.equal((await fetch(`http://${HOST}:${http.port}/live`)).status, 200)
    servers[0]!.end()
    assert.equal(await peer.over, null)

    const eager = rawConnect(http.port, HOST) // does not wait for the answer
    eager.write('GET /rpc HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: Zonewise-RPC\r\n\r\nat once')
    let answer = ''
    eager.on('data', (bytes: Buffer) => { answer += bytes.toString() })
    while (!answer.endsWith('welcome at once')) await once(eager, 'data')
    assert.match(answer, /^HTTP\/1.1 101 /)
    eager.destroy()
    await http.close()
  })
}

test('rpc-upgrade: a node that starts, a wrong path and a closed port are told apart', async () => {
  const http = await serveHttp({ host: HOST, port: 0, runtime: nodeRuntime })
  const dial = newRpcDial(TIMEOUT_MS)
  const reason = async (port: number): Promise<string> => {
    const error: unknown = await dial({ host: HOST, port }, listening()).catch((caught: unknown) => caught)
    assert(error instanceof ZonewiseError && error.code === 'RPC_UNAVAILABLE' && error.cause instanceof Error)
    return error.cause.message
  }
  assert.match(await reason(http.port), /takes no calls of nodes/)
  const raw = rawConnect(http.port, HOST)
  raw.write('GET /elsewhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: zonewise-rpc\r\n\r\n')
  const [answer] = await once(raw, 'data') as [Buffer]
  assert.match(answer.toString(), /^HTTP\/1.1 404 /)
  raw.destroy()
  await http.close()
  assert.match(await reason(http.port), /ECONNREFUSED/)
})
