/** The server's end of a connection, in memory: the test is the client. */
import type { Listening, Network, Socket, SocketHandlers } from '#shared/runtime/network.ts'

export class MemorySocket implements Socket {
  readonly remoteAddress: string
  readonly remotePort = 50_000
  bufferedBytes = 0
  paused = false
  ended = false
  destroyed = false
  /** Each write as one list of chunks. */
  readonly writes: (readonly Uint8Array[])[] = []
  /** While true, what is written stays in `bufferedBytes`, as for a client that does not read. */
  stuck = false
  handlers: SocketHandlers | null = null
  readonly #untaken: (() => void)[] = []

  constructor(remoteAddress = '10.0.0.7') {
    this.remoteAddress = remoteAddress
  }

  /** Copies, as the kernel does: what was taken may be written over. */
  write(chunks: readonly Uint8Array[], taken: () => void = () => {}): void {
    this.writes.push(chunks.map((chunk) => Buffer.from(chunk)))
    this.#untaken.push(taken)
    if (this.stuck) for (const chunk of chunks) this.bufferedBytes += chunk.length
    else queueMicrotask(() => { this.#takeAll() })
  }

  pause(): void { this.paused = true }
  resume(): void { this.paused = false }

  end(): void {
    this.ended = true
    this.#close()
  }

  destroy(): void {
    this.destroyed = true
    this.#close()
  }

  /** The client sends; like the real one, the bytes are overwritten after the call. */
  receive(bytes: Uint8Array): void {
    const slab = Buffer.from(bytes)
    this.handlers?.data(slab)
    slab.fill(0xee)
  }

  /** The client reads everything. */
  unstick(): void {
    this.stuck = false
    this.bufferedBytes = 0
    this.#takeAll()
    this.handlers?.drain()
  }

  /** The client is gone. */
  lose(error: Error | null = null): void {
    this.#close(error)
  }

  /** Everything written so far. */
  get sent(): Buffer {
    return Buffer.concat(this.writes.flat())
  }

  #close(error: Error | null = null): void {
    const { handlers } = this
    this.handlers = null
    queueMicrotask(() => { this.#takeAll() })
    handlers?.closed(error)
  }

  #takeAll(): void {
    for (const taken of this.#untaken.splice(0)) taken()
  }
}

/** Listeners without sockets: `connect` hands a MemorySocket to the listener of a port. */
export class MemoryListening implements Network {
  readonly #accepts = new Map<number, (socket: Socket) => SocketHandlers>()
  #nextPort = 40_001

  listen(_host: string, port: number, accept: (socket: Socket) => SocketHandlers): Promise<Listening> {
    const bound = port === 0 ? this.#nextPort++ : port
    this.#accepts.set(bound, accept)
    return Promise.resolve({ port: bound, close: () => { this.#accepts.delete(bound); return Promise.resolve() } })
  }

  connect(): Promise<Socket> {
    throw new Error('memory-socket: the test is the only client')
  }

  /** A client connects; null: nobody listens. */
  dial(port: number, remoteAddress?: string): MemorySocket | null {
    const accept = this.#accepts.get(port)
    if (accept === undefined) return null
    const socket = new MemorySocket(remoteAddress)
    const handlers = accept(socket)
    if (!socket.destroyed) socket.handlers = handlers
    return socket
  }
}
