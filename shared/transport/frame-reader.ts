/**
 * Takes in the bytes of a stream and hands on its messages; the layout stands in frame.ts. Pure.
 * What `push` is given is valid during the call only, so each byte of a message is copied once, to where it stays: a
 * frame that is whole at once, a frame that comes in pieces and a message of many frames alike. Nothing is kept for a
 * frame but the few bytes before its data; memory for a big message is taken when it begins, within the window.
 * Reading never waits: the caller pushes whatever its socket brings.
 */
import assert from 'node:assert/strict'
import { release } from '#shared/binary/memory-pool.ts'
import { NO_PAYLOAD } from './any-call.ts'
import { FLAG, FRAME, frameInvalid, KIND } from './frame.ts'
import { IncomingMessage } from './incoming-message.ts'
import { PrefixReader, type PrefixLimits } from './prefix-reader.ts'
import type { ReceiveMemory } from './receive-memory.ts'

/** `memory` from `start` to `end`. */
export type Head = { memory: Buffer; start: number; end: number }

/** `block` has the bytes of all buffers and is held once, by the sink; null: there is none. */
export type Payload = { readonly buffers: readonly Uint8Array[]; readonly block: Buffer | null }

export type MessageSink = {
  /** A big message begins. False: nobody wants it, its bytes are thrown away as they come. */
  begins(frame: IncomingMessage): boolean
  /** A request, answer or error is complete. `frame` and `head` are valid during the call. */
  message(frame: IncomingMessage, head: Head, payload: Payload): void
  /** All of a big message has come that was thrown away. */
  dropped(slot: number): void
  cancel(slot: number, reason: number): void
  cancelled(slot: number): void
}

export type ReaderLimits = PrefixLimits & { readonly windowBytes: number }

const CARRY_BYTES = FRAME.headerBytes + FRAME.prefixBytesMax
const NONE: Payload = Object.freeze({ buffers: NO_PAYLOAD, block: null })

export class FrameReader {
  readonly #sink: MessageSink
  readonly #memory: ReceiveMemory
  readonly #limits: ReaderLimits
  readonly #carry = Buffer.allocUnsafe(CARRY_BYTES) // the beginning of a frame that is cut before its data
  #carried = 0
  readonly #frame = new IncomingMessage() // of frames that are whole
  readonly #head: Head // of the message handed on
  readonly #open: (IncomingMessage | undefined)[] = [] // big messages, by slot
  #openBytes = 0 // of these, without a giant's
  #hasGiant = false // one that is bigger than the window
  #target: IncomingMessage | null = null // of the frame under way
  #left = 0 // bytes of data that the frame under way lacks
  #stopped = false
  readonly #prefix: PrefixReader

  constructor(sink: MessageSink, memory: ReceiveMemory, limits: ReaderLimits) {
    this.#sink = sink
    this.#memory = memory
    this.#limits = limits
    this.#prefix = new PrefixReader(limits)
    this.#head = { memory: memory.slab, start: 0, end: 0 }
  }

  /** Bytes of memory that big messages take or will take. */
  get openBytes(): number {
    return this.#open.reduce((sum, message) => sum + (message?.bytes ?? 0), 0)
  }

  /** Takes the next bytes. @throws ZonewiseError FRAME_INVALID: the peer breaks the rules, end the stream. */
  push(bytes: Uint8Array): void {
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    const end = buffer.length
    for (let at = 0; at < end && !this.#stopped;) {
      if (this.#left > 0) at = this.#fill(buffer, at, end)
      else if (this.#carried > 0) at = this.#goOn(buffer, at, end)
      else at = this.#next(buffer, at, end)
    }
  }

  /** Hands on nothing more, whatever is pushed. */
  stop(): void {
    this.#stopped = true
    for (const message of this.#open) message?.drop()
    this.#target?.drop()
    this.#target = null
  }

  /** Throws away what has come of the slot's message, and what comes. */
  drop(slot: number): void {
    this.#open[slot]?.drop()
  }

  /** Nothing more comes of the slot's message. @returns whether there was one */
  forget(slot: number): boolean {
    const message = this.#open[slot]
    if (message === undefined) return false
    this.#open[slot] = undefined
    if (message.bytes > this.#limits.windowBytes) this.#hasGiant = false
    else this.#openBytes -= message.bytes
    if (message.missingBytes > 0) message.drop()
    if (this.#target === message) this.#target = null
    return true
  }

  #next(buffer: Buffer, at: number, end: number): number {
    const available = end - at
    if (available >= FRAME.headerBytes) {
      const length = lengthAt(buffer, at)
      const bodyAt = at + FRAME.headerBytes
      if (available - FRAME.headerBytes >= length) {
        this.#whole(buffer, bodyAt, bodyAt + length)
        return bodyAt + length
      }
      if (available >= CARRY_BYTES) return this.#begin(buffer, at, end, length)
    }
    buffer.copy(this.#carry, 0, at, end)
    this.#carried = available
    return end
  }

  /** Fills up the carry until the frame's prefix must be in it. */
  #goOn(buffer: Buffer, start: number, end: number): number {
    const at = this.#carryUpTo(FRAME.headerBytes, buffer, start, end)
    if (this.#carried < FRAME.headerBytes) return at
    const length = lengthAt(this.#carry, 0)
    const needed = Math.min(FRAME.headerBytes + length, CARRY_BYTES)
    const after = this.#carryUpTo(needed, buffer, at, end)
    if (this.#carried < needed) return after
    this.#carried = 0
    if (needed === FRAME.headerBytes + length) this.#whole(this.#carry, FRAME.headerBytes, needed)
    else this.#begin(this.#carry, 0, needed, length)
    return after
  }

  #carryUpTo(bytes: number, buffer: Buffer, at: number, end: number): number {
    const count = Math.min(bytes - this.#carried, end - at)
    if (count <= 0) return at
    buffer.copy(this.#carry, this.#carried, at, at + count)
    this.#carried += count
    return at + count
  }

  /** A frame that is all here, from `at` to `end`; its type lies before it. */
  #whole(buffer: Buffer, at: number, end: number): void {
    const type = buffer[at - 1]!
    const frame = this.#frame
    const kind = this.#prefix.read(frame, type, buffer, at, end)
    const dataAt = this.#prefix.at
    const dataBytes = end - dataAt
    switch (kind) {
      case KIND.request: case KIND.answer: case KIND.error:
        if ((type & FLAG.begins) !== 0) this.#add(this.#openBig(frame, dataBytes), buffer, dataAt, end)
        else this.#atOnce(frame, buffer, dataAt, dataBytes)
        return
      case KIND.more:
        this.#add(this.#moreOf(frame.slot, dataBytes), buffer, dataAt, end)
        return
      default:
        if (dataBytes !== 0) throw frameInvalid('bytes left over in a frame', { kind })
        this.#control(kind, frame)
    }
  }

  /** A frame with data whose end is not here yet. */
  #begin(buffer: Buffer, at: number, end: number, length: number): number {
    const bodyAt = at + FRAME.headerBytes
    const type = buffer[bodyAt - 1]!
    const frame = this.#frame
    const kind = this.#prefix.read(frame, type, buffer, bodyAt, Math.min(end, bodyAt + length))
    const dataAt = this.#prefix.at
    const dataBytes = bodyAt + length - dataAt
    if (kind === KIND.more) this.#target = this.#moreOf(frame.slot, dataBytes)
    else if (!isMessage(kind)) throw frameInvalid('a frame is too long', { kind, length })
    else if ((type & FLAG.begins) !== 0) this.#target = this.#openBig(frame, dataBytes)
    else {
      this.#checkSizes(frame, dataBytes)
      this.#target = frame.copy().reserve(this.#memory)
    }
    this.#left = dataBytes
    return this.#fill(buffer, dataAt, end)
  }

  #fill(buffer: Buffer, at: number, end: number): number {
    const count = Math.min(this.#left, end - at)
    this.#left -= count
    const target = this.#target
    if (target !== null) {
      target.add(buffer, at, at + count)
      if (this.#left === 0) {
        this.#target = null
        this.#deliverIfComplete(target)
      }
    }
    return at + count
  }

  #add(message: IncomingMessage, buffer: Buffer, at: number, end: number): void {
    message.add(buffer, at, end)
    this.#deliverIfComplete(message)
  }

  #openBig(frame: IncomingMessage, dataBytes: number): IncomingMessage {
    const { slot, bytes } = frame
    if (dataBytes > bytes) throw frameInvalid('more data than announced', { slot, bytes, dataBytes })
    if (this.#open[slot] !== undefined) throw frameInvalid('a message in two at a time', { slot })
    const { windowBytes } = this.#limits
    const isGiant = bytes > windowBytes
    if (isGiant ? this.#hasGiant : this.#openBytes + bytes > windowBytes) {
      throw frameInvalid('more than the window holds', { slot, bytes, openBytes: this.#openBytes })
    }
    const message = frame.copy()
    this.#open[slot] = message
    if (isGiant) this.#hasGiant = true
    else this.#openBytes += bytes
    if (this.#sink.begins(message)) message.reserve(this.#memory)
    return message
  }

  #moreOf(slot: number, dataBytes: number): IncomingMessage {
    const message = this.#open[slot]
    if (message === undefined) throw frameInvalid('more of a message that never began', { slot })
    if (dataBytes > message.missingBytes) throw frameInvalid('more data than announced', { slot, bytes: message.bytes })
    return message
  }

  #deliverIfComplete(message: IncomingMessage): void {
    if (message.missingBytes > 0) return
    if (this.#open[message.slot] === message) this.forget(message.slot)
    const { head, payload } = message
    if (head === null) return this.#sink.dropped(message.slot)
    if (payload === null) this.#handOn(message, head, 0, head.length, NONE)
    else this.#handOnWithPayload(message, head, 0, payload)
  }

  /** The common case: a message in one frame that is whole. */
  #atOnce(frame: IncomingMessage, buffer: Buffer, dataAt: number, dataBytes: number): void {
    this.#checkSizes(frame, dataBytes)
    const { headBytes } = frame
    const headEnd = dataAt + headBytes
    let head: Buffer
    let start = 0
    if (this.#memory.isSmall(headBytes)) {
      start = this.#memory.carve(headBytes)
      head = this.#memory.slab
    } else head = this.#memory.head(headBytes)
    const end = start + headBytes
    buffer.copy(head, start, dataAt, headEnd)
    if (!frame.hasPayload) return this.#handOn(frame, head, start, end, NONE)
    const payload = this.#memory.payload(frame.payloadBytes)
    buffer.copy(payload, 0, headEnd, dataAt + dataBytes)
    this.#handOnWithPayload(frame, head.subarray(0, end), start, payload)
  }

  #handOnWithPayload(frame: IncomingMessage, head: Buffer, start: number, block: Buffer): void {
    let buffers: readonly Uint8Array[]
    try {
      buffers = this.#split(frame, head, start, block)
    } catch (error) {
      release(block)
      throw error
    }
    this.#handOn(frame, head, this.#prefix.at, head.length, { buffers, block })
  }

  #handOn(frame: IncomingMessage, memory: Buffer, start: number, end: number, payload: Payload): void {
    const head = this.#head // one for all: it is read within the call
    head.memory = memory
    head.start = start
    head.end = end
    this.#sink.message(frame, head, payload)
  }

  #checkSizes(frame: IncomingMessage, dataBytes: number): void {
    if (frame.headBytes < 0) frame.headBytes = dataBytes // no sizes: all is head
    if (frame.bytes !== dataBytes) throw frameInvalid('other data than announced', { bytes: frame.bytes, dataBytes })
  }

  /** The payload's buffers, by the lengths at `start` of the head; leaves the prefix reader behind those. */
  #split(frame: IncomingMessage, head: Buffer, start: number, payload: Buffer): readonly Uint8Array[] {
    const { chunkCount, headBytes } = frame
    const reader = this.#prefix
    reader.start(head, start, head.length)
    if (chunkCount === 1) return [payload]
    if (chunkCount > headBytes) throw frameInvalid('more buffers than lengths', { chunkCount })
    const chunks: Uint8Array[] = []
    let at = 0
    for (let i = 0; i < chunkCount; i++) {
      const length = reader.uvarint()
      if (length > payload.length - at) throw frameInvalid('buffers longer than the payload', { chunkCount })
      chunks.push(payload.subarray(at, at + length))
      at += length
    }
    if (at !== payload.length) throw frameInvalid('buffers shorter than the payload', { chunkCount })
    return chunks
  }

  #control(kind: number, frame: IncomingMessage): void {
    switch (kind) {
      case KIND.cancel: return this.#sink.cancel(frame.slot, frame.call)
      case KIND.cancelled: return this.#sink.cancelled(frame.slot)
      default: assert.equal(kind, KIND.ping)
    }
  }
}

function isMessage(kind: number): boolean {
  return kind === KIND.request || kind === KIND.answer || kind === KIND.error
}

function lengthAt(buffer: Buffer, at: number): number {
  const length = (buffer[at]! << 16) | (buffer[at + 1]! << 8) | buffer[at + 2]!
  if (length > FRAME.bodyBytesMax) throw frameInvalid('a frame above the bound', { length, max: FRAME.bodyBytesMax })
  return length
}
