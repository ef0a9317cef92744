/** The end of a stream that dialled it: sends requests, takes answers. The other end is serving-stream.ts. */
import { retainAll } from '#shared/binary/memory-pool.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Socket } from '#shared/runtime/network.ts'
import { unavailable } from './any-call.ts'
import { CallCells } from './call-cells.ts'
import { decodeError } from './carried-error.ts'
import { FRAME, frameInvalid, KIND } from './frame.ts'
import { FrameReader, type Head, type MessageSink, type Payload } from './frame-reader.ts'
import type { PeerIdentity } from './handshake.ts'
import { InFlightBytes, isBig } from './in-flight-bytes.ts'
import type { IncomingMessage } from './incoming-message.ts'
import { Outgoing } from './outgoing.ts'
import type { CallOwner, PendingCall } from './pending-call.ts'
import { type Busy, Silence, type StreamParts } from './stream-parts.ts'

/** Who uses a stream. */
export type CallingOwner = {
  streamEnded(stream: CallingStream, reason: string): void
  /** No call is in flight; told within a ping. */
  streamIdle(stream: CallingStream): void
}

export class CallingStream implements MessageSink, CallOwner, Busy {
  readonly peer: PeerIdentity
  readonly #socket: Socket
  readonly #parts: StreamParts
  readonly #out: Outgoing
  readonly #reader: FrameReader
  readonly #cells: CallCells
  readonly #silence: Silence
  readonly #owner: CallingOwner
  readonly #callsMax: number
  readonly #messageBytesMax: number
  readonly #inFlight: InFlightBytes
  readonly #calls: (PendingCall | undefined)[] = [] // by slot, until the last word about each
  readonly #freeSlots: number[] = []
  #callCount = 0
  #isWatched = false
  #hasEnded = false

  constructor(socket: Socket, peer: PeerIdentity, parts: StreamParts, owner: CallingOwner) {
    const { settings, runtime, ledger, zone, memory } = parts
    this.peer = peer
    this.#socket = socket
    this.#parts = parts
    this.#owner = owner
    this.#callsMax = Math.min(settings.rpcCallsMax, peer.callsMax)
    this.#messageBytesMax = Math.min(settings.rpcMessageBytesMax, peer.messageBytesMax)
    this.#inFlight = new InFlightBytes(settings.rpcInFlightBytesMax)
    this.#silence = new Silence(settings)
    this.#cells = new CallCells(ledger, { from: zone, to: peer.zone })
    const { windowBytes } = peer
    this.#out = new Outgoing({ socket, timer: runtime.timer, windowBytes, cell: this.#cells.stream, onRoom: () => {} })
    this.#reader = new FrameReader(this, memory, {
      kinds: [KIND.answer, KIND.error, KIND.cancelled, KIND.more, KIND.ping],
      slotsMax: this.#callsMax, messageBytesMax: settings.rpcMessageBytesMax, windowBytes: settings.rpcWindowBytes
    })
  }

  get callCount(): number {
    return this.#callCount
  }

  get queuedBytes(): number {
    return this.#out.queuedBytes
  }

  /** Sends a call, or fails it: too many are in flight, or it cannot be encoded. */
  send(pending: PendingCall): void {
    const { call } = pending
    const { nodeId, callVersions } = this.peer
    const { versionMin, versionMax } = call.request
    const version = Math.min(versionMax, callVersions.get(call.id) ?? 0)
    if (version < versionMin) return pending.fail(unavailable('peer is too old for the call', nodeId, call.name))
    const inFlight = this.#inFlight
    if (inFlight.areSmallFull) return this.#overloaded(pending, 'rpcInFlightBytesMax')
    if (this.#callCount >= this.#callsMax) return this.#overloaded(pending, 'rpcCallsMax')
    const slot = this.#freeSlots.pop() ?? this.#calls.length
    const cells = this.#cells.of(call)
    pending.prepare(slot, version, cells)
    retainAll(pending.buffers) // the call may be over before they have left
    try {
      const bytesMax = inFlight.areBigFull ? FRAME.dataBytesMax : this.#messageBytesMax
      pending.bytes = this.#out.send(KIND.request, pending, bytesMax)
    } catch (error) {
      this.#freeSlots.push(slot)
      return pending.fail(error)
    }
    this.#calls[slot] = pending
    if (pending.bytes < 0) {
      pending.bytes = 0
      this.#freeSlot(slot)
      return this.#overloaded(pending, inFlight.areBigFull ? 'rpcInFlightBytesMax' : 'rpcMessageBytesMax')
    }
    pending.ownedBy(this)
    cells.head.requests += 1
    inFlight.add(pending.bytes)
    this.#callCount += 1
    if (!this.#isWatched) {
      this.#isWatched = true
      this.#silence.heard()
      this.#parts.watch(this)
    }
  }

  data(bytes: Uint8Array): void {
    this.#silence.heard()
    try {
      this.#reader.push(bytes)
    } catch (error) {
      if (!(error instanceof ZonewiseError)) throw error
      const { nodeId: node } = this.peer
      this.#parts.log.error('a peer breaks the rules of frames', { node, reason: error.message, ...error.context })
      this.end('the peer broke the rules of frames')
    }
  }

  drain(): void {
    this.#out.flush()
  }

  /** The socket is gone. */
  closed(reason: string): void {
    this.end(reason)
    this.#out.closed()
  }

  /** Ends the stream at once: calls in flight fail with RPC_UNAVAILABLE. */
  end(reason: string): void {
    if (this.#hasEnded) return
    this.#socket.destroy()
    this.#failAll(reason)
  }

  /** Sends what was asked, for its own sake, then ends. */
  close(reason: string): void {
    if (this.#hasEnded) return
    this.#out.flush()
    this.#socket.end()
    this.#failAll(reason)
  }

  tick(): boolean {
    if (this.#hasEnded || this.#callCount === 0) {
      this.#isWatched = false
      if (!this.#hasEnded) this.#owner.streamIdle(this)
      return false
    }
    if (this.#silence.tick()) {
      this.end('the peer is silent')
      return false
    }
    this.#out.ping()
    return true
  }

  givenUp(pending: PendingCall, reason: number): void {
    if (this.#hasEnded) return
    const { slot } = pending
    if (isBig(pending.bytes) && this.#out.takeBack(slot) === 'unsent') return this.#done(slot, pending)
    this.#out.cancel(slot, reason, pending.headCell)
    this.#reader.drop(slot)
  }

  begins({ slot }: IncomingMessage): boolean {
    return !this.#callOf(slot).isSettled
  }

  message({ kind, slot }: IncomingMessage, head: Head, payload: Payload): void {
    const pending = this.#callOf(slot)
    this.#done(slot, pending)
    if (kind === KIND.error) pending.fail(decodeError(head.memory.subarray(head.start, head.end)))
    else pending.answered(head, payload)
  }

  /** The answer was on its way when its call was given up: it was the last word. */
  dropped(slot: number): void {
    this.#done(slot, this.#callOf(slot))
  }

  cancel(): void {
    throw frameInvalid('a caller is asked to cancel')
  }

  cancelled(slot: number): void {
    const pending = this.#callOf(slot)
    if (!pending.isSettled) throw frameInvalid('a call is cancelled that nobody gave up', { slot })
    this.#reader.forget(slot)
    this.#done(slot, pending)
  }

  #failAll(reason: string): void {
    this.#hasEnded = true
    this.#reader.stop()
    this.#out.close()
    this.#owner.streamEnded(this, reason)
    for (const pending of this.#calls) pending?.fail(unavailable(reason, this.peer.nodeId, pending.call.name))
    this.#calls.length = 0
    this.#callCount = 0
  }

  #callOf(slot: number): PendingCall {
    const pending = this.#calls[slot]
    if (pending === undefined) throw frameInvalid('an answer to no call', { slot })
    return pending
  }

  /** The last word about a call. */
  #done(slot: number, pending: PendingCall): void {
    this.#freeSlot(slot)
    this.#callCount -= 1
    this.#inFlight.remove(pending.bytes)
  }

  #freeSlot(slot: number): void {
    this.#calls[slot] = undefined
    this.#freeSlots.push(slot)
  }

  #overloaded(pending: PendingCall, setting: 'rpcInFlightBytesMax' | 'rpcCallsMax' | 'rpcMessageBytesMax'): void {
    const context = { node: this.peer.nodeId, call: pending.call.name, setting, max: this.#parts.settings[setting] }
    pending.fail(new ZonewiseError('OVERLOADED', 'too much is on its way to the peer', context))
  }
}
