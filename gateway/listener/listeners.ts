/** The listeners of a gateway: binds them, keeps the bound of connections, ends idle ones, drains at stop. */
import type { ListenerInfo } from '#shared/cluster/membership.ts'
import type { Listening, Network, Socket, SocketHandlers } from '#shared/runtime/network.ts'
import type { Cancel } from '#shared/runtime/runtime.ts'
import type { GatewayServices } from '../api/handler.ts'
import type { ServedTable } from '../api/served-table.ts'
import type { ListenerMetrics } from '../metrics.ts'
import type { ConnectedClient } from '../zone/farewell.ts'
import { Client } from './client.ts'
import { Connection, type ConnectionHost } from './connection.ts'
import type { FrameArena } from './frame-arena.ts'
import { LimitedLog } from '#shared/log/limited-log.ts'
import { NodeBytes } from './node-bytes.ts'

const SWEEPS_A_SPAN = 4 // an idle connection lives at most a quarter longer than its time
const SWEEP_MS_MAX = 10_000
const TEND_MS = 250
const SLOW_MS = 500 // an answer that has waited for so long is not kept in memory

const CLOSED_AT_ONCE: SocketHandlers = { data() {}, drain() {}, closed() {} }

export class Listeners implements ConnectionHost {
  readonly services: GatewayServices
  readonly table: ServedTable
  readonly arena: FrameArena
  readonly bytes: NodeBytes
  readonly refusals: LimitedLog
  readonly metrics: ListenerMetrics
  readonly #network: Network
  readonly #connections = new Set<Connection>()
  #listening: Listening[] = []
  #nextConnection = 1
  #cancelSweep: Cancel = () => {}
  #cancelTending: Cancel = () => {}
  #stopping = false
  #allClosed: (() => void) | null = null

  constructor(services: GatewayServices, table: ServedTable, network: Network, metrics: ListenerMetrics) {
    this.services = services
    this.table = table
    this.arena = services.ingest.arena
    this.#network = network
    this.metrics = metrics
    this.bytes = new NodeBytes(services.settings.inFlightBytesMax, this.metrics.requestBytes)
    this.refusals = new LimitedLog(services.log, services.runtime.clock)
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** The clients that have said who they are, one a connection. */
  connected(): ConnectedClient[] {
    const clients: ConnectedClient[] = []
    for (const { client: { host, clientId, zone, isKnown } } of this.#connections)
      if (isKnown) clients.push({ host, clientId: clientId ?? '', zone })
    return clients
  }

  /**
   * Binds all listeners and returns them with the ports bound: `port` 0 is replaced, and an `advertisedPort` of 0 is
   * the port bound. @throws ZonewiseError PORT_IN_USE, with nothing left bound.
   */
  async start(listeners: readonly ListenerInfo[]): Promise<ListenerInfo[]> {
    const bound: ListenerInfo[] = []
    try {
      for (const listener of listeners) bound.push(await this.#bind(listener))
    } catch (error) {
      await this.#closeListening()
      throw error
    }
    this.#sweepLater()
    this.#tendLater()
    return bound
  }

  /** Ends the connections on which nothing has happened for `idleMs`. */
  endIdle(idleMs: number): void {
    for (const connection of [...this.#connections]) connection.endIfIdle(idleMs)
  }

  /** Accepts nothing more, answers what is in work for at most `stopDrainMs`, and ends all connections. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#cancelSweep()
    this.#cancelTending()
    const { settings, runtime } = this.services
    const unbound = this.#closeListening()
    for (const connection of [...this.#connections]) connection.finish()
    if (this.#connections.size > 0) {
      const drained = new Promise<void>((resolve) => { this.#allClosed = resolve })
      const cancel = runtime.timer.after(settings.stopDrainMs, () => {
        for (const connection of [...this.#connections]) connection.destroy()
      })
      await drained
      cancel()
    }
    await unbound
  }

  closed(connection: Connection): void {
    if (this.#connections.delete(connection)) this.metrics.connections.add(-1)
    this.bytes.forget(connection)
    if (this.#connections.size === 0) this.#allClosed?.()
  }

  async #bind(listener: ListenerInfo): Promise<ListenerInfo> {
    // Connections come in before `listen` resolves only in theory; they see the ports as announced all the same.
    let announced = listener
    const listening = await this.#network.listen(listener.host, listener.port, (socket) => this.#accept(socket, announced))
    this.#listening.push(listening)
    const { port } = listening
    announced = { ...listener, port, advertisedPort: listener.advertisedPort === 0 ? port : listener.advertisedPort }
    return announced
  }

  #accept(socket: Socket, listener: ListenerInfo): SocketHandlers {
    const { settings, nodeId, nodeEpoch } = this.services
    if (this.#stopping || this.#connections.size >= settings.connectionsMax) {
      if (!this.#stopping) {
        this.metrics.refusals.add(1)
        this.refusals.warn('client connection closed', { reason: 'too many connections', connectionsMax: settings.connectionsMax })
      }
      socket.destroy()
      return CLOSED_AT_ONCE
    }
    const connectionId = `${nodeId}-${nodeEpoch}-${this.#nextConnection++}`
    const connection = new Connection(this, socket, new Client(this.services, listener, connectionId, socket.remoteAddress))
    this.#connections.add(connection)
    this.metrics.connections.add(1)
    return connection
  }

  async #closeListening(): Promise<void> {
    const listening = this.#listening
    this.#listening = []
    await Promise.all(listening.map((each) => each.close()))
  }

  #sweepLater(): void {
    const { settings: { connectionsMaxIdleMs }, runtime } = this.services
    this.#cancelSweep = runtime.timer.after(Math.min(SWEEP_MS_MAX, connectionsMaxIdleMs / SWEEPS_A_SPAN), () => {
      this.endIdle(connectionsMaxIdleMs)
      this.#sweepLater()
    })
  }

  /** Looks after the answers of clients that are slow to read them. */
  #tendLater(): void {
    this.#cancelTending = this.services.runtime.timer.after(TEND_MS, () => {
      for (const connection of this.#connections) connection.letGoOfOldAnswers(SLOW_MS)
      if (this.services.answerBytes.isTight) this.#closeStalled()
      this.#tendLater()
    })
  }

  /** Memory for answers is short: who has read nothing for longest gives way. The client comes back and asks again. */
  #closeStalled(): void {
    const { answerBytes, settings: { answerStallMs } } = this.services
    const stalled = [...this.#connections].map((connection) => ({ connection, ms: connection.stalledMs() }))
      .filter(({ ms }) => ms >= answerStallMs).sort((a, b) => b.ms - a.ms)
    for (const { connection } of stalled) {
      if (!answerBytes.isTight) return
      connection.giveUp()
    }
  }
}
