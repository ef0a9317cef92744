/**
 * The way to one peer: dials it when it is called, and again after it was lost. While it cannot be reached calls fail
 * at once, but for one now and then that tries. A new life or another address of the peer ends what leads to the old.
 */
import type { NodeInfo, NodeAddress } from '#shared/cluster/membership.ts'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Socket, SocketHandlers } from '#shared/runtime/network.ts'
import type { Cancel } from '#shared/runtime/runtime.ts'
import { unavailable } from './any-call.ts'
import { CallingStream, type CallingOwner } from './calling-stream.ts'
import { DiallingHandshake, type HandshakeEnd, type PeerIdentity, type Self } from './handshake.ts'
import { type Refusal, REFUSALS } from './handshake-messages.ts'
import type { NodeLives } from './node-lives.ts'
import type { PeerLog } from './peer-log.ts'
import type { PendingCall } from './pending-call.ts'
import type { StreamParts } from './stream-parts.ts'

/** Opens a connection to a node's RPC port; `handlers` hear of its bytes. */
export type Dial = (address: NodeAddress, handlers: SocketHandlers) => Promise<Socket>

export type PeerParts = {
  readonly self: Self
  readonly dial: Dial
  readonly lives: NodeLives
  readonly peerLog: PeerLog
  readonly counts: { dialsFailed: number; streamsLost: number }
  readonly streams: StreamParts
  /** A node has proven who it is. */
  proven(peer: PeerIdentity): void
}

type Target = { readonly address: NodeAddress; readonly nodeEpoch: number; readonly zone: string }

export class Peer implements CallingOwner {
  readonly nodeId: number
  readonly #parts: PeerParts
  #target: Target | null = null
  #attempt: Attempt | null = null
  #stream: CallingStream | null = null
  #streamTarget: Target | null = null
  #provenMs = 0
  #waiting: PendingCall[] = [] // for the attempt
  #failures = 0
  #retryAtMs = 0
  #why = ''

  constructor(nodeId: number, parts: PeerParts) {
    this.nodeId = nodeId
    this.#parts = parts
  }

  get stream(): CallingStream | null {
    return this.#stream
  }

  /** Whether there is nothing left of it. */
  get isGone(): boolean {
    return this.#target === null && this.#stream === null
  }

  call(pending: PendingCall): void {
    const { streams: { settings } } = this.#parts
    if (this.#target === null) return pending.fail(unavailable('node is not there', this.nodeId, pending.call.name))
    if (this.#stream !== null) return this.#stream.send(pending)
    if (this.#attempt === null && this.#nowMs() < this.#retryAtMs) return pending.fail(this.#unreachable(pending))
    if (this.#waiting.length >= settings.rpcCallsMax) {
      const context = { node: this.nodeId, call: pending.call.name, setting: 'rpcCallsMax', max: settings.rpcCallsMax }
      return pending.fail(new ZonewiseError('OVERLOADED', 'too many calls wait for a connection', context))
    }
    pending.wait()
    this.#waiting.push(pending)
    if (this.#attempt === null) this.#dial(this.#target)
  }

  /** Follows the membership: undefined where it names the node no more. Calls in flight to such a node go on. */
  follow(info: NodeInfo | undefined): void {
    const before = this.#target
    this.#target = info?.rpc === undefined ? null : { address: info.rpc, nodeEpoch: info.nodeEpoch, zone: info.zone }
    const target = this.#target
    if (target === null) {
      this.#giveUpAttempt()
      this.#failWaiting('node is not there any more')
      if (this.#stream?.callCount === 0) this.#stream.end('node is not there any more')
      return
    }
    if (before !== null && isSameAddress(before, target) && before.nodeEpoch === target.nodeEpoch) return
    this.endIfOlder(target.nodeEpoch)
    const used = this.#streamTarget
    if (used !== null && !isSameAddress(used, target)) this.#stream?.end('the peer has another address')
    this.#failures = 0
    this.#retryAtMs = 0
    if (this.#attempt === null) return
    this.#giveUpAttempt()
    this.#dial(target)
  }

  /** A life of the peer is known to be the newest. */
  endIfOlder(nodeEpoch: number): void {
    if (this.#stream !== null && this.#stream.peer.nodeEpoch < nodeEpoch) this.#stream.end('the peer began a new life')
  }

  close(): void {
    this.#target = null
    this.#giveUpAttempt()
    this.#failWaiting('this node is stopping')
    this.#stream?.close('this node is stopping')
  }

  streamEnded(stream: CallingStream, reason: string): void {
    if (stream !== this.#stream) return
    this.#stream = null
    this.#streamTarget = null
    const { streams, peerLog, counts } = this.#parts
    counts.streamsLost += 1
    if (this.#nowMs() - this.#provenMs < streams.settings.rpcReconnectMaxMs) this.#backOff(reason)
    else this.#failures = 0
    if (this.#target === null) return
    peerLog.info(this.#key, 'the connection to a peer is lost', { node: this.nodeId, reason })
  }

  streamIdle(stream: CallingStream): void {
    if (this.#target === null) stream.end('node is not there any more')
  }

  /** Of the attempt under way. */
  proven(attempt: Attempt, socket: Socket, identity: PeerIdentity): CallingStream | null {
    if (attempt !== this.#attempt) return null
    const { streams, peerLog } = this.#parts
    this.#attempt = null
    this.#provenMs = this.#nowMs()
    const stream = new CallingStream(socket, identity, streams, this)
    this.#stream = stream
    this.#streamTarget = attempt.target
    this.#parts.proven(identity)
    const { nodeEpoch, zone, protocol } = identity
    const { address } = attempt.target
    peerLog.info(this.#key, 'a peer can be called', { node: this.nodeId, nodeEpoch, zone, protocol, ...address })
    const waiting = this.#waiting
    this.#waiting = []
    for (const pending of waiting) if (!pending.isSettled) stream.send(pending)
    return stream
  }

  refused(attempt: Attempt, refusal: Refusal, by: 'this' | 'peer'): void {
    if (attempt !== this.#attempt) return
    const state = by === 'this' ? 'a peer is refused' : 'a peer refuses this node'
    this.#parts.peerLog.refused(this.#key, state, refusal, { node: this.nodeId, ...attempt.target.address })
    this.#attemptFailed(REFUSALS[refusal].sentence)
  }

  failed(attempt: Attempt, reason: string): void {
    if (attempt !== this.#attempt) return
    const { address } = attempt.target
    this.#parts.peerLog.warn(this.#key, 'a peer cannot be reached', { node: this.nodeId, ...address, reason })
    this.#attemptFailed(reason)
  }

  get #key(): string {
    return `call ${this.nodeId}`
  }

  #nowMs(): number {
    return this.#parts.streams.runtime.clock.monotonicMs()
  }

  #dial(target: Target): void {
    this.#attempt = new Attempt(this, target, this.#parts)
    this.#attempt.start()
  }

  #attemptFailed(reason: string): void {
    this.#parts.counts.dialsFailed += 1
    this.#attempt = null
    this.#backOff(reason)
    this.#failWaiting(reason)
  }

  /** Waits longer each time, with a share of chance: peers must not come back all at once. */
  #backOff(why: string): void {
    const { settings: { rpcReconnectMinMs, rpcReconnectMaxMs }, runtime: { chance } } = this.#parts.streams
    const longestMs = Math.min(rpcReconnectMaxMs, rpcReconnectMinMs * 2 ** Math.min(this.#failures, 20))
    this.#failures += 1
    this.#why = why
    this.#retryAtMs = this.#nowMs() + longestMs / 2 + chance.below(Math.ceil(longestMs / 2) + 1)
  }

  #unreachable({ call }: PendingCall): ZonewiseError {
    const context = { node: this.nodeId, call: call.name, reason: this.#why }
    return new ZonewiseError('RPC_UNAVAILABLE', 'peer cannot be reached', context)
  }

  #failWaiting(reason: string): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#why = reason
    for (const pending of waiting) pending.fail(this.#unreachable(pending))
  }

  #giveUpAttempt(): void {
    const attempt = this.#attempt
    this.#attempt = null
    attempt?.abandon()
  }
}

/** One try to reach a peer, and then the ears of its stream. */
class Attempt implements SocketHandlers, HandshakeEnd {
  readonly target: Target
  readonly #peer: Peer
  readonly #parts: PeerParts
  #socket: Socket | null = null
  #handshake: DiallingHandshake | null = null
  #stream: CallingStream | null = null
  #cancelTimeout: Cancel | null = null
  #isOver = false // proven, failed, refused or abandoned

  constructor(peer: Peer, target: Target, parts: PeerParts) {
    this.#peer = peer
    this.target = target
    this.#parts = parts
  }

  start(): void {
    const { dial, streams: { runtime, settings } } = this.#parts
    this.#cancelTimeout = runtime.timer.after(settings.rpcDialTimeoutMs, () => { this.#fail('no answer in time') })
    const connected = (socket: Socket): void => { this.#connected(socket) }
    dial(this.target.address, this).then(connected, (error: unknown) => { this.#fail(reasonOf(error)) })
  }

  /** Nobody cares for it any more. */
  abandon(): void {
    this.#over()
    this.#socket?.destroy()
  }

  data(bytes: Uint8Array): void {
    if (this.#stream !== null) this.#stream.data(bytes)
    else this.#handshake?.data(bytes)
  }

  drain(): void {
    this.#stream?.drain()
  }

  closed(error: Error | null): void {
    const reason = error === null ? 'the connection was closed' : `the connection broke: ${error.message}`
    if (this.#stream !== null) this.#stream.closed(reason)
    else this.#fail(reason)
  }

  proven(identity: PeerIdentity, rest: Uint8Array): void {
    this.#over()
    this.#stream = this.#peer.proven(this, this.#socket!, identity)
    if (rest.length > 0) this.#stream?.data(rest)
  }

  refused(refusal: Refusal, by: 'this' | 'peer'): void {
    if (this.#isOver) return
    this.#over()
    this.#peer.refused(this, refusal, by)
  }

  #connected(socket: Socket): void {
    if (this.#isOver) {
      socket.destroy()
      return
    }
    const { self, lives } = this.#parts
    const { nodeId } = this.#peer
    this.#socket = socket
    this.#handshake = new DiallingHandshake(self, socket, this, { nodeId, epochMin: () => lives.newest(nodeId) })
    this.#handshake.start()
  }

  #over(): void {
    this.#isOver = true
    this.#cancelTimeout?.()
    const { ledger, zone } = this.#parts.streams
    ledger.add(zone, this.target.zone, 'stream', this.#handshake?.sentBytes ?? 0, 0)
  }

  #fail(reason: string): void {
    if (this.#isOver) return
    this.abandon()
    this.#peer.failed(this, reason)
  }
}

function isSameAddress(one: Target, other: Target): boolean {
  return one.address.host === other.address.host && one.address.port === other.address.port
}

function reasonOf(error: unknown): string {
  return error instanceof ZonewiseError && error.cause instanceof Error ? error.cause.message : explain(error)
}
