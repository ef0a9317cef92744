/**
 * Sockets to an object store, for undici: TCP or TLS with its own roots, and the bytes of each counted below TLS, as
 * the kernel sees them. TLS sessions are resumed: a request that is given up costs its connection.
 */
import { isIP, Socket, type SocketConstructorOpts } from 'node:net'
import { connect as connectTls, getCACertificates, type SecureContext, createSecureContext } from 'node:tls'
import type { SocketMeter, SocketSource } from '#shared/store/s3/connections.ts'

const TCP_KEEP_ALIVE_MS = 60_000
const WRITE_AHEAD_BYTES = 4 * 2 ** 20 // pieces of a body that wait together go out in one call of the kernel
const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

export type StoreSocketOptions = {
  readonly connectTimeoutMs: number // TLS included
  readonly caPem: string | null // trusted besides the roots of Node
}

/** A maker of connections that share roots and TLS sessions. */
export function newStoreSockets({ connectTimeoutMs, caPem }: StoreSocketOptions): () => SocketSource {
  let context: SecureContext | null = null // made for the first https: connection
  let session: Buffer | undefined

  return () => {
    const meter = new Meter()
    const connect: SocketSource['connect'] = ({ hostname, protocol, port }, callback) => {
      const host = hostname.replace(/^\[|\]$/g, '')
      const tcp = new Socket({ writableHighWaterMark: WRITE_AHEAD_BYTES } as SocketConstructorOpts)
      tcp.setNoDelay(true)
      tcp.setKeepAlive(true, TCP_KEEP_ALIVE_MS)
      tcp.connect({ host, port: Number(port) || PORTS[protocol] || 443 })
      let socket = tcp
      if (protocol === 'https:') {
        context ??= createSecureContext(caPem === null ? {} : { ca: [...getCACertificates('default'), caPem] })
        const servername = isIP(host) === 0 ? { servername: host } : {}
        const resumed = session === undefined ? {} : { session }
        const secure = { secureContext: context, ALPNProtocols: ['http/1.1'] }
        const tls = connectTls({ socket: tcp, host, ...secure, ...servername, ...resumed })
        tls.on('session', (made) => { session = made })
        socket = tls
      }
      meter.watch(tcp, socket)
      holdWrites(socket)
      const late = setTimeout(() => { socket.destroy(new ConnectTimeout(connectTimeoutMs)) }, connectTimeoutMs)
      late.unref()
      let told = false
      const tell = (error: Error | null): void => {
        clearTimeout(late)
        if (told) return
        told = true
        if (error === null) callback(null, socket)
        else callback(error, null)
      }
      socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', () => { tell(null) })
      socket.on('error', tell)
      socket.once('close', () => { tell(new Error('closed while it was being made')) })
    }
    return { connect, meter, whenSent: (then) => { meter.whenSent(then) } }
  }
}

/**
 * Lets pieces that are written one after another go out in one call of the kernel. undici corks and uncorks for each;
 * here the first cork lasts until nothing more is at hand. Measured: a fifth of the CPU of a PUT of 128 pieces.
 */
function holdWrites(socket: Socket): void {
  const { cork, uncork } = socket
  let held = false
  socket.cork = () => {
    if (held) return
    held = true
    cork.call(socket)
    process.nextTick(() => { held = false; uncork.call(socket) })
  }
  socket.uncork = () => {}
}

export class ConnectTimeout extends Error {
  readonly code = 'CONNECT_TIMEOUT'

  constructor(timeoutMs: number) {
    super(`no connection within ${timeoutMs} ms`)
  }
}

class Meter implements SocketMeter {
  readonly #open = new Map<Socket, Socket>() // what is counted, and what is written to: above it where there is TLS
  #sentBytes = 0
  #receivedBytes = 0

  watch(tcp: Socket, socket: Socket): void {
    this.#open.set(tcp, socket)
    tcp.once('close', () => {
      this.#open.delete(tcp)
      this.#sentBytes += tcp.bytesWritten
      this.#receivedBytes += tcp.bytesRead
    })
  }

  /** The loop tells of what was read before it tells of what was written: what is left a turn later is cut. */
  whenSent(then: () => void): void {
    if (!this.#hasUnsent()) {
      then()
      return
    }
    setImmediate(() => {
      for (const socket of this.#open.values()) if (socket.writableLength > 0) socket.destroy()
      then()
    })
  }

  #hasUnsent(): boolean {
    for (const socket of this.#open.values()) if (socket.writableLength > 0) return true
    return false
  }

  get sentBytes(): number {
    let sum = this.#sentBytes
    for (const tcp of this.#open.keys()) sum += tcp.bytesWritten
    return sum
  }

  get receivedBytes(): number {
    let sum = this.#receivedBytes
    for (const tcp of this.#open.keys()) sum += tcp.bytesRead
    return sum
  }
}
