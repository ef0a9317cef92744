/** A proxy that loses, holds and cuts what passes: the network between a node and its Redis. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

type Pair = { readonly client: Socket; readonly server: Socket; held: Buffer[] }

export class TcpProxy {
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  /** Replies of the server go nowhere. */
  dropReplies = false
  /** Nothing passes, and nobody is told. */
  isHalfOpen = false
  /** Requests wait for `release`. */
  holdRequests = false
  /** Each reply waits so long. */
  replyDelayMs = 0
  /** After so many bytes of requests both sides are cut; null: never. */
  cutAfterBytes: number | null = null
  bytesToServer = 0

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#server = createServer((client) => { this.#accept(client, connect(target)) })
  }

  static async start(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get host(): string { return '127.0.0.1' }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Lets go what was held, also of clients that are gone. */
  release(): void {
    this.holdRequests = false
    for (const pair of this.#pairs) {
      for (const bytes of pair.held) pair.server.write(bytes)
      pair.held = []
    }
  }

  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.destroy()
      server.destroy()
    }
  }

  close(): void {
    this.cut()
    this.#server.close()
  }

  #accept(client: Socket, server: Socket): void {
    const pair: Pair = { client, server, held: [] }
    this.#pairs.add(pair)
    client.setNoDelay(true)
    server.setNoDelay(true)
    client.on('data', (bytes: Buffer) => { this.#request(pair, bytes) })
    server.on('data', (bytes: Buffer) => { this.#reply(pair, bytes) })
    // What is held of a client that gave up still goes to the server later.
    client.on('close', () => { if (pair.held.length === 0 && !this.holdRequests) server.end() })
    server.on('close', () => {
      client.destroy()
      this.#pairs.delete(pair)
    })
    for (const socket of [client, server]) socket.on('error', () => { socket.destroy() })
  }

  #request(pair: Pair, bytes: Buffer): void {
    if (this.isHalfOpen) return
    if (this.holdRequests) {
      pair.held.push(bytes)
      return
    }
    if (this.cutAfterBytes !== null && bytes.byteLength >= this.cutAfterBytes) {
      const part = bytes.subarray(0, this.cutAfterBytes)
      this.cutAfterBytes = null
      pair.server.write(part, () => {
        pair.server.destroy()
        pair.client.destroy()
      })
      return
    }
    if (this.cutAfterBytes !== null) this.cutAfterBytes -= bytes.byteLength
    this.bytesToServer += bytes.byteLength
    pair.server.write(bytes)
  }

  #reply(pair: Pair, bytes: Buffer): void {
    if (this.isHalfOpen || this.dropReplies) return
    if (this.replyDelayMs === 0) pair.client.write(bytes)
    else setTimeout(() => { pair.client.write(bytes) }, this.replyDelayMs)
  }
}
