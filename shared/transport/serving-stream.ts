/** The end of a stream that was dialled: hands requests to their handlers, sends the answers. */
import assert from 'node:assert/strict'
import { release, releaseAll } from '#shared/binary/memory-pool.ts'
import { decodeMessage, type Message } from '#shared/binary/message.ts'
import { Reader } from '#shared/binary/reader.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { LedgerCell } from '#shared/ledger/ledger.ts'
import type { Socket } from '#shared/runtime/network.ts'
import { isAbort, isWithPayload, NO_PAYLOAD, payloadCause, unavailable } from './any-call.ts'
import { CallCells } from './call-cells.ts'
import { ErrorAnswer } from './error-answer.ts'
import { CANCEL, frameInvalid, KIND } from './frame.ts'
import { FrameReader, type Head, type MessageSink, type Payload } from './frame-reader.ts'
import type { PeerIdentity } from './handshake.ts'
import { InFlightBytes } from './in-flight-bytes.ts'
import type { IncomingMessage } from './incoming-message.ts'
import { Outgoing } from './outgoing.ts'
import { ServedCall } from './served-call.ts'
import { type Busy, type Served, Silence, type StreamParts } from './stream-parts.ts'

export type ServingEnd = (stream: ServingStream, reason: string) => void

/** A request that waits for answer bytes to leave. */
type PutOff = { readonly served: ServedCall; readonly by: Served; readonly request: unknown }

export class ServingStream implements MessageSink, Busy {
  readonly peer: PeerIdentity
  readonly #nodeId: number
  readonly #socket: Socket
  readonly #parts: StreamParts
  readonly #out: Outgoing
  readonly #reader: FrameReader
  readonly #cells: CallCells
  readonly #silence: Silence
  readonly #onEnd: ServingEnd
  readonly #messageBytesMax: number
  readonly #calls: (ServedCall | undefined)[] = [] // by slot, until answered or cancelled
  #callCount = 0
  #workCount = 0 // requests taken on and not handled to the end, also of calls that were cancelled
  readonly #workBytes: InFlightBytes // of these requests
  #putOff: PutOff[] = []
  #tickCount = 0
  #isWatched = false
  #hasEnded = false

  constructor(socket: Socket, nodeId: number, peer: PeerIdentity, parts: StreamParts, onEnd: ServingEnd) {
    const { settings, runtime, ledger, zone, memory } = parts
    this.peer = peer
    this.#nodeId = nodeId
    this.#socket = socket
    this.#parts = parts
    this.#onEnd = onEnd
    this.#messageBytesMax = Math.min(settings.rpcMessageBytesMax, peer.messageBytesMax)
    this.#workBytes = new InFlightBytes(settings.rpcInFlightBytesMax)
    this.#silence = new Silence(settings)
    this.#cells = new CallCells(ledger, { from: zone, to: peer.zone })
    this.#out = new Outgoing({
      socket, timer: runtime.timer, windowBytes: peer.windowBytes, cell: this.#cells.stream,
      onRoom: () => { this.#goOn() }
    })
    this.#reader = new FrameReader(this, memory, {
      kinds: [KIND.request, KIND.cancel, KIND.more, KIND.ping],
      slotsMax: settings.rpcCallsMax, messageBytesMax: settings.rpcMessageBytesMax, windowBytes: settings.rpcWindowBytes
    })
  }

  get callCount(): number {
    return this.#callCount
  }

  get queuedBytes(): number {
    return this.#out.queuedBytes
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

  /** Sends what was answered, then ends. */
  close(reason: string): void {
    if (this.#hasEnded) return
    this.#out.flush()
    this.#socket.end()
    this.#forgetAll(reason)
  }

  /** Ends the stream at once: handlers in work hear that their caller is gone. */
  end(reason: string): void {
    if (this.#hasEnded) return
    this.#socket.destroy()
    this.#forgetAll(reason)
  }

  tick(): boolean {
    if (this.#hasEnded || this.#callCount === 0) {
      this.#isWatched = false
      return false
    }
    if (this.#silence.tick()) {
      this.end('the caller is silent')
      return false
    }
    this.#out.ping()
    this.#tickCount += 1
    for (const served of this.#calls) {
      if (served !== undefined && served.dueTick <= this.#tickCount) served.abort(timedOut(served))
    }
    return true
  }

  begins(): boolean {
    return true
  }

  message(frame: IncomingMessage, head: Head, payload: Payload): void {
    const { handlers, settings } = this.#parts
    const { rpcPingMs, rpcCallsMax } = settings
    const { slot } = frame
    if (this.#calls[slot] !== undefined) throw frameInvalid('two calls in one slot', { slot })
    const by = handlers.get(frame.call)
    if (by === undefined) {
      if (payload.block !== null) release(payload.block)
      const error = unavailable('node does not serve the call', this.#nodeId, String(frame.call))
      return this.#sendError(slot, this.#cells.stream, error)
    }
    const { call } = by
    const dueTick = frame.deadlineMs === 0 ? Infinity : this.#tickCount + 1 + Math.ceil(frame.deadlineMs / rpcPingMs)
    const served = new ServedCall(frame, { call, cells: this.#cells.of(call), peer: this.peer, payload, dueTick })
    if (this.#workCount >= rpcCallsMax) return this.#overloaded(served, 'rpcCallsMax')
    if (this.#workBytes.isFull(served.bytes)) return this.#overloaded(served, 'rpcInFlightBytesMax')
    this.#takeOn(served)
    let request: unknown
    try {
      request = decode(call.request, served.version, head)
    } catch (error) {
      this.#handled(served)
      return this.#fail(served, error)
    }
    if (call.payloadCause !== null && (this.#putOff.length > 0 || this.#isFull)) {
      this.#putOff.push({ served, by, request })
    } else this.#run(served, by, request)
  }

  dropped(): void {
    assert.fail('requests are never dropped')
  }

  cancel(slot: number, reason: number): void {
    const served = this.#calls[slot]
    if (served !== undefined) {
      this.#over(served)
      this.#forgetPutOff(served)
      served.abort(reason === CANCEL.timedOut ? timedOut(served) : givenUp())
      this.#out.cancelled(slot, served.headCell)
      return
    }
    // Not complete, or its answer is on its way; else the answer was the last word.
    if (this.#reader.forget(slot) || this.#out.takeBack(slot) !== 'none') this.#out.cancelled(slot, this.#cells.stream)
  }

  cancelled(): void {
    throw frameInvalid('a server is told that a call was cancelled')
  }

  #forgetAll(reason: string): void {
    this.#hasEnded = true
    this.#reader.stop()
    this.#out.close()
    this.#onEnd(this, reason)
    for (const served of this.#calls) served?.abort(unavailable(reason, this.peer.nodeId, served.call.name))
    for (const { served } of this.#putOff.splice(0)) this.#handled(served)
    this.#calls.length = 0
    this.#callCount = 0
  }

  #run(served: ServedCall, by: Served, request: unknown): void {
    let result: Promise<unknown>
    try {
      result = by.handler(request, served)
    } catch (error) {
      result = Promise.reject(error as Error)
    }
    result.then((value) => {
      this.#handled(served)
      this.#answer(served, value)
    }, (error: unknown) => {
      this.#handled(served)
      this.#fail(served, error)
    })
  }

  /** Whether so many answer bytes wait that no more shall be made. */
  get #isFull(): boolean {
    const { rpcAnswerBytesMax } = this.#parts.settings
    return this.#out.queuedBytes > rpcAnswerBytesMax && this.#out.backlogBytes > rpcAnswerBytesMax
  }

  #takeOn(served: ServedCall): void {
    this.#calls[served.slot] = served
    this.#callCount += 1
    this.#workCount += 1
    this.#workBytes.add(served.bytes)
    if (this.#isWatched) return
    this.#isWatched = true
    this.#silence.heard()
    this.#parts.watch(this)
  }

  /** Nobody looks at the request any more. */
  #handled(served: ServedCall): void {
    this.#workCount -= 1
    this.#workBytes.remove(served.bytes)
    served.release()
  }

  #answer(served: ServedCall, result: unknown): void {
    const reply = isWithPayload(result) ? result : { response: result, payload: NO_PAYLOAD }
    if (this.#calls[served.slot] !== served) return releaseAll(reply.payload) // cancelled, or the stream is over
    served.answer(reply.response, reply.payload)
    try {
      if (reply.payload.length > 0) payloadCause(served.call)
      if (this.#out.send(KIND.answer, served, this.#messageBytesMax) >= 0) return this.#over(served)
      const context = { call: served.call.name, setting: 'rpcMessageBytesMax', max: this.#messageBytesMax }
      this.#fail(served, new ZonewiseError('OVERLOADED', 'the answer is too big', context))
    } catch (error) {
      this.#fail(served, error)
    }
  }

  /** Answers an error; what is none of ours is a bug, but for a signal's reason when something stopped here. */
  #fail(served: ServedCall, error: unknown): void {
    if (this.#calls[served.slot] !== served) return
    if (!(error instanceof ZonewiseError) && !isAbort(error)) this.#parts.onBug(error)
    this.#over(served)
    const told = error instanceof ZonewiseError ? error : unavailable('handler failed', this.#nodeId, served.call.name)
    this.#sendError(served.slot, served.headCell, told)
  }

  #over(served: ServedCall): void {
    this.#calls[served.slot] = undefined
    this.#callCount -= 1
  }

  #overloaded(served: ServedCall, setting: 'rpcCallsMax' | 'rpcInFlightBytesMax'): void {
    const { slot, call, headCell } = served
    served.release()
    const context = { call: call.name, setting, max: this.#parts.settings[setting] }
    this.#sendError(slot, headCell, new ZonewiseError('OVERLOADED', 'the peer has too much in work', context))
  }

  #sendError(slot: number, cell: LedgerCell, error: ZonewiseError): void {
    this.#out.send(KIND.error, new ErrorAnswer(slot, cell, error), Infinity)
  }

  /** Begins what was put off, when answer bytes have left. */
  #goOn(): void {
    while (this.#putOff.length > 0 && !this.#isFull) {
      const { served, by, request } = this.#putOff.shift()!
      this.#run(served, by, request)
    }
  }

  #forgetPutOff(served: ServedCall): void {
    const kept = this.#putOff.filter((one) => one.served !== served)
    if (kept.length < this.#putOff.length) this.#handled(served)
    this.#putOff = kept
  }
}

function decode<T>(of: Message<T>, version: number, { memory, start, end }: Head): T {
  const reader = new Reader(memory, start, end)
  const value = decodeMessage(of, version, reader)
  reader.expectEnd()
  return value
}

function timedOut({ call, deadlineMs }: ServedCall): ZonewiseError {
  return new ZonewiseError('RPC_TIMED_OUT', 'the caller waits no more', { call: call.name, deadlineMs })
}

function givenUp(): DOMException {
  return new DOMException('the caller gave up', 'AbortError')
}
