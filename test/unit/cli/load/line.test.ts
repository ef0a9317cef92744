/** Goal: a connection of a load comes back by itself, without a busy loop at a gateway that closes it at once. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Line } from '#cli/load/line.ts'

const WATCHED_MS = 500
const AGAIN_MAX = 10 // in that time

test('line: a gateway that takes connections and closes them at once is not dialled without pause', async () => {
  let dials = 0
  const server = createServer((socket) => { dials += 1; socket.destroy() }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const line = await Line.open({ places: [{ host: '127.0.0.1', port }], onLost: () => {}, onAgain: () => {} })
  await sleep(WATCHED_MS)
  line.close()
  server.close()
  assert(dials > 1 && dials <= AGAIN_MAX, `${dials}`)
})
