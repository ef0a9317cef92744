/**
 * The sending half of a stream. Small messages are written into one buffer as they are made; what gathered within a
 * turn of the event loop leaves in one write. Big ones are cut into frames, one of each in turn, and go out by
 * reference when the socket has room: a small call waits for no more than a frame and what the socket holds.
 *
 * Why two nodes cannot block each other. (1) Reading never waits: each end takes in whatever its socket brings, a
 * complete message is handed on within the call that brought it, and what it is handed on to cannot refuse. (2) Nothing
 * that is sent waits for a word of the peer, only for room in the socket, which by (1) comes. What the peer has to keep
 * of messages that are not complete is bounded here all the same: bytes arrive in order, so these are messages begun
 * and not sent to the end, and they may be so many bytes together as the peer's window says, and one bigger than the
 * window. (3) Requests and answers have windows of their own, and flow on different streams where both nodes call: a
 * handler that calls back competes with nothing that its caller waits for. (4) Nothing here waits for a handler:
 * requests above a bound are refused (OVERLOADED), and calls for payload that are put off while many answer bytes wait
 * go on when those have left, which by (2) they do, or the peer is silent and the stream ends.
 */
import { releaseAll } from '#shared/binary/memory-pool.ts'
import { Writer } from '#shared/binary/writer.ts'
import type { LedgerCell } from '#shared/ledger/ledger.ts'
import type { Socket } from '#shared/runtime/network.ts'
import type { Timer } from '#shared/runtime/runtime.ts'
import { bytesOf } from './any-call.ts'
import { BigMessage, BigQueue } from './big-queue.ts'
import { FLAG, FRAME, KIND } from './frame.ts'

/** A request, answer or error to be sent. */
export type OutgoingMessage = {
  readonly slot: number
  readonly isExtended: boolean
  readonly buffers: readonly Uint8Array[] // the payload, with a hold of each that goes to whom it is sent by
  readonly headCell: LedgerCell // where frames and head are counted
  readonly payloadCell: LedgerCell | null
  /** Writes what stands between type and sizes. */
  writePrefix(writer: Writer): void
  writeHead(writer: Writer): void
}

export type OutgoingParts = {
  readonly socket: Socket
  readonly timer: Timer
  readonly windowBytes: number // of the peer: for messages begun and not sent to the end
  readonly cell: LedgerCell // of frames that belong to no call
  readonly onRoom: () => void // after bytes have left
}

const BUFFER_BYTES = 2 ** 16
const WRITE_BYTES = 2 ** 19 // a write is no longer than this and one frame; above it the socket is full

export class Outgoing {
  readonly #parts: OutgoingParts
  readonly #writer = new Writer(BUFFER_BYTES)
  readonly #big: BigQueue
  #bigBytes = 0 // of big messages, not sent
  #leaving: Uint8Array[] = [] // held until the next write is taken
  #flushComes = false
  #saidSomething = false
  #closed = false

  constructor(parts: OutgoingParts) {
    this.#parts = parts
    this.#big = new BigQueue(parts.windowBytes)
  }

  /** Bytes that the peer's kernel has not taken. */
  get queuedBytes(): number {
    return this.#bigBytes + this.#writer.byteLength + this.#parts.socket.bufferedBytes
  }

  /** The same without the biggest message: that one must not keep others waiting. */
  get backlogBytes(): number {
    return this.queuedBytes - this.#big.biggestBytes
  }

  /**
   * Sends one message, its payload by reference; the holds of its buffers end when the kernel has them, or nothing is
   * sent. @returns the bytes of head and payload, or -1 where they are more than `bytesMax`: nothing is sent. What
   * `writeHead` throws is thrown.
   */
  send(kind: number, message: OutgoingMessage, bytesMax: number): number {
    const writer = this.#writer
    const { buffers } = message
    const position = writer.byteLength
    const payloadBytes = bytesOf(buffers)
    writer.uint32(0) // length and type, known at the end
    message.writePrefix(writer)
    const sizesAt = writer.byteLength
    if (buffers.length > 0) writeSizes(writer, 0, payloadBytes, buffers.length)
    const headAt = writer.byteLength
    if (buffers.length > 1) for (const { length } of buffers) writer.uvarint(length)
    try {
      message.writeHead(writer)
    } catch (error) {
      writer.cutFrom(position)
      releaseAll(buffers)
      throw error
    }
    const headBytes = writer.byteLength - headAt
    const bytes = headBytes + payloadBytes
    const type = kind | (buffers.length > 0 ? FLAG.payload : 0) | (message.isExtended ? FLAG.extended : 0)
    if (bytes > FRAME.dataBytesMax) {
      const head = writer.cutFrom(headAt)
      writer.cutFrom(position)
      if (bytes > bytesMax) {
        releaseAll(buffers)
        return -1
      }
      this.#big.add(new BigMessage(message, type | FLAG.begins, head, bytes))
      this.#bigBytes += bytes
    } else {
      if (buffers.length > 0) {
        writer.patchUint32(sizesAt, headBytes)
        for (let i = 0; i < buffers.length; i++) writer.raw(buffers[i]!)
        message.payloadCell!.bytes += payloadBytes
        this.#leave(buffers)
      }
      this.#endFrame(position, type)
      message.headCell.bytes += writer.byteLength - position - payloadBytes
    }
    this.#flushSoon()
    return bytes
  }

  /**
   * Takes back a big message that is not sent to its end. @returns `begun`: the peer has its first bytes and must be
   * told; `unsent`: it never heard of it; `none`: there is no such message.
   */
  takeBack(slot: number): 'begun' | 'unsent' | 'none' {
    const message = this.#big.take(slot)
    if (message === undefined) return 'none'
    this.#bigBytes -= message.unsentBytes
    const isBegun = message.sentBytes > 0
    if (isBegun) this.#leave(message.of.buffers) // the socket may still look at them
    else releaseAll(message.of.buffers)
    return isBegun ? 'begun' : 'unsent'
  }

  cancel(slot: number, reason: number, cell: LedgerCell): void {
    const position = this.#writer.byteLength
    this.#writer.uint32(0)
    this.#writer.uvarint(slot)
    this.#writer.uint8(reason)
    this.#endControl(position, KIND.cancel, cell)
  }

  cancelled(slot: number, cell: LedgerCell): void {
    const position = this.#writer.byteLength
    this.#writer.uint32(0)
    this.#writer.uvarint(slot)
    this.#endControl(position, KIND.cancelled, cell)
  }

  /** Says that this end lives, unless it has said something since it was last asked to. */
  ping(): void {
    if (this.#saidSomething) this.#saidSomething = false
    else {
      const position = this.#writer.byteLength
      this.#writer.uint32(0)
      this.#endControl(position, KIND.ping, this.#parts.cell)
    }
  }

  /** Sends what waits, as far as the socket has room. */
  flush(): void {
    this.#flushComes = false
    const { socket, onRoom } = this.#parts
    if (this.#closed) return
    const roomBytes = WRITE_BYTES - socket.bufferedBytes
    if (roomBytes <= 0) return // `drain` comes
    while (this.#writer.byteLength < roomBytes) {
      const message = this.#big.next()
      if (message === undefined) break
      this.#cut(message)
      this.#big.sent()
    }
    if (this.#writer.byteLength > 0) {
      this.#saidSomething = true
      this.#write()
    }
    onRoom()
    if (!this.#big.isEmpty && socket.bufferedBytes < WRITE_BYTES) this.#flushSoon()
  }

  /** Sends nothing more. */
  close(): void {
    this.#closed = true
    for (const { of, sentBytes } of this.#big.takeAll()) {
      if (sentBytes > 0) this.#leave(of.buffers)
      else releaseAll(of.buffers)
    }
    this.#bigBytes = 0
  }

  /** The socket is gone: it looks at nothing any more. */
  closed(): void {
    releaseAll(this.#leaving)
    this.#leaving = []
  }

  #flushSoon(): void {
    if (this.#flushComes || this.#closed) return
    this.#flushComes = true
    this.#parts.timer.soon(this.#onTurn)
  }

  readonly #onTurn = (): void => { this.flush() }

  /** Writes one frame of a big message. */
  #cut(message: BigMessage): void {
    const { of, type, headBytes, bytes, sentBytes } = message
    const writer = this.#writer
    const position = writer.byteLength
    const isFirst = sentBytes === 0
    writer.uint32(0)
    if (isFirst) {
      of.writePrefix(writer)
      if (of.buffers.length > 0) writeSizes(writer, headBytes, bytes - headBytes, of.buffers.length)
      else writer.uint32(headBytes)
    } else writer.uvarint(of.slot)
    const frameBytes = writer.byteLength - position
    const dataBytes = Math.min(FRAME.dataBytesMax, bytes - sentBytes)
    message.write(dataBytes, writer)
    this.#endFrame(position, isFirst ? type : KIND.more)
    const ofHead = Math.min(Math.max(0, headBytes - sentBytes), dataBytes)
    of.headCell.bytes += frameBytes + ofHead
    if (dataBytes > ofHead) of.payloadCell!.bytes += dataBytes - ofHead
    this.#bigBytes -= dataBytes
    if (message.unsentBytes === 0) this.#leave(of.buffers)
  }

  /** The next write ends the holds, once the kernel has it. */
  #leave(buffers: readonly Uint8Array[]): void {
    for (let i = 0; i < buffers.length; i++) this.#leaving.push(buffers[i]!)
  }

  #write(): void {
    const { socket } = this.#parts
    const leaving = this.#leaving
    if (leaving.length === 0) return socket.write(this.#writer.take())
    this.#leaving = []
    socket.write(this.#writer.take(), () => { releaseAll(leaving) })
  }

  #endControl(position: number, kind: number, cell: LedgerCell): void {
    this.#endFrame(position, kind)
    cell.bytes += this.#writer.byteLength - position
    this.#flushSoon()
  }

  #endFrame(position: number, type: number): void {
    const bodyBytes = this.#writer.byteLength - position - FRAME.headerBytes
    this.#writer.patchUint32(position, bodyBytes * 256 + type)
  }
}

function writeSizes(writer: Writer, headBytes: number, payloadBytes: number, chunkCount: number): void {
  writer.uint32(headBytes)
  writer.uint32(payloadBytes)
  writer.uvarint(chunkCount)
}
