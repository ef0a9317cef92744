/**
 * The sending half of a stream. Small messages are written into one buffer as they are made; what gathered within a
 * turn of the event loop leaves in one write. Big ones are cut into frames, one of each in turn, and go out by
 * reference when the socket has room: a small call waits for no more than a frame and what the socket holds.
 *
 * Why two nodes cannot block each other. (1) Reading never waits: each end takes in whatever its socket brings, a
 * complete message is handed on within the call that brought it, and nothing that is handed on can refuse. (2) A big
 * message takes credit for all of its bytes before its first byte is sent (one that is bigger than the window goes
 * alone), so none stops half sent for want of credit, and the credit comes back when its last byte has arrived or it is
 * given up: handing on waits for nobody. (3) Requests and answers have windows of their own, and a node's calls go over
 * the stream that it dialled itself: a handler that calls back waits for no credit that its own caller holds. (4)
 * Nothing here waits for a handler: requests above a bound are refused (OVERLOADED), and calls for payload that are put
 * off while many answer bytes wait go on when those have left, which by (1) they do, or the peer is silent and the
 * stream ends.
 */
import { releaseAll } from '#shared/binary/memory-pool.ts'
import { Writer } from '#shared/binary/writer.ts'
import type { LedgerCell } from '#shared/ledger/ledger.ts'
import type { Socket } from '#shared/runtime/network.ts'
import type { Timer } from '#shared/runtime/runtime.ts'
import { bytesOf } from './any-call.ts'
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

type BigMessage = {
  readonly of: OutgoingMessage
  readonly type: number
  readonly headBytes: number
  readonly payloadBytes: number
  readonly chunks: readonly Uint8Array[] // head, then payload
  chunk: number // the next byte is chunks[chunk][at]
  at: number
  sentBytes: number
}

export type OutgoingParts = {
  readonly socket: Socket
  readonly timer: Timer
  readonly windowBytes: number // of the peer
  readonly cell: LedgerCell // of frames that belong to no call
  readonly onRoom: () => void // after bytes have left
}

const BUFFER_BYTES = 2 ** 16
const WRITE_BYTES = 2 ** 19 // a write is no longer than this and one frame; above it the socket is full

export class Outgoing {
  readonly #parts: OutgoingParts
  readonly #writer = new Writer(BUFFER_BYTES)
  #credit: number
  readonly #waiting: BigMessage[] = [] // for credit, in order
  readonly #active: BigMessage[] = []
  #turn = 0 // index in #active
  #bigBytes = 0 // of big messages, not sent
  #releasedBytes = 0 // for the next window frame
  #leaving: Uint8Array[] = [] // held until the next write is taken
  #flushComes = false
  #saidSomething = false
  #closed = false

  constructor(parts: OutgoingParts) {
    this.#parts = parts
    this.#credit = parts.windowBytes
  }

  /** Bytes that the peer's kernel has not taken. */
  get queuedBytes(): number {
    return this.#bigBytes + this.#writer.byteLength + this.#parts.socket.bufferedBytes
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
      this.#waiting.push({
        of: message, type: type | FLAG.begins, headBytes, payloadBytes, chunks: [...head, ...buffers],
        chunk: 0, at: 0, sentBytes: 0
      })
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
   * Takes back a big message that is not sent to its end. @returns `begun`: the peer has its first bytes, and returns
   * the credit once it is told; `unsent`: it never heard of it; `none`: there is no such message.
   */
  takeBack(slot: number): 'begun' | 'unsent' | 'none' {
    const waiting = this.#waiting.findIndex(({ of }) => of.slot === slot)
    if (waiting >= 0) {
      const [message] = this.#waiting.splice(waiting, 1)
      this.#bigBytes -= unsentBytes(message!)
      releaseAll(message!.of.buffers)
      return 'unsent'
    }
    const active = this.#active.findIndex(({ of }) => of.slot === slot)
    if (active < 0) return 'none'
    const [message] = this.#active.splice(active, 1)
    if (active < this.#turn) this.#turn -= 1
    this.#bigBytes -= unsentBytes(message!)
    if (message!.sentBytes > 0) {
      this.#leave(message!.of.buffers) // the socket may still look at them
      return 'begun'
    }
    this.#credit += unsentBytes(message!)
    releaseAll(message!.of.buffers)
    return 'unsent'
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

  /** Tells the peer, with the next write, that so many bytes of its big messages were taken in. */
  release(bytes: number): void {
    this.#releasedBytes += bytes
    this.#flushSoon()
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

  /** The peer took in so many bytes. False: more than it was sent. */
  addCredit(bytes: number): boolean {
    this.#credit += bytes
    if (this.#credit > this.#parts.windowBytes) return false
    if (this.#waiting.length > 0) this.#flushSoon()
    return true
  }

  /** Sends what waits, as far as the socket has room. */
  flush(): void {
    this.#flushComes = false
    const { socket, onRoom } = this.#parts
    if (this.#closed) return
    if (this.#releasedBytes > 0) this.#writeWindow()
    const roomBytes = WRITE_BYTES - socket.bufferedBytes
    if (roomBytes <= 0) return // `drain` comes
    this.#admit()
    while (this.#active.length > 0 && this.#writer.byteLength < roomBytes) this.#cutNext()
    if (this.#writer.byteLength > 0) {
      this.#saidSomething = true
      this.#write()
    }
    onRoom()
    if (this.#active.length > 0 && socket.bufferedBytes < WRITE_BYTES) this.#flushSoon()
  }

  /** Sends nothing more. */
  close(): void {
    this.#closed = true
    for (const { of } of this.#waiting.splice(0)) releaseAll(of.buffers)
    for (const { of } of this.#active.splice(0)) this.#leave(of.buffers)
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

  /** Lets big messages begin, in order, as far as there is credit; one above the window when nothing else is out. */
  #admit(): void {
    while (this.#waiting.length > 0) {
      const message = this.#waiting[0]!
      const bytes = message.headBytes + message.payloadBytes
      if (bytes > this.#credit && this.#credit < this.#parts.windowBytes) return
      this.#credit -= bytes
      this.#waiting.shift()
      this.#active.push(message)
    }
  }

  /** Writes one frame of the big message whose turn it is. */
  #cutNext(): void {
    if (this.#turn >= this.#active.length) this.#turn = 0
    const message = this.#active[this.#turn]!
    const { of, headBytes, payloadBytes, sentBytes } = message
    const writer = this.#writer
    const position = writer.byteLength
    writer.uint32(0)
    const isFirst = sentBytes === 0
    if (isFirst) {
      of.writePrefix(writer)
      if (payloadBytes > 0 || of.buffers.length > 0) writeSizes(writer, headBytes, payloadBytes, of.buffers.length)
      else writer.uint32(headBytes)
    } else writer.uvarint(of.slot)
    const frameBytes = writer.byteLength - position
    const dataBytes = Math.min(FRAME.dataBytesMax, headBytes + payloadBytes - sentBytes)
    this.#writeData(message, dataBytes)
    this.#endFrame(position, isFirst ? message.type : KIND.more)
    const ofHead = Math.min(Math.max(0, headBytes - sentBytes), dataBytes)
    of.headCell.bytes += frameBytes + ofHead
    if (dataBytes > ofHead) of.payloadCell!.bytes += dataBytes - ofHead
    this.#bigBytes -= dataBytes
    if (message.sentBytes === headBytes + payloadBytes) {
      this.#active.splice(this.#turn, 1)
      this.#leave(of.buffers)
    } else this.#turn += 1
  }

  #writeData(message: BigMessage, count: number): void {
    for (let left = count; left > 0;) {
      const chunk = message.chunks[message.chunk]!
      const part = Math.min(left, chunk.length - message.at)
      if (part > 0) this.#writer.raw(chunk.subarray(message.at, message.at + part))
      message.at += part
      left -= part
      if (message.at === chunk.length) {
        message.chunk += 1
        message.at = 0
      }
    }
    message.sentBytes += count
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

  #writeWindow(): void {
    const position = this.#writer.byteLength
    this.#writer.uint32(0)
    this.#writer.uvarint(this.#releasedBytes)
    this.#releasedBytes = 0
    this.#endControl(position, KIND.window, this.#parts.cell)
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

function unsentBytes({ headBytes, payloadBytes, sentBytes }: BigMessage): number {
  return headBytes + payloadBytes - sentBytes
}
