/**
 * The carrier between nodes of different processes: one stream for each pair of nodes and direction of dialling. Calls
 * go over the stream that this node dialled, and are answered on the one that the caller dialled. A node calls itself
 * without the network.
 */
import assert from 'node:assert/strict'
import type { MemoryPool } from '#shared/binary/memory-pool.ts'
import type { ClusterSnapshot, Membership, NodeInfo } from '#shared/cluster/membership.ts'
import type { Ledger } from '#shared/ledger/ledger.ts'
import type { Log } from '#shared/log/log.ts'
import { CALL_VERSIONS, type CallVersion } from '#shared/rpc/call-versions.ts'
import type { RpcCall } from '#shared/rpc/call.ts'
import { Deadlines } from '#shared/runtime/deadlines.ts'
import type { Socket, SocketHandlers } from '#shared/runtime/network.ts'
import type { Cancel, Runtime } from '#shared/runtime/runtime.ts'
import { AcceptedConnection } from './accepted-connection.ts'
import { type AnyCall, type AnyHandler, unavailable } from './any-call.ts'
import type { TransportSettings } from './config.ts'
import type { PeerIdentity, Self } from './handshake.ts'
import { PROTOCOL } from './handshake-messages.ts'
import { InProcessNetwork } from './in-process.ts'
import { NodeLives } from './node-lives.ts'
import { type Dial, Peer, type PeerParts } from './peer.ts'
import { PeerLog } from './peer-log.ts'
import { PendingCall } from './pending-call.ts'
import { ReceiveMemory } from './receive-memory.ts'
import type { ServingStream } from './serving-stream.ts'
import type { Busy, Served } from './stream-parts.ts'
import type { CallOptions, CallReply, Handler, Transport } from './transport.ts'

export type NetworkTransportParts = {
  readonly info: Pick<NodeInfo, 'nodeId' | 'nodeEpoch' | 'zone'>
  readonly membership: Membership
  readonly dial: Dial
  readonly memory: MemoryPool // of received payload
  readonly ledger: Ledger
  readonly runtime: Runtime
  readonly log: Log
  readonly settings: TransportSettings
  /** Takes what a handler threw that is no ZonewiseError: a bug. Unless given it is thrown, which ends the process. */
  readonly onBug?: (error: unknown) => void
  /** Protocols of frames, where not this version's own. */
  readonly protocol?: { readonly min: number; readonly max: number }
  /** Of calls, where not this version's own. */
  readonly callVersions?: readonly CallVersion[]
}

export type TransportFigures = {
  readonly dialled: number // streams to peers
  readonly accepted: number // streams of peers
  readonly callsOut: number // sent and not answered
  readonly callsIn: number // in work here
  readonly queuedBytes: number
  readonly dialsFailed: number // since the start
  readonly streamsLost: number
}

const DEADLINE_BUCKET_MS = 50

export class NetworkTransport implements Transport {
  readonly nodeId: number
  readonly #parts: PeerParts
  readonly #membership: Membership
  readonly #local: Transport
  readonly #handlers = new Map<number, Served>()
  readonly #deadlines: Deadlines
  readonly #lives: NodeLives
  readonly #peers = new Map<number, Peer>()
  readonly #shaking = new Set<AcceptedConnection>() // have not proven who they are
  readonly #accepted = new Map<number, ServingStream>() // by the caller's nodeId
  readonly #busy = new Set<Busy>()
  readonly #stopWatching: () => void
  #cancelTick: Cancel | null = null
  #isClosed = false

  constructor(parts: NetworkTransportParts) {
    const { info, membership, dial, memory, ledger, runtime, log, settings, onBug } = parts
    const { protocol = PROTOCOL, callVersions = CALL_VERSIONS } = parts
    const { nodeId, nodeEpoch, zone } = info
    const bug = onBug ?? ((error: unknown): void => { runtime.timer.soon(() => { throw error }) })
    const snapshot = membership.current()
    this.nodeId = nodeId
    this.#membership = membership
    this.#local = new InProcessNetwork({ ledger, timer: runtime.timer, onBug: bug }).attach({ nodeId, zone })
    this.#deadlines = new Deadlines(runtime, DEADLINE_BUCKET_MS)
    this.#lives = new NodeLives(snapshot)
    const self: Self = {
      clusterId: snapshot.clusterId, nodeId, nodeEpoch, zone, protocol, chance: runtime.chance,
      secret: settings.rpcSecret, isInsecure: settings.rpcInsecure,
      windowBytes: settings.rpcWindowBytes, messageBytesMax: settings.rpcMessageBytesMax,
      callsMax: settings.rpcCallsMax, callVersions: () => this.#callVersions(callVersions)
    }
    this.#parts = {
      self, dial, lives: this.#lives, peerLog: new PeerLog(log), counts: { dialsFailed: 0, streamsLost: 0 },
      proven: (peer) => { this.#proven(peer) },
      streams: {
        zone, ledger, runtime, log, settings, memory: new ReceiveMemory(memory), handlers: this.#handlers, onBug: bug,
        watch: (busy) => { this.#watch(busy) }
      }
    }
    this.#stopWatching = membership.watch((changed) => { this.#follow(changed) })
  }

  call<Request, Response>(
    node: number, call: RpcCall<Request, Response>, request: Request, options: CallOptions
  ): Promise<CallReply<Response>> {
    if (node === this.nodeId) return this.#local.call(node, call, request, options)
    if (this.#isClosed) return Promise.reject(unavailable('this node is stopping', node, call.name))
    const { signal, payload } = options
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    if (payload !== undefined && payload.length > 0) assert(call.payloadCause !== null)
    const peer = this.#peers.get(node) ?? this.#newPeer(node)
    const pending = new PendingCall(call as unknown as AnyCall, request, options, { node, deadlines: this.#deadlines })
    peer.call(pending)
    return pending.promise as Promise<CallReply<Response>>
  }

  serve<Request, Response>(call: RpcCall<Request, Response>, handler: Handler<Request, Response>): void {
    assert(!this.#handlers.has(call.id))
    assert.equal(call.request.versionMax, call.response.versionMax, 'request and answer have the same versions')
    this.#handlers.set(call.id, { call: call as unknown as AnyCall, handler: handler as unknown as AnyHandler })
    this.#local.serve(call, handler)
  }

  /** Takes a connection that another node opened on the RPC port. */
  accept(socket: Socket): SocketHandlers {
    const connection = new AcceptedConnection(socket, this.#parts, {
      shaken: () => { this.#shaking.delete(connection) },
      opened: (stream) => { this.#opened(stream) },
      ended: (stream) => { this.#ended(stream) }
    })
    const isFull = this.#shaking.size >= this.#parts.streams.settings.rpcHandshakesMax
    this.#shaking.add(connection)
    if (this.#isClosed) connection.refuse('closing')
    else if (isFull) connection.refuse('busy')
    return connection
  }

  figures(): TransportFigures {
    const out = [...this.#peers.values()].map(({ stream }) => stream).filter((stream) => stream !== null)
    const into = [...this.#accepted.values()]
    return {
      dialled: out.length, accepted: into.length,
      callsOut: out.reduce((calls, { callCount }) => calls + callCount, 0),
      callsIn: into.reduce((calls, { callCount }) => calls + callCount, 0),
      queuedBytes: [...out, ...into].reduce((bytes, { queuedBytes }) => bytes + queuedBytes, 0),
      ...this.#parts.counts
    }
  }

  /** Sends what is written already. Calls in flight, to and from this node, fail with RPC_UNAVAILABLE. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stopWatching()
    this.#cancelTick?.()
    for (const connection of [...this.#shaking]) connection.refuse('closing')
    for (const stream of [...this.#accepted.values()]) stream.close('the node is stopping')
    for (const peer of this.#peers.values()) peer.close()
    this.#local.close()
  }

  #newPeer(node: number): Peer {
    const peer = new Peer(node, this.#parts)
    peer.follow(this.#membership.current().nodes.find(({ nodeId }) => nodeId === node))
    if (!peer.isGone) this.#peers.set(node, peer)
    return peer
  }

  #follow(snapshot: ClusterSnapshot): void {
    this.#lives.follow(snapshot)
    const members = new Map(snapshot.nodes.map((info) => [info.nodeId, info]))
    for (const [nodeId, peer] of this.#peers) {
      peer.follow(members.get(nodeId))
      if (peer.isGone) this.#peers.delete(nodeId)
    }
    for (const stream of [...this.#accepted.values()]) this.#endIfOlder(stream)
  }

  #proven({ nodeId, nodeEpoch }: PeerIdentity): void {
    this.#lives.prove(nodeId, nodeEpoch)
    this.#peers.get(nodeId)?.endIfOlder(nodeEpoch)
    const stream = this.#accepted.get(nodeId)
    if (stream !== undefined) this.#endIfOlder(stream)
  }

  #endIfOlder(stream: ServingStream): void {
    const { nodeId, nodeEpoch } = stream.peer
    if (nodeEpoch < this.#lives.newest(nodeId)) stream.end('the caller began a new life')
  }

  #opened(stream: ServingStream): void {
    const { nodeId, nodeEpoch } = stream.peer
    this.#proven(stream.peer)
    if (nodeEpoch < this.#lives.newest(nodeId)) return stream.end('the caller began a new life')
    this.#accepted.get(nodeId)?.end('the caller dialled again')
    this.#accepted.set(nodeId, stream)
  }

  #ended(stream: ServingStream): void {
    const { nodeId } = stream.peer
    if (this.#accepted.get(nodeId) === stream) this.#accepted.delete(nodeId)
  }

  #watch(busy: Busy): void {
    this.#busy.add(busy)
    this.#cancelTick ??= this.#tickLater()
  }

  #tickLater(): Cancel {
    const { runtime, settings } = this.#parts.streams
    return runtime.timer.after(settings.rpcPingMs, () => {
      for (const busy of [...this.#busy]) if (!busy.tick()) this.#busy.delete(busy)
      this.#cancelTick = this.#busy.size === 0 || this.#isClosed ? null : this.#tickLater()
    })
  }

  /** Those told anyway, and what is served besides. */
  #callVersions(told: readonly CallVersion[]): CallVersion[] {
    const served = [...this.#handlers.values()].filter(({ call: { id, request } }) =>
      request.versionMax > 0 && !told.some((one) => one.id === id))
    return [...told, ...served.map(({ call: { id, request } }) => ({ id, versionMax: request.versionMax }))]
  }
}
