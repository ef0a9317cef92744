/**
 * The product's streams between nodes, for one life of a node: over the sockets of the simulation, on a port that is
 * the same in all its lives. The HTTP upgrade, which only opens the connections, stays outside.
 */
import type { MemoryPool } from '#shared/binary/memory-pool.ts'
import type { Membership, NodeAddress, NodeInfo } from '#shared/cluster/membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Ledger } from '#shared/ledger/ledger.ts'
import type { Log } from '#shared/log/log.ts'
import type { Socket, SocketHandlers } from '#shared/runtime/network.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { TransportSettings } from '#shared/transport/config.ts'
import { NetworkTransport } from '#shared/transport/network-transport.ts'
import type { HostNetwork } from '../engine/sim-network.ts'
import { hostOf } from './machine.ts'

export type LifeStreamsParts = {
  readonly host: HostNetwork
  readonly runtime: Runtime
  readonly settings: TransportSettings
}

export type StreamsParts = {
  readonly info: NodeInfo; readonly membership: Membership; readonly memory: MemoryPool; readonly ledger: Ledger
  readonly log: Log; readonly onBug: (error: unknown) => void
}

const PORT = 7_092
const NOBODY: SocketHandlers = { data() {}, drain() {}, closed() {} }

/** Where the streams of a node are dialled. */
export function rpcOf(nodeId: number): NodeAddress {
  return { host: hostOf(nodeId), port: PORT }
}

export class LifeStreams {
  readonly #parts: LifeStreamsParts
  #transport: NetworkTransport | null = null

  constructor(parts: LifeStreamsParts) {
    this.#parts = parts
  }

  /** Takes connections: ends them, while the node starts. */
  async listen(nodeId: number): Promise<void> {
    const { host, port } = rpcOf(nodeId)
    await this.#parts.host.listen(host, port, (socket) => {
      if (this.#transport !== null) return this.#transport.accept(socket)
      socket.end()
      return NOBODY
    })
  }

  open(parts: StreamsParts): NetworkTransport {
    const { runtime, settings } = this.#parts
    this.#transport = new NetworkTransport({ ...parts, runtime, settings, dial: this.dial })
    return this.#transport
  }

  readonly dial = (address: NodeAddress, handlers: SocketHandlers): Promise<Socket> => {
    const { host, runtime, settings: { rpcDialTimeoutMs } } = this.#parts
    return new Promise((resolve, reject) => {
      let isLate = false
      const fail = (why: unknown): void => {
        reject(new ZonewiseError('RPC_UNAVAILABLE', 'cannot open a stream to a node', { ...address }, why))
      }
      const cancel = runtime.timer.after(rpcDialTimeoutMs, () => {
        isLate = true
        fail(new Error('not connected in time'))
      })
      host.connect(address.host, address.port, handlers).then((socket) => {
        cancel()
        if (isLate) socket.destroy()
        else resolve(socket)
      }, (error: unknown) => {
        cancel()
        fail(error)
      })
    })
  }
}
