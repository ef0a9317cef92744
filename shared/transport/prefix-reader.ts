/** Reads what lies before the data of a frame; the layout stands in frame.ts. Kept for the life of a stream. */
import { EXTENSION, FLAG, frameInvalid, KIND } from './frame.ts'
import type { IncomingMessage } from './incoming-message.ts'

export type PrefixLimits = {
  readonly kinds: readonly number[] // that the peer may send
  readonly slotsMax: number
  readonly messageBytesMax: number
}

export class PrefixReader {
  readonly #kinds: number // one bit a kind
  readonly #slotsMax: number
  readonly #messageBytesMax: number
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  #end = 0

  constructor({ kinds, slotsMax, messageBytesMax }: PrefixLimits) {
    this.#kinds = kinds.reduce((bits, kind) => bits | (1 << kind), 0)
    this.#slotsMax = slotsMax
    this.#messageBytesMax = messageBytesMax
  }

  /** Index of the next byte in the buffer given to `start` or `read`. */
  get at(): number {
    return this.#at
  }

  start(bytes: Buffer, at: number, end: number): void {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  /** Reads what lies before the data into `frame`, leaves `at` at the data, and returns the kind. */
  read(frame: IncomingMessage, type: number, bytes: Buffer, at: number, end: number): number {
    this.start(bytes, at, end)
    const kind = type & FLAG.kinds
    const isKnown = (type & FLAG.reserved) === 0 && (this.#kinds & (1 << kind)) !== 0
    if (!isKnown) throw frameInvalid('a frame of an unknown kind', { type })
    frame.start(kind)
    if (kind === KIND.ping) return this.#unflagged(kind, type)
    frame.slot = this.uvarint()
    const { slot } = frame
    if (slot >= this.#slotsMax) throw frameInvalid('a slot above the bound', { slot, max: this.#slotsMax })
    if (kind === KIND.cancel) frame.call = this.#uint8()
    if (kind !== KIND.request && kind !== KIND.answer) return this.#unflagged(kind, type)
    if (kind === KIND.request) {
      frame.call = this.uvarint()
      frame.deadlineMs = this.uvarint()
      if ((type & FLAG.extended) !== 0) this.#extension(frame)
    } else if ((type & FLAG.extended) !== 0) throw frameInvalid('an answer with an extension')
    if ((type & (FLAG.payload | FLAG.begins)) !== 0) this.#sizes(frame, (type & FLAG.payload) !== 0)
    return kind
  }

  #unflagged(kind: number, type: number): number {
    if (type !== kind) throw frameInvalid('a frame with flags that it cannot have', { type })
    return kind
  }

  #extension(frame: IncomingMessage): void {
    const bits = this.#uint8()
    if ((bits & EXTENSION.reserved) !== 0) throw frameInvalid('an unknown extension', { bits })
    frame.priority = bits >>> EXTENSION.priorityShift
    if ((bits & EXTENSION.traced) !== 0) {
      const at = this.#take(EXTENSION.traceIdBytes)
      frame.traceId = this.#bytes.toString('hex', at, at + EXTENSION.traceIdBytes)
    }
    if ((bits & EXTENSION.versioned) !== 0) frame.version = this.#uint8()
  }

  #sizes(frame: IncomingMessage, hasPayload: boolean): void {
    frame.headBytes = this.#bytes.readUInt32BE(this.#take(4))
    if (hasPayload) {
      frame.hasPayload = true
      frame.payloadBytes = this.#bytes.readUInt32BE(this.#take(4))
      frame.chunkCount = this.uvarint()
    }
    if (frame.bytes > this.#messageBytesMax) {
      throw frameInvalid('a message above the bound', { bytes: frame.bytes, max: this.#messageBytesMax })
    }
  }

  #uint8(): number {
    return this.#bytes[this.#take(1)]!
  }

  uvarint(): number {
    const first = this.#uint8()
    if (first < 0x80) return first
    let value = first & 0x7f
    for (let unit = 0x80, i = 1; i < 5; i++, unit *= 0x80) {
      const byte = this.#uint8()
      value += (byte & 0x7f) * unit
      if (byte < 0x80 && value < 2 ** 32) return value
    }
    throw frameInvalid('a number beyond 32 bits')
  }

  #take(count: number): number {
    const at = this.#at
    if (count > this.#end - at) throw frameInvalid('a frame is cut short')
    this.#at = at + count
    return at
  }
}
