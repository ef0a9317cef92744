/** The client of the command line over gateways that go away: Node has nothing to warn an operator of. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { newKafkaSocket } from '#cli/command/kafka-client.ts'

test('kafka-client: a socket that is gone can be let go of as often as kafkajs likes', async (t) => {
  const server = createServer((socket) => { socket.destroy() }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as { readonly port: number }
  const connected = Promise.withResolvers<void>()
  const socket = newKafkaSocket({ host: '127.0.0.1', port, ssl: {}, onConnect: connected.resolve })
  await connected.promise
  socket.resume()
  await once(socket, 'close')
  for (let turn = 0; turn < 20; turn++) {
    socket.end()
    socket.unref()
  }
  assert.equal(socket.listenerCount('connect'), 0)
})
