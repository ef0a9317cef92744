/**
 * The other node of the RPC bench, in a process of its own: answers calls, and beside that does the same over a bare
 * socket. Asked over the parent's channel it says what CPU it took.
 */
import { serveHttp } from '#cli/http/http-server.ts'
import { newNodeNetwork } from '#cli/platform/node-network.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { silentLog } from '#shared/log/log.ts'
import { COMMIT_ROWS } from '#shared/rpc/commit-rows.ts'
import { CHUNK_STATUS, commitCall } from '#shared/rpc/commit.ts'
import { transportSettings } from '#shared/transport/config.ts'
import { NetworkTransport } from '#shared/transport/network-transport.ts'
import { BARE, benchCall, HOST, membersOf } from './rpc-load.ts'

const http = await serveHttp({ host: HOST, port: 0, runtime: nodeRuntime })
const ledger = new Ledger()
const transport = new NetworkTransport({
  info: { nodeId: 2, nodeEpoch: 1, zone: 'az2' }, membership: new StaticMembership(membersOf(http.port)), memory: new MemoryPool(), ledger,
  runtime: nodeRuntime, log: silentLog, dial: () => Promise.reject(new Error('the server of the bench calls nobody')), settings: transportSettings.defaults()
})
http.attachRpc((socket) => transport.accept(socket))

const payload = Buffer.allocUnsafeSlow(BARE.chunkBytesMax).fill(7)
transport.serve(benchCall, async ({ number, body }) => ({ response: { body }, payload: number === 0 ? [] : [payload.subarray(0, number)] }))
transport.serve(commitCall, async ({ chunks }) => ({
  leader: 1, membershipVersion: 1,
  chunks: chunks.map(({ chunkSeq, rows }) => {
    const batchCount = rows.length / (COMMIT_ROWS.partitionBytes + COMMIT_ROWS.batchBytes)
    return { chunkSeq, status: CHUNK_STATUS.answered, answers: new Uint8Array(batchCount * COMMIT_ROWS.answerBytes) }
  })
}))

const network = newNodeNetwork()
const echo = await network.listen(HOST, 0, (socket) => ({ data: (bytes) => { socket.write([Buffer.from(bytes)]) }, drain() {}, closed() {} }))
const flood = await network.listen(HOST, 0, (socket) => {
  let isOpen = true
  const fill = (): void => {
    if (!isOpen) return
    socket.write([payload, payload])
    if (socket.bufferedBytes === 0) nodeRuntime.timer.soon(fill) // the kernel took it all: `drain` will not come
  }
  return { data: fill, drain: fill, closed: () => { isOpen = false } }
})

process.on('disconnect', () => { process.exit(0) })
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send!({ cpuSeconds: (user + system) / 1e6, rows: ledger.rows() })
})
process.send!({ http: http.port, echo: echo.port, flood: flood.port })
