/**
 * Writes big-endian primitives of the Kafka protocol into a list of chunks. Small values share one growing buffer out
 * of Node's pool; payload given by reference becomes a chunk of its own and is never copied. One writer may serve a whole
 * connection: `take` hands over what is written so far.
 * Ownership: the chunks of `finish` and `take` hold the caller's payload, which must not change until they are sent.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import { uuidToBytes } from './uuid.ts'

const HIGH_WORD = 2 ** 32
const CAPACITY_FIRST = 512 // served by Node's pool without an allocation of its own
const COPY_BYTES_MAX = 512 // below it a copy costs less than one more chunk in the socket's list
const INT16_MAX = 0x7fff

export class Writer {
  #buffer: Buffer
  #view: DataView
  #start = 0 // of the open part: bytes before it belong to finished chunks
  #at = 0
  #chunksBytes = 0
  #chunks: Uint8Array[] = []
  readonly #capacity: number
  #taken = false

  constructor(capacity = CAPACITY_FIRST) {
    this.#capacity = capacity
    this.#buffer = Buffer.allocUnsafe(capacity)
    this.#view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.length)
  }

  get byteLength(): number {
    return this.#chunksBytes + this.#at - this.#start
  }

  int8(value: number): void {
    const at = this.#room(1)
    this.#view.setInt8(at, value)
  }

  int16(value: number): void {
    const at = this.#room(2)
    this.#view.setInt16(at, value)
  }

  int32(value: number): void {
    const at = this.#room(4)
    this.#view.setInt32(at, value)
  }

  uint8(value: number): void {
    const at = this.#room(1)
    this.#view.setUint8(at, value)
  }

  uint16(value: number): void {
    const at = this.#room(2)
    this.#view.setUint16(at, value)
  }

  uint32(value: number): void {
    const at = this.#room(4)
    this.#view.setUint32(at, value)
  }

  int64(value: number): void {
    const at = this.#room(8)
    this.#view.setInt32(at, Math.floor(value / HIGH_WORD))
    this.#view.setUint32(at + 4, value >>> 0)
  }

  float64(value: number): void {
    const at = this.#room(8)
    this.#view.setFloat64(at, value)
  }

  bool(value: boolean): void {
    const at = this.#room(1)
    this.#view.setUint8(at, value ? 1 : 0)
  }

  /** An unsigned varint of 32 bits. */
  uvarint(value: number): void {
    let rest = value >>> 0
    if (rest < 0x80) {
      this.uint8(rest)
      return
    }
    for (; rest >= 0x80; rest >>>= 7) this.uint8((rest & 0x7f) | 0x80)
    this.uint8(rest)
  }

  /** A zigzag varint of 32 bits. */
  varint(value: number): void {
    this.uvarint((value << 1) ^ (value >> 31))
  }

  /** A zigzag varint of 64 bits. @throws ZonewiseError FRAME_INVALID: no safe integer, which may be endless */
  varlong(value: number): void {
    if (!Number.isSafeInteger(value)) throw new ZonewiseError('FRAME_INVALID', 'no safe integer', { value })
    const negative = value < 0
    let rest = negative ? -(value + 1) : value // the zigzag value without its lowest bit, which is the sign
    const low = ((rest % 64) << 1) | (negative ? 1 : 0)
    rest = Math.floor(rest / 64)
    this.uint8(rest > 0 ? low | 0x80 : low)
    while (rest > 0) {
      const bits = rest % 128
      rest = Math.floor(rest / 128)
      this.uint8(rest > 0 ? bits | 0x80 : bits)
    }
  }

  string(value: string, flexible: boolean): void {
    const length = Buffer.byteLength(value)
    if (flexible) this.uvarint(length + 1)
    else {
      if (length > INT16_MAX) throw new ZonewiseError('FRAME_INVALID', 'string too long', { length })
      this.int16(length)
    }
    const at = this.#room(length)
    this.#buffer.write(value, at, 'utf8')
  }

  nullableString(value: string | null, flexible: boolean): void {
    if (value !== null) this.string(value, flexible)
    else if (flexible) this.uvarint(0)
    else this.int16(-1)
  }

  /** Copies short bytes, takes longer ones by reference. */
  bytes(value: Uint8Array, flexible: boolean): void {
    this.#length32(value.length, flexible)
    this.raw(value)
  }

  nullableBytes(value: Uint8Array | null, flexible: boolean): void {
    if (value !== null) this.bytes(value, flexible)
    else this.#length32(-1, flexible)
  }

  uuid(value: string): void {
    const at = this.#room(16)
    this.#buffer.set(uuidToBytes(value), at)
  }

  /** Count of an array's elements; -1 for null. */
  arrayCount(count: number, flexible: boolean): void {
    this.#length32(count, flexible)
  }

  emptyTags(): void {
    this.uint8(0)
  }

  /** Appends bytes without a length: short ones are copied, longer ones taken by reference. */
  raw(value: Uint8Array): void {
    if (value.length > COPY_BYTES_MAX) {
      this.#push(value)
      return
    }
    const at = this.#room(value.length)
    this.#buffer.set(value, at)
  }

  /** Appends chunks without a length, in order; the long ones by reference. */
  bytesByReference(chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) this.raw(chunk)
  }

  /** The chunks in order. The writer must not be used any more. */
  finish(): Uint8Array[] {
    this.#close()
    return this.#chunks
  }

  /** The chunks in order; the writer goes on behind them, in the rest of its buffer. */
  take(): Uint8Array[] {
    this.#close()
    const chunks = this.#chunks
    this.#chunks = []
    this.#chunksBytes = 0
    this.#taken = true
    return chunks
  }

  /** Takes back everything from `position` on (a `byteLength` of before), as chunks. */
  cutFrom(position: number): Uint8Array[] {
    this.#close()
    const cut: Uint8Array[] = []
    while (this.#chunksBytes > position) {
      const last = this.#chunks.pop()!
      const keep = Math.max(0, position - (this.#chunksBytes - last.length))
      this.#chunksBytes -= last.length - keep
      if (keep > 0) this.#chunks.push(last.subarray(0, keep))
      cut.push(keep > 0 ? last.subarray(keep) : last)
    }
    return cut.reverse()
  }

  /** Writes over the four bytes at `position`, which an `int32` or `uint32` wrote and nobody has taken. */
  patchUint32(position: number, value: number): void {
    const open = position - this.#chunksBytes
    if (open >= 0) {
      this.#view.setUint32(this.#start + open, value)
      return
    }
    let behind = this.#chunksBytes - position // bytes from there to the end of the closed chunks
    let i = this.#chunks.length - 1
    for (; behind > this.#chunks[i]!.length; i--) behind -= this.#chunks[i]!.length
    const chunk = this.#chunks[i]!
    new DataView(chunk.buffer, chunk.byteOffset + chunk.length - behind, 4).setUint32(0, value)
  }

  #length32(length: number, flexible: boolean): void {
    if (flexible) this.uvarint(length + 1)
    else this.int32(length)
  }

  #push(chunk: Uint8Array): void {
    this.#close()
    this.#chunks.push(chunk)
    this.#chunksBytes += chunk.length
  }

  #close(): void {
    if (this.#at === this.#start) return
    this.#chunks.push(this.#buffer.subarray(this.#start, this.#at))
    this.#chunksBytes += this.#at - this.#start
    this.#start = this.#at
  }

  /** Takes `length` bytes; growing replaces the buffer, so callers name it only after this call. */
  #room(length: number): number {
    const at = this.#at
    if (at + length > this.#buffer.length) return this.#grow(length)
    this.#at = at + length
    return at
  }

  #grow(length: number): number {
    const open = this.#at - this.#start
    const sameBytes = this.#taken ? this.#capacity : 2 * this.#buffer.length
    const grown = Buffer.allocUnsafe(Math.max(sameBytes, 2 * (open + length)))
    this.#buffer.copy(grown, 0, this.#start, this.#at)
    this.#buffer = grown
    this.#view = new DataView(grown.buffer, grown.byteOffset, grown.length)
    this.#start = 0
    this.#at = open + length
    return open
  }
}
