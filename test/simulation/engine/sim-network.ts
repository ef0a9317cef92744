/**
 * Sockets in memory under virtual time. Bytes arrive late, in order, cut at random places, and are overwritten after
 * the call that hands them over, as a real receive buffer is. Connections may be reset, in the middle of what they
 * carry; those of a dead host end. Between hosts that are cut off from each other bytes are held until they can pass,
 * and nobody hears of an end. What stands still neither reads nor hears of anything.
 */
import type { Rng } from '#shared/runtime/rng.ts'
import type { Listening, Network, Socket, SocketHandlers } from '#shared/runtime/network.ts'
import { type End, SimConnection } from './sim-connection.ts'
import type { Trace } from './trace.ts'
import type { VirtualTime } from './virtual-time.ts'
import { RETRY_MS } from './way.ts'

export type NetworkFaults = { delayMsMin: number; delayMsMax: number; piecesMax: number }

export const CALM_NETWORK: Readonly<NetworkFaults> = { delayMsMin: 0.1, delayMsMax: 1, piecesMax: 2 }

type Accept = (socket: Socket) => SocketHandlers
type Dialled = { readonly from: HostNetwork; readonly name: string; readonly port: number }

const FIRST_PORT = 40_000
const DIAL_MS_MAX = 10_000
const RESET = new Error('connection reset')
const REFUSED = new Error('connection refused')
const UNREACHABLE = new Error('no route to host')
const SILENT = new Error('connection timed out')

export class SimNetwork {
  readonly faults: NetworkFaults = { ...CALM_NETWORK }
  readonly time: VirtualTime
  readonly rng: Rng
  readonly trace: Trace
  /** Whether nothing that one host sends arrives at another. */
  isCut: (from: string, to: string) => boolean = () => false
  /** Whether writes arrive in parts, and what a process had written perhaps after its death, as its kernel sends it. */
  hasKernels = false
  readonly #listeners = new Map<string, { readonly accept: Accept; readonly host: HostNetwork }>()
  readonly #connections = new Set<SimConnection>()
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
      const untilMs = this.time.nowMs + DIAL_MS_MAX
      const knock = (retryMs: number): void => {
        const fail = (error: Error): void => { from.awake(() => { reject(error) }) }
        if (!this.isCut(from.address, name) && !this.isCut(name, from.address)) {
          const socket = this.#connect({ from, name, port }, handlers)
          return socket === null ? fail(REFUSED) : from.awake(() => { resolve(socket) })
        }
        if (retryMs === RETRY_MS.min && this.rng.below(3) === 0) return fail(UNREACHABLE)
        if (this.time.nowMs >= untilMs) return fail(SILENT)
        this.time.after(retryMs, () => { knock(Math.min(2 * retryMs, RETRY_MS.max)) })
      }
      this.time.after(this.delayMs(), () => { knock(RETRY_MS.min) })
    })
  }

  /** Resets each open connection with a chance of `perMille`. */
  resetSome(perMille: number): void {
    for (const connection of [...this.#connections])
      if (this.rng.below(1_000) < perMille) connection.break(RESET, null)
  }

  /** Resets what is open between two hosts. */
  resetBetween(one: string, other: string): void {
    for (const connection of [...this.#connections]) {
      const { client: { host: { address: from } }, server: { host: { address: to } } } = connection
      if ((from === one && to === other) || (from === other && to === one)) connection.break(RESET, null)
    }
  }

  /** A host is dead: the other ends see a reset, or an end behind what is on its way. */
  endOf(host: HostNetwork): void {
    for (const connection of [...this.#connections]) {
      const end = connection.endOn(host)
      if (end === null) continue
      if (this.hasKernels && this.rng.below(2) === 0) end.finish()
      else connection.break(RESET, end)
    }
  }

  #connect({ from, name, port }: Dialled, handlers: SocketHandlers): Socket | null {
    const listener = this.#listeners.get(`${name}:${port}`)
    if (listener === undefined || !from.alive) return null
    const { time, rng, trace, faults, hasKernels: inParts } = this
    const connection = new SimConnection({
      time, rng, trace, faults, inParts, delayMs: () => this.delayMs(), isCut: (one, other) => this.isCut(one, other),
      gone: (closed) => { this.#connections.delete(closed) }
    }, this.#nextId++, from, listener.host)
    this.#connections.add(connection)
    trace.add(`${time.nowMs} connect ${connection.id} ${from.address} ${name}`)
    const { client, server } = connection
    client.handlers = handlers
    listener.host.awake(() => {
      if (!connection.open) return
      const accepted = listener.accept(server)
      if (connection.open) server.handlers = accepted
    })
    return client
  }
}

export class HostNetwork implements Network, End {
  readonly #network: SimNetwork
  readonly address: string
  readonly #kills: (() => void)[] = []
  readonly #asleep: (() => void)[] = [] // what waits until the machine wakes up, in order
  alive = true
  /** How long the machine stands still from now on: nothing arrives before. */
  frozenMs: () => number = () => 0

  constructor(network: SimNetwork, address: string) {
    this.#network = network
    this.address = address
  }

  async listen(host: string, port: number, accept: Accept): Promise<Listening> {
    if (!this.alive) await new Promise(() => {})
    return this.#network.bind(this, host, port, accept)
  }

  connect(host: string, port: number, handlers: SocketHandlers): Promise<Socket> {
    return this.#network.dial(this, host, port, handlers)
  }

  onKill(fn: () => void): void {
    this.#kills.push(fn)
  }

  awake(fn: () => void): void {
    if (!this.alive) return
    if (this.#asleep.length === 0 && this.frozenMs() === 0) return fn()
    this.#asleep.push(fn)
    if (this.#asleep.length === 1) this.#wakeLater()
  }

  /** The machine dies: nothing of it is ever called again. */
  kill(): void {
    this.alive = false
    for (const fn of this.#kills) fn()
    this.#network.endOf(this)
  }

  #wakeLater(): void {
    this.#network.time.after(this.frozenMs(), () => {
      if (this.frozenMs() > 0) return this.#wakeLater()
      while (this.alive && this.#asleep.length > 0) this.#asleep.shift()!()
    })
  }
}
