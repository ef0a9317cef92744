/**
 * Streams between nodes on the HTTP port, the serving side: `GET /rpc` with `Upgrade: zonewise-rpc` turns a connection
 * into one. What flows then is of shared/transport; who may talk is decided there, by its handshake.
 */
import type { Server } from 'node:http'
import type { Socket as NodeSocket } from 'node:net'
import type { Socket, SocketHandlers } from '#shared/runtime/network.ts'
import { type Adopter, newAdopter } from './node-network.ts'

export const RPC_UPGRADE = { path: '/rpc', protocol: 'zonewise-rpc' } as const
const KEEP_ALIVE_MS = 60_000

export type Accept = (socket: Socket) => SocketHandlers

/** Serves upgrades of `server`. `accept` says who takes them: null while the node starts. */
export function serveRpc(server: Server, accept: () => Accept | null, adopt: Adopter = newAdopter()): void {
  server.on('upgrade', (request, stream, head) => {
    const raw = stream as NodeSocket
    const take = accept()
    const { path, protocol } = RPC_UPGRADE
    if (request.url !== path || request.headers.upgrade?.toLowerCase() !== protocol) return refuse(raw, '404 Not Found')
    if (take === null) return refuse(raw, '503 Service Unavailable')
    raw.on('error', () => {}) // until it is adopted; then it is reported there
    raw.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`)
    tune(raw)
    const adopted = adopt(raw)
    adopted.start(take(adopted.socket), head)
  })
}

function refuse(raw: NodeSocket, status: string): void {
  refuseTunnel(raw, `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

/**
 * Ends a connection that asked to be more than HTTP. Node looks after it no more: an error that nobody hears would end
 * the process, and one whose other end stays open would count for ever among those that the server may have.
 */
export function refuseTunnel(raw: NodeSocket, answer: string): void {
  raw.on('error', () => {})
  raw.write(answer)
  raw.destroySoon()
}

/** Sets what every stream has, whoever opened it. */
export function tune(socket: NodeSocket): void {
  socket.setTimeout(0)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
}
