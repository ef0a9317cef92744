/** Nodes that call each other over real sockets of this machine, opened as in production by an upgrade of HTTP. */
import { serveHttp, type HttpServer } from '#cli/http/http-server.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { newRpcDial } from '#cli/platform/rpc-dial.ts'
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import type { ClusterSnapshot, NodeInfo } from '#shared/cluster/membership.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { type Log, silentLog } from '#shared/log/log.ts'
import { transportSettings, type TransportSettings } from '#shared/transport/config.ts'
import { NetworkTransport } from '#shared/transport/network-transport.ts'

const HOST = '127.0.0.1'
const DIAL_TIMEOUT_MS = 3_000

export type LoopbackNode = { readonly info: NodeInfo; readonly transport: NetworkTransport; readonly http: HttpServer; readonly membership: StaticMembership }

export class LoopbackPair {
  readonly ledger = new Ledger()
  readonly memory = new MemoryPool({ regionBytes: 2 ** 20, poison: true })
  readonly bugs: unknown[] = []
  readonly #settings: TransportSettings
  readonly #log: Log
  readonly #infos = new Map<number, NodeInfo>()
  readonly #nodes: LoopbackNode[] = []
  #version = 1

  constructor(settings: Partial<TransportSettings> = {}, log: Log = silentLog) {
    this.#settings = { ...transportSettings.defaults(), ...settings }
    this.#log = log
  }

  async start(nodeId: number): Promise<LoopbackNode> {
    const http = await serveHttp({ host: HOST, port: 0, runtime: nodeRuntime })
    const info: NodeInfo = {
      nodeId, nodeEpoch: (this.#infos.get(nodeId)?.nodeEpoch ?? 0) + 1, zone: `az${nodeId}`, roles: { gateway: true, broker: true }, listeners: [],
      rpc: { host: HOST, port: http.port }
    }
    this.#infos.set(nodeId, info)
    const membership = new StaticMembership(this.#snapshot())
    const transport = new NetworkTransport({
      info, membership, dial: newRpcDial(DIAL_TIMEOUT_MS), memory: this.memory, ledger: this.ledger, runtime: nodeRuntime, log: this.#log, settings: this.#settings,
      onBug: (error) => { this.bugs.push(error) }
    })
    http.attachRpc((socket) => transport.accept(socket))
    const node = { info, transport, http, membership }
    this.#nodes.push(node)
    this.#version += 1
    for (const one of this.#nodes) one.membership.set(this.#snapshot())
    return node
  }

  /** Calls that the nodes remember. */
  inFlight(): number {
    return this.#nodes.reduce((sum, { transport }) => sum + transport.figures().callsOut + transport.figures().callsIn, 0)
  }

  async close(): Promise<void> {
    for (const { transport, http } of this.#nodes) {
      transport.close()
      await http.close()
    }
  }

  #snapshot(): ClusterSnapshot {
    return { version: this.#version, clusterId: 'bG9vcGJhY2s', shardCount: 1, nodes: [...this.#infos.values()].sort((a, b) => a.nodeId - b.nodeId) }
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}
