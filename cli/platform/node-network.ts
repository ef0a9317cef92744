/**
 * Sockets of the process. Reading goes into one slab that all sockets share: `data` may use its bytes during the call
 * only, and two sockets are never read at the same time. A server has no `onread` of its own, so the accepted handle is
 * moved into a socket that has: 5.3 GB/s instead of 1.9 with 'data' events, which stay as the fallback.
 */
import { connect, createServer, Socket as NodeSocket, type Server } from 'node:net'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Listening, Network, Socket, SocketHandlers } from '#shared/runtime/network.ts'

const SLAB_BYTES = 256 * 1024
const KEEP_ALIVE_MS = 60_000
const CONNECT_TIMEOUT_MS = 10_000

export type NodeNetworkOptions = { readonly read?: 'onread' | 'data' }

type Handle = { readonly useUserBuffer?: unknown }
type OnRead = { readonly buffer: Uint8Array; readonly callback: (count: number, buffer: Uint8Array) => boolean }
type WithHandle = { _handle: Handle | null }

class TcpSocket implements Socket {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly #socket: NodeSocket
  #handlers: SocketHandlers | null = null
  readonly #untaken: (() => void)[] = [] // of writes under way, oldest first
  #behind = false // the kernel did not take all of a write at once
  #error: Error | null = null

  constructor(socket: NodeSocket) {
    this.#socket = socket
    this.remoteAddress = (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
    this.remotePort = socket.remotePort ?? 0
    socket.on('error', (error) => { this.#error = error })
    socket.once('close', () => {
      for (const taken of this.#untaken.splice(0)) taken()
      this.#handlers?.closed(this.#error)
    })
  }

  /** Set before the first byte is read. */
  attach(handlers: SocketHandlers): void {
    this.#handlers = handlers
  }

  received(bytes: Uint8Array): void {
    this.#handlers?.data(bytes)
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength
  }

  write(chunks: readonly Uint8Array[], taken: () => void = nothing): void {
    const socket = this.#socket
    if (chunks.length === 0 || socket.destroyed || socket.writableEnded) {
      process.nextTick(taken)
      return
    }
    this.#untaken.push(taken)
    const last = chunks.length - 1
    socket.cork() // all chunks go out in one writev
    for (let i = 0; i < last; i++) socket.write(chunks[i]!)
    socket.write(chunks[last]!, this.#onWritten)
    socket.uncork()
    if (socket.writableLength > 0) this.#behind = true
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Also called for what a socket that was destroyed had not sent: by then the system does not look at it any more. */
  readonly #onWritten = (): void => {
    this.#untaken.shift()?.()
    if (!this.#behind || this.#socket.writableLength > 0 || this.#socket.destroyed) return
    this.#behind = false
    this.#handlers?.drain()
  }
}

function nothing(): void {}

/** A socket whose reading is set up and has not begun. */
export type AdoptedSocket = {
  readonly socket: Socket
  /** Begins to read; `first` was read before. */
  start(handlers: SocketHandlers, first?: Uint8Array): void
}

export type Adopter = (raw: NodeSocket) => AdoptedSocket

/** Options of a socket that reads into `slab` and gives the bytes to `target`. */
function onread(slab: Uint8Array, target: () => TcpSocket): OnRead {
  return {
    buffer: slab,
    callback: (count, buffer) => {
      target().received(buffer.subarray(0, count))
      return true
    }
  }
}

/** Takes over sockets that somebody else accepted or opened, and that nobody reads any more. */
export function newAdopter({ read = 'onread' }: NodeNetworkOptions = {}): Adopter {
  const slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  return (raw) => {
    const handle = (raw as unknown as WithHandle)._handle
    const byEvents = read === 'data' || typeof handle?.useUserBuffer !== 'function'
    let node = raw
    if (!byEvents) {
      ;(raw as unknown as WithHandle)._handle = null // the raw socket ends without it, and its server counts it no more
      raw.destroy()
      node = new NodeSocket({ handle, onread: onread(slab, () => tcp) } as ConstructorParameters<typeof NodeSocket>[0])
    }
    const tcp = new TcpSocket(node)
    return {
      socket: tcp,
      start: (handlers, first) => {
        tcp.attach(handlers)
        if (first !== undefined && first.length > 0) tcp.received(first)
        if (byEvents) node.on('data', (bytes: Buffer) => { tcp.received(bytes) })
        node.resume()
      }
    }
  }
}

export function newNodeNetwork(options: NodeNetworkOptions = {}): Network {
  const { read = 'onread' } = options
  const slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  const adopt = newAdopter(options)
  return {
    listen: (host, port, accept) => {
      const options = { pauseOnConnect: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }
      const server = createServer(options, (raw) => {
        const adopted = adopt(raw)
        adopted.start(accept(adopted.socket))
      })
      return listening(server, host, port)
    },
    connect: (host, port, handlers) => new Promise((resolve, reject) => {
      const where = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }
      const node = connect(read === 'data' ? where : { ...where, onread: onread(slab, () => tcp) } as typeof where)
      let tcp: TcpSocket
      const refused = (error: Error): void => {
        node.destroy()
        reject(new ZonewiseError('RPC_UNAVAILABLE', 'cannot connect', { host, port }, error))
      }
      const tooLate = (): void => { refused(new Error('timed out')) }
      node.setTimeout(CONNECT_TIMEOUT_MS, tooLate)
      node.once('error', refused)
      node.once('connect', () => {
        node.setTimeout(0)
        node.off('timeout', tooLate)
        node.off('error', refused)
        tcp = new TcpSocket(node)
        tcp.attach(handlers)
        if (read === 'data') node.on('data', (bytes: Buffer) => { tcp.received(bytes) })
        resolve(tcp)
      })
    })
  }
}

function listening(server: Server, host: string, port: number): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException): void => {
      const code = error.code === 'EADDRINUSE' || error.code === 'EACCES' ? 'PORT_IN_USE' : 'SETTING_INVALID'
      reject(new ZonewiseError(code, 'cannot listen for clients', { host, port, reason: error.code }, error))
    }
    server.once('error', refused)
    server.listen({ host, port, backlog: 1024 }, () => {
      server.off('error', refused)
      server.on('error', () => {}) // an accept that failed (out of files): the next one may succeed
      const address = server.address()
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : port,
        close: async () => { server.close() } // accepted sockets belong to whoever accepted them
      })
    })
  })
}
