/**
 * Nodes that call each other over connections in memory. Time is manual; what is to happen soon happens by itself, as in
 * a process, so that a test may simply await a call.
 */
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import { type ClusterSnapshot, type NodeInfo } from '#shared/cluster/membership.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { Ledger, type LedgerRow } from '#shared/ledger/ledger.ts'
import { type Log, silentLog } from '#shared/log/log.ts'
import type { CallVersion } from '#shared/rpc/call-versions.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import { transportSettings, type TransportSettings } from '#shared/transport/config.ts'
import { NetworkTransport } from '#shared/transport/network-transport.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { ManualRuntime } from './manual-runtime.ts'
import { MemoryStreams } from './memory-streams.ts'

export type NodeOptions = {
  readonly settings?: Partial<TransportSettings>
  readonly clusterId?: string
  readonly nodeEpoch?: number
  readonly log?: Log
  readonly protocol?: { readonly min: number; readonly max: number }
  readonly callVersions?: readonly CallVersion[]
}

export type PairOptions = NodeOptions & { readonly pieceBytes?: number; readonly seed?: number }

export const CLUSTER_ID = 'dGhlLWNsdXN0ZXItaXRzZWxm'
const STEP_MS = 10
const STEPS_MAX = 200
const ZONES = ['az0', 'az1', 'az2', 'az3'] as const

export class PairNode {
  readonly info: NodeInfo
  readonly membership: StaticMembership
  readonly transport: NetworkTransport
  isDead = false

  constructor(pair: TransportPair, info: NodeInfo, { settings, clusterId, log, protocol, callVersions }: NodeOptions) {
    this.info = info
    this.membership = new StaticMembership({ ...pair.snapshot(), ...(clusterId === undefined ? {} : { clusterId }) })
    this.transport = new NetworkTransport({
      info, membership: this.membership, memory: pair.memory, ledger: pair.ledger, runtime: pair.runtime, log: log ?? silentLog,
      settings: { ...transportSettings.defaults(), ...settings }, onBug: (error) => { pair.bugs.push(error) },
      dial: (address, handlers) => this.isDead ? Promise.reject(new Error('this node is dead')) : pair.streams.dial(address, handlers),
      ...(protocol === undefined ? {} : { protocol }), ...(callVersions === undefined ? {} : { callVersions })
    })
    pair.streams.listen(info.rpc!.port, (socket) => this.transport.accept(socket))
  }
}

export class TransportPair {
  readonly time: ManualRuntime
  readonly runtime: Runtime
  readonly streams: MemoryStreams
  readonly ledger = new Ledger()
  readonly memory = new MemoryPool({ regionBytes: 2 ** 20, poison: true })
  readonly bugs: unknown[] = []
  readonly #options: PairOptions
  readonly #infos = new Map<number, NodeInfo>() // as the registry has it
  readonly #nodes: PairNode[] = []
  #version = 1
  #nextPort = 7_001
  #soonCount = 0

  constructor(options: PairOptions = {}) {
    this.#options = options
    this.time = new ManualRuntime({ seed: options.seed ?? 1 })
    const { clock, chance, timer } = this.time
    this.runtime = { clock, chance, timer: { after: (ms, fn) => timer.after(ms, fn), soon: (fn) => { this.#soon(fn) } } }
    this.streams = new MemoryStreams(this.runtime.timer)
    this.streams.pieceBytes = options.pieceBytes ?? Infinity
  }

  snapshot(): ClusterSnapshot {
    const nodes = [...this.#infos.values()].sort((a, b) => a.nodeId - b.nodeId)
    return { version: this.#version, clusterId: this.#options.clusterId ?? CLUSTER_ID, shardCount: 1, nodes }
  }

  /** Starts a node; all that live learn of it. */
  start(nodeId: number, options: NodeOptions = {}): PairNode {
    const node = this.startUnannounced(nodeId, options)
    this.announce(nodeId, node.info)
    return node
  }

  /** Starts a node of which the others do not know yet. */
  startUnannounced(nodeId: number, options: NodeOptions = {}): PairNode {
    const nodeEpoch = options.nodeEpoch ?? (this.#infos.get(nodeId)?.nodeEpoch ?? 0) + 1
    const rpc = { host: `node-${nodeId}`, port: this.#nextPort++ }
    const info: NodeInfo = { nodeId, nodeEpoch, zone: ZONES[nodeId]!, roles: { gateway: true, broker: true }, listeners: [], rpc }
    const node = new PairNode(this, info, { ...this.#options, ...options })
    this.#nodes.push(node)
    return node
  }

  /** Makes the registry say something else of a node; undefined: nothing any more. */
  announce(nodeId: number, info: NodeInfo | undefined): void {
    if (info === undefined) this.#infos.delete(nodeId)
    else this.#infos.set(nodeId, info)
    this.publish()
  }

  publish(): void {
    this.#version += 1
    const snapshot = this.snapshot()
    for (const { membership, isDead } of this.#nodes) if (!isDead) membership.set({ ...snapshot, clusterId: membership.current().clusterId })
  }

  /** The process is gone: its connections break, its port is closed. The registry does not know. */
  kill(node: PairNode): void {
    node.isDead = true
    this.streams.unlisten(node.info.rpc!.port)
    for (const connection of this.streams.connections) connection.cut()
  }

  async settle(): Promise<void> {
    for (let quietTurns = 0; quietTurns < 3;) {
      await new Promise((resolve) => { setImmediate(resolve) })
      quietTurns = this.#soonCount === 0 ? quietTurns + 1 : 0
    }
  }

  async advance(ms: number): Promise<void> {
    await this.settle()
    const stepMs = Math.max(STEP_MS, ms / STEPS_MAX)
    for (let left = ms; left > 0; left -= stepMs) {
      await this.time.advance(Math.min(stepMs, left))
      await this.settle()
    }
  }

  rows(): LedgerRow[] {
    return this.ledger.rows()
  }

  close(): void {
    for (const { transport } of this.#nodes) transport.close()
  }

  /** Two nodes, as the conformance suite wants them. */
  running(): {
    a: Transport; b: Transport; bugs: unknown[]; ledger: () => LedgerRow[]; advance: (ms: number) => Promise<void>; settle: () => Promise<void>
    killB: () => Promise<void>; startB: () => Promise<Transport>; close: () => Promise<void>; heldBytes: () => number
    inFlight: () => number
  } {
    const [a, b] = [this.start(1), this.start(2)]
    return {
      a: a.transport, b: b.transport, bugs: this.bugs, ledger: () => this.rows(), advance: (ms) => this.advance(ms), settle: () => this.settle(),
      killB: async () => { this.kill(b); await this.settle() },
      startB: async () => this.start(2).transport,
      close: async () => {
        this.close()
        await this.settle()
      },
      heldBytes: () => this.memory.heldBytes,
      inFlight: () => this.#nodes.reduce((sum, { transport }) => sum + transport.figures().callsOut + transport.figures().callsIn, 0)
    }
  }

  #soon(fn: () => void): void {
    this.#soonCount += 1
    setImmediate(() => {
      this.#soonCount -= 1
      fn()
    })
  }
}
