/**
 * Goal: both ways of reading a socket keep the contract of shared/runtime/network.ts.
 * Method: a real server and client on a free port of the loopback, once with `onread`, once with 'data' events.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as rawConnect } from 'node:net'
import { test } from 'node:test'
import { newNodeNetwork } from '#cli/platform/node-network.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Socket, SocketHandlers } from '#shared/runtime/network.ts'

const HOST = '127.0.0.1'

type Peer =
  SocketHandlers & { readonly bytes: Buffer[]; readonly drains: number[]; readonly over: Promise<Error | null> }

function newPeer(onData: (peer: Peer) => void = () => {}): Peer {
  const over = Promise.withResolvers<Error | null>()
  const peer: Peer = {
    bytes: [], drains: [], over: over.promise,
    data: (bytes) => { peer.bytes.push(Buffer.from(bytes)); onData(peer) },
    drain: () => { peer.drains.push(1) },
    closed: (error) => { over.resolve(error) }
  }
  return peer
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => { setTimeout(resolve, 2) })
}

for (const read of ['onread', 'data'] as const) {
  test(`node-network: carries bytes both ways, in order (${read})`, async () => {
    const network = newNodeNetwork({ read })
    const sockets: Socket[] = []
    const listening = await network.listen(HOST, 0, (socket) => {
      sockets.push(socket)
      return {
        data: (bytes) => { socket.write([Buffer.from('<'), Buffer.from(bytes), Buffer.from('>')]) }, drain() {},
        closed() {}
      }
    })
    const peer = newPeer()
    const socket = await network.connect(HOST, listening.port, peer)
    socket.write([Buffer.from('hello')])
    await until(() => Buffer.concat(peer.bytes).toString() === '<hello>')
    assert.equal(sockets[0]!.remoteAddress, HOST)
    assert(sockets[0]!.remotePort > 0)
    socket.end()
    assert.equal(await peer.over, null)
    await listening.close()
  })

  test(`node-network: many buffers and 20 MB arrive whole, with drain after the kernel was full (${read})`, async () => {
    const network = newNodeNetwork({ read })
    let received = 0
    let sum = 0
    const listening = await network.listen(HOST, 0, () => ({
      data: (bytes) => { received += bytes.length; for (let i = 0; i < bytes.length; i += 4_096) sum += bytes[i]! },
      drain() {}, closed() {}
    }))
    const peer = newPeer()
    const socket = await network.connect(HOST, listening.port, peer)
    const chunk = Buffer.alloc(10_000, 7)
    socket.write(Array.from({ length: 2_000 }, () => chunk))
    assert(socket.bufferedBytes > 0)
    await until(() => received === 20_000_000)
    assert(sum > 0)
    await until(() => peer.drains.length === 1)
    assert.equal(socket.bufferedBytes, 0)
    socket.destroy()
    await peer.over
    await listening.close()
  })

  test(`node-network: a paused socket reads nothing until it is resumed (${read})`, async () => {
    const network = newNodeNetwork({ read })
    let server: Socket | null = null
    let received = 0
    const listening = await network.listen(HOST, 0, (socket) => {
      server = socket
      return { data: (bytes) => { received += bytes.length; socket.pause() }, drain() {}, closed() {} }
    })
    const socket = await network.connect(HOST, listening.port, newPeer())
    socket.write([Buffer.alloc(1)])
    await until(() => received === 1)
    socket.write([Buffer.alloc(1_000)])
    await new Promise((resolve) => { setTimeout(resolve, 50) })
    assert.equal(received, 1)
    server!.resume()
    await until(() => received > 1)
    socket.destroy()
    await listening.close()
  })

  test(`node-network: closed comes once when the peer resets, and close stops accepting (${read})`, async () => {
    const network = newNodeNetwork({ read })
    const peer = newPeer()
    const accepted = Promise.withResolvers<void>()
    const listening = await network.listen(HOST, 0, () => { accepted.resolve(); return peer })
    const raw = rawConnect(listening.port, HOST)
    await once(raw, 'connect')
    await accepted.promise
    raw.resetAndDestroy()
    await peer.over
    await listening.close()
    await assert.rejects(network.connect(HOST, listening.port, newPeer()), { code: 'RPC_UNAVAILABLE' })
  })

  test(`node-network: bytes written before end reach a peer that half-closes (${read})`, async () => {
    const network = newNodeNetwork({ read })
    const listening = await network.listen(HOST, 0, (socket) => ({
      data: () => { socket.write([Buffer.alloc(3_000_000, 1)]); socket.end() }, drain() {}, closed() {}
    }))
    const raw = rawConnect({ port: listening.port, host: HOST })
    raw.end('x')
    let count = 0
    for await (const bytes of raw) count += (bytes as Buffer).length
    assert.equal(count, 3_000_000)
    await listening.close()
  })
}

test('node-network: a port in use is named', async () => {
  const network = newNodeNetwork()
  const first = await network.listen(HOST, 0, () => newPeer())
  await assert.rejects(network.listen(HOST, first.port, () => newPeer()), (error) =>
    error instanceof ZonewiseError && error.code === 'PORT_IN_USE' && error.context['port'] === first.port)
  await first.close()
})
