/** A connection that another node opened: its handshake, then the ears of its stream. */
import type { Socket, SocketHandlers } from '#shared/runtime/network.ts'
import type { Cancel } from '#shared/runtime/runtime.ts'
import { DialledHandshake, type HandshakeEnd, type PeerIdentity } from './handshake.ts'
import type { Refusal } from './handshake-messages.ts'
import type { PeerParts } from './peer.ts'
import { ServingStream } from './serving-stream.ts'

export type AcceptedOwner = {
  /** The handshake is over, one way or the other. */
  shaken(): void
  opened(stream: ServingStream): void
  ended(stream: ServingStream): void
}

export class AcceptedConnection implements SocketHandlers, HandshakeEnd {
  readonly #socket: Socket
  readonly #parts: PeerParts
  readonly #owner: AcceptedOwner
  readonly #handshake: DialledHandshake
  readonly #cancelTimeout: Cancel
  #stream: ServingStream | null = null
  #isShaken = false

  constructor(socket: Socket, parts: PeerParts, owner: AcceptedOwner) {
    const { self, lives, streams: { runtime, settings } } = parts
    this.#socket = socket
    this.#parts = parts
    this.#owner = owner
    this.#handshake = new DialledHandshake(self, socket, this, (nodeId) => lives.newest(nodeId))
    // Also of one that was refused, and whose other end stays open.
    this.#cancelTimeout = runtime.timer.after(settings.rpcDialTimeoutMs, () => { socket.destroy() })
  }

  refuse(refusal: Refusal): void {
    this.#handshake.refuse(refusal)
  }

  data(bytes: Uint8Array): void {
    if (this.#stream !== null) this.#stream.data(bytes)
    else this.#handshake.data(bytes)
  }

  drain(): void {
    this.#stream?.drain()
  }

  closed(error: Error | null): void {
    this.#cancelTimeout()
    this.#shaken(null)
    this.#stream?.closed(error === null ? 'the caller closed the connection' : `the connection broke: ${error.message}`)
  }

  proven(peer: PeerIdentity, rest: Uint8Array): void {
    const { self, streams, peerLog } = this.#parts
    this.#cancelTimeout()
    this.#shaken(peer)
    const stream = new ServingStream(this.#socket, self.nodeId, peer, streams, (ended) => { this.#owner.ended(ended) })
    this.#stream = stream
    const { nodeId, nodeEpoch, zone, protocol } = peer
    const { remoteAddress: address } = this.#socket
    peerLog.info(`serve ${nodeId}`, 'a peer may call', { node: nodeId, nodeEpoch, zone, protocol, address })
    this.#owner.opened(stream)
    if (rest.length > 0) stream.data(rest)
  }

  refused(refusal: Refusal, by: 'this' | 'peer', claimed: number | null): void {
    this.#shaken(null)
    const address = this.#socket.remoteAddress
    const state = by === 'this' ? 'a node that calls is refused' : 'a node that calls refuses this node'
    this.#parts.peerLog.refused(`serve ${claimed ?? address}`, state, refusal, { node: claimed, address })
  }

  #shaken(peer: PeerIdentity | null): void {
    if (this.#isShaken) return
    this.#isShaken = true
    const { ledger, zone } = this.#parts.streams
    ledger.add(zone, peer?.zone ?? 'unknown', 'stream', this.#handshake.sentBytes, 0)
    this.#owner.shaken()
  }
}
