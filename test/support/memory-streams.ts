/**
 * Connections in memory between nodes, with the faults that a test asks for. Bytes arrive in the turn after they were
 * written, cut into pieces, and are overwritten after the call that brings them, as a real receive buffer is. An end
 * that does not read lets so many bytes pass as a kernel buffers; the rest waits at the writer.
 */
import type { NodeAddress } from '#shared/cluster/membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Socket, SocketHandlers } from '#shared/runtime/network.ts'
import type { Timer } from '#shared/runtime/runtime.ts'

type Accept = (socket: Socket) => SocketHandlers

export class MemoryStreams {
  readonly timer: Timer
  /** Longest piece that arrives at once. */
  pieceBytes = Infinity
  /** What a kernel holds of each direction. */
  kernelBytes = 2 ** 18
  remoteAddress = '127.0.0.1'
  /** Every connection ever made, in order. */
  readonly connections: MemoryConnection[] = []
  readonly #listeners = new Map<number, Accept>() // by port
  /** True: nothing that is dialled answers. */
  isSilent = false
  /** Called with each connection before a byte flows. */
  onConnection: ((connection: MemoryConnection) => void) | null = null
  dialCount = 0

  constructor(timer: Timer) {
    this.timer = timer
  }

  get last(): MemoryConnection {
    return this.connections.at(-1)!
  }

  listen(port: number, accept: Accept): void {
    this.#listeners.set(port, accept)
  }

  unlisten(port: number): void {
    this.#listeners.delete(port)
  }

  dial({ host, port }: NodeAddress, handlers: SocketHandlers): Promise<Socket> {
    this.dialCount += 1
    if (this.isSilent) return new Promise(() => {})
    const accept = this.#listeners.get(port)
    if (accept === undefined) return Promise.reject(new ZonewiseError('RPC_UNAVAILABLE', 'cannot connect', { host, port }, new Error('connection refused')))
    const connection = new MemoryConnection(this)
    this.connections.push(connection)
    this.onConnection?.(connection)
    connection.client.handlers = handlers
    const accepted = accept(connection.server)
    if (!connection.server.isClosed) connection.server.handlers = accepted
    return Promise.resolve(connection.client)
  }
}

export class MemoryConnection {
  readonly client: MemoryEnd
  readonly server: MemoryEnd

  constructor(streams: MemoryStreams) {
    this.client = new MemoryEnd(streams)
    this.server = new MemoryEnd(streams)
    this.client.peer = this.server
    this.server.peer = this.client
  }

  /** Both ends see a reset; what is on its way is lost. */
  cut(error: Error | null = new Error('connection reset')): void {
    this.client.close(error)
    this.server.close(error)
  }
}

type Written = { readonly bytes: Buffer; readonly taken: (() => void) | null } // taken: the last of its write

export class MemoryEnd implements Socket {
  readonly remotePort = 40_000
  readonly #streams: MemoryStreams
  peer: MemoryEnd | null = null
  handlers: SocketHandlers | null = null
  bufferedBytes = 0
  isClosed = false
  /** While true, this end reads nothing. */
  isStuck = false
  /** True: it does not end when the other end does. */
  staysOpen = false
  /** Calls of `write`, and their bytes. */
  writeCount = 0
  writtenBytes = 0
  /** Changes what this end receives. */
  tamper: ((bytes: Buffer) => Buffer) | null = null
  /** Called after each piece of this end's bytes was handed to the other. */
  onDelivered: ((deliveredBytes: number) => void) | null = null
  deliveredBytes = 0 // of what this end wrote
  #queue: Written[] = [] // not in the kernel: by reference, as a socket has it
  #kernel: Buffer[] = []
  #kernelBytes = 0
  #comes = false
  #ends = false

  constructor(streams: MemoryStreams) {
    this.#streams = streams
  }

  get remoteAddress(): string {
    return this.#streams.remoteAddress
  }

  write(chunks: readonly Uint8Array[], taken: () => void = () => {}): void {
    if (this.isClosed || this.#ends || chunks.length === 0) {
      setImmediate(taken)
      return
    }
    this.writeCount += 1
    for (const [i, chunk] of chunks.entries()) {
      this.writtenBytes += chunk.length
      this.bufferedBytes += chunk.length
      this.#queue.push({ bytes: Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length), taken: i === chunks.length - 1 ? taken : null })
    }
    this.#pump()
    this.#deliverSoon()
  }

  pause(): void { this.isStuck = true }

  resume(): void {
    this.isStuck = false
    this.peer!.#deliverSoon()
  }

  end(): void {
    this.#ends = true
    this.#deliverSoon()
  }

  destroy(): void {
    if (this.isClosed) return
    this.close(null)
    this.#streams.timer.soon(() => { this.peer!.close(null) })
  }

  close(error: Error | null): void {
    if (this.isClosed) return
    this.isClosed = true
    for (const { taken } of this.#queue.splice(0)) if (taken !== null) setImmediate(taken)
    this.#kernel = []
    const { handlers } = this
    this.#streams.timer.soon(() => { handlers?.closed(error) })
  }

  #pump(): void {
    while (this.#queue.length > 0 && this.#kernelBytes < this.#streams.kernelBytes) {
      const { bytes, taken } = this.#queue.shift()!
      const room = this.#streams.kernelBytes - this.#kernelBytes
      if (bytes.length > room) this.#queue.unshift({ bytes: bytes.subarray(room), taken })
      else if (taken !== null) setImmediate(taken)
      const passed = Buffer.from(bytes.subarray(0, room))
      this.#kernel.push(passed)
      this.#kernelBytes += passed.length
      this.bufferedBytes -= passed.length
    }
  }

  #deliverSoon(): void {
    if (this.#comes) return
    this.#comes = true
    this.#streams.timer.soon(() => {
      this.#comes = false
      this.#deliver()
    })
  }

  #deliver(): void {
    const peer = this.peer!
    if (peer.isStuck) return
    const bytes = Buffer.concat(this.#kernel)
    this.#kernel = []
    this.#kernelBytes = 0
    const sent = peer.tamper === null ? bytes : peer.tamper(bytes)
    for (let at = 0; at < sent.length && !peer.isClosed; at += this.#streams.pieceBytes) {
      const piece = Buffer.from(sent.subarray(at, at + this.#streams.pieceBytes))
      peer.handlers?.data(piece)
      this.deliveredBytes += piece.length
      piece.fill(0xee)
      this.onDelivered?.(this.deliveredBytes)
    }
    if (this.isClosed) return
    const wasBehind = this.bufferedBytes > 0
    this.#pump()
    if (this.#kernelBytes > 0) this.#deliverSoon()
    if (wasBehind && this.bufferedBytes === 0) this.handlers?.drain()
    if (this.#ends && this.#kernelBytes === 0 && this.bufferedBytes === 0 && !peer.staysOpen) {
      this.close(null)
      peer.close(null)
    }
  }
}
