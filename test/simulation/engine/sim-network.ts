/**
 * Sockets in memory under virtual time. Bytes arrive late, in order, cut at random places, and are overwritten after
 * the call that hands them over, as a real receive buffer is. Connections may be reset; those of a dead host are.
 */
import type { Rng } from '#shared/runtime/rng.ts'
import type { Listening, Network, Socket, SocketHandlers } from '#shared/runtime/network.ts'
import type { Trace } from './trace.ts'
import type { VirtualTime } from './virtual-time.ts'

export type NetworkFaults = { delayMsMin: number; delayMsMax: number; piecesMax: number }

export const CALM_NETWORK: Readonly<NetworkFaults> = { delayMsMin: 0.1, delayMsMax: 1, piecesMax: 2 }

type Accept = (socket: Socket) => SocketHandlers

const FIRST_PORT = 40_000
const RESET = new Error('connection reset')
const REFUSED = new Error('connection refused')

export class SimNetwork {
  readonly faults: NetworkFaults = { ...CALM_NETWORK }
  readonly time: VirtualTime
  readonly rng: Rng
  readonly trace: Trace
  readonly #listeners = new Map<string, { readonly accept: Accept; readonly host: HostNetwork }>()
  readonly connections = new Set<SimConnection>()
  #nextPort = FIRST_PORT
  #nextId = 1

  constructor(time: VirtualTime, rng: Rng, trace: Trace) {
    this.time = time
    this.rng = rng
    this.trace = trace
  }

  /** The network as one machine has it. */
  host(address: string): HostNetwork {
    return new HostNetwork(this, address)
  }

  delayMs(): number {
    const { delayMsMin, delayMsMax } = this.faults
    return delayMsMin + this.rng.fraction() * (delayMsMax - delayMsMin)
  }

  bind(host: HostNetwork, name: string, port: number, accept: Accept): Listening {
    const bound = port === 0 ? this.#nextPort++ : port
    const key = `${name}:${bound}`
    if (this.#listeners.has(key)) throw new Error(`sim-network: ${key} is in use`)
    const listener = { accept, host }
    this.#listeners.set(key, listener)
    const unbind = (): void => { if (this.#listeners.get(key) === listener) this.#listeners.delete(key) }
    host.onKill(unbind)
    return { port: bound, close: () => { unbind(); return Promise.resolve() } }
  }

  dial(from: HostNetwork, name: string, port: number, handlers: SocketHandlers): Promise<Socket> {
    return new Promise((resolve, reject) => {
      this.time.after(this.delayMs(), () => {
        const listener = this.#listeners.get(`${name}:${port}`)
        if (listener === undefined || !from.alive) return reject(REFUSED)
        const connection = new SimConnection(this, this.#nextId++, from, listener.host)
        this.connections.add(connection)
        this.trace.add(`${this.time.nowMs} connect ${connection.id} ${from.address} ${name}`)
        connection.client.handlers = handlers
        const accepted = listener.accept(connection.server)
        if (connection.open) connection.server.handlers = accepted
        resolve(connection.client)
      })
    })
  }

  /** Resets each open connection with a chance of `perMille`. */
  resetSome(perMille: number): void {
    for (const connection of [...this.connections]) if (this.rng.below(1_000) < perMille) connection.break(RESET)
  }
}

export class HostNetwork implements Network {
  readonly #network: SimNetwork
  readonly address: string
  readonly #kills: (() => void)[] = []
  alive = true
  /** How long the machine stands still from now on: nothing arrives before. */
  frozenMs: () => number = () => 0

  constructor(network: SimNetwork, address: string) {
    this.#network = network
    this.address = address
  }

  async listen(host: string, port: number, accept: Accept): Promise<Listening> {
    return this.#network.bind(this, host, port, accept)
  }

  connect(host: string, port: number, handlers: SocketHandlers): Promise<Socket> {
    return this.#network.dial(this, host, port, handlers)
  }

  onKill(fn: () => void): void {
    this.#kills.push(fn)
  }

  /** The machine dies: nothing of it is ever called again, the other ends see a reset. */
  kill(): void {
    this.alive = false
    for (const fn of this.#kills) fn()
    for (const connection of [...this.#network.connections]) if (connection.touches(this)) connection.break(RESET)
  }
}

class SimConnection {
  readonly network: SimNetwork
  readonly id: number
  readonly client: SimSocket
  readonly server: SimSocket
  open = true

  constructor(network: SimNetwork, id: number, from: HostNetwork, to: HostNetwork) {
    this.network = network
    this.id = id
    this.client = new SimSocket(this, from, to.address)
    this.server = new SimSocket(this, to, from.address)
    this.client.peer = this.server
    this.server.peer = this.client
  }

  touches(host: HostNetwork): boolean {
    return this.client.host === host || this.server.host === host
  }

  /** Both ends are closed: what is on its way is lost. */
  break(error: Error | null): void {
    if (!this.open) return
    this.open = false
    const { network } = this
    network.connections.delete(this)
    network.trace.add(`${network.time.nowMs} closed ${this.id} ${error?.message ?? 'end'}`)
    for (const socket of [this.client, this.server]) {
      network.time.after(network.delayMs(), () => socket.tellClosed(error))
    }
  }
}

type Flying = { readonly chunks: readonly Uint8Array[]; readonly bytes: number }

class SimSocket implements Socket {
  readonly #connection: SimConnection
  readonly host: HostNetwork
  readonly remoteAddress: string
  readonly remotePort: number
  peer: SimSocket | null = null
  handlers: SocketHandlers | null = null
  bufferedBytes = 0
  #paused = false
  readonly #untaken: (() => void)[] = [] // of writes under way, oldest first
  #held: Flying[] = [] // arrived while this end does not read, or stands still
  #arrivesMs = 0 // of the newest write
  #closed = false

  constructor(connection: SimConnection, host: HostNetwork, remoteAddress: string) {
    this.#connection = connection
    this.host = host
    this.remoteAddress = remoteAddress
    this.remotePort = FIRST_PORT + (connection.id % 20_000)
  }

  write(chunks: readonly Uint8Array[], taken: () => void = () => {}): void {
    const { open, network } = this.#connection
    if (!this.host.alive) return
    if (!open) return network.time.soon(taken)
    this.#untaken.push(taken)
    let bytes = 0
    for (const chunk of chunks) bytes += chunk.byteLength
    this.bufferedBytes += bytes
    const flying = { chunks, bytes }
    this.#later(() => { if (this.#connection.open) this.peer?.receive(flying) })
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#connection.network.time.soon(() => this.#deliverHeld())
  }

  end(): void {
    if (this.host.alive) this.#later(() => this.#connection.break(null))
  }

  destroy(): void {
    if (this.host.alive) this.#connection.break(null)
  }

  receive(flying: Flying): void {
    this.#held.push(flying)
    this.#deliverHeld()
  }

  #deliverHeld(): void {
    while (!this.#paused && this.#held.length > 0) {
      const frozenMs = this.host.frozenMs()
      if (frozenMs > 0) return void this.#connection.network.time.after(frozenMs, () => this.#deliverHeld())
      this.#deliver(this.#held.shift()!)
    }
  }

  tellClosed(error: Error | null): void {
    if (this.#closed) return
    this.#closed = true
    const { handlers } = this
    this.handlers = null
    if (!this.host.alive) return
    for (const taken of this.#untaken.splice(0)) taken()
    handlers?.closed(error)
  }

  #deliver({ chunks, bytes }: Flying): void {
    const { network, open } = this.#connection
    if (!open || !this.host.alive) return
    const joined = Buffer.concat(chunks)
    const side = this === this.#connection.client ? 'client' : 'server'
    network.trace.add(`${network.time.nowMs} data ${this.#connection.id} to ${side} ${bytes}`)
    for (let from = 0; from < joined.length && this.#connection.open;) {
      const to = network.rng.below(network.faults.piecesMax) === 0 ? joined.length : from +
        1 + network.rng.below(joined.length - from)
      const piece = Buffer.from(joined.subarray(from, to))
      this.handlers?.data(piece)
      piece.fill(0xee)
      from = to
    }
    this.peer?.sent(bytes)
  }

  sent(bytes: number): void {
    this.bufferedBytes -= bytes
    if (this.host.alive) this.#untaken.shift()?.()
    if (this.bufferedBytes === 0 && this.#connection.open && this.host.alive) this.handlers?.drain()
  }

  /** Keeps the order of what this end does. */
  #later(fn: () => void): void {
    const { network } = this.#connection
    this.#arrivesMs = Math.max(this.#arrivesMs, network.time.nowMs + network.delayMs())
    network.time.at(this.#arrivesMs, fn)
  }
}
