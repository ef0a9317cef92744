/**
 * Reads big-endian primitives of the Kafka protocol (and of our own messages, which use the same ones) from one array.
 * Every length and count comes from a peer and is a lie until it is checked: a read never passes the end, and nothing
 * is allocated for a length that the bytes at hand could not hold. Arrays returned are views: the caller owns them as
 * long as it owns the frame, and must not change them.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'

const HIGH_WORD = 2 ** 32

function invalid(message: string, at: number): ZonewiseError {
  return new ZonewiseError('FRAME_INVALID', message, { at })
}

export class Reader {
  readonly #bytes: Buffer
  readonly #end: number // exclusive
  #at: number
  #elementsLeft: number // of arrays, over the whole message

  /**
   * Reads `bytes` from `at` up to `end` (exclusive; the whole array unless given). `elementsMax` bounds the elements of
   * all arrays together: a small element becomes an object much larger than its bytes.
   */
  constructor(bytes: Uint8Array, at = 0, end = bytes.length, elementsMax = Infinity) {
    if (at < 0 || end > bytes.length || at > end) throw invalid('range outside the bytes', at)
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#at = at
    this.#end = end
    this.#elementsLeft = elementsMax
  }

  /** Index of the next byte in the array given to the constructor. */
  get position(): number {
    return this.#at
  }

  get remaining(): number {
    return this.#end - this.#at
  }

  // Byte by byte: to make a DataView costs as much as reading a small message.

  int8(): number {
    return this.uint8() << 24 >> 24
  }

  int16(): number {
    return this.uint16() << 16 >> 16
  }

  int32(): number {
    const at = this.#take(4)
    const bytes = this.#bytes
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  }

  uint8(): number {
    return this.#bytes[this.#take(1)]!
  }

  uint16(): number {
    const at = this.#take(2)
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!
  }

  uint32(): number {
    return this.int32() >>> 0
  }

  /** @throws ZonewiseError FRAME_INVALID also if the value is no safe integer. */
  int64(): number {
    const at = this.#at
    const value = this.int32() * HIGH_WORD + this.uint32()
    if (!Number.isSafeInteger(value)) throw invalid('integer beyond 2^53', at)
    return value
  }

  float64(): number {
    return this.#bytes.readDoubleBE(this.#take(8))
  }

  bool(): boolean {
    return this.uint8() !== 0
  }

  /** An unsigned varint of at most 32 bits (5 bytes). */
  uvarint(): number {
    const first = this.uint8()
    if (first < 0x80) return first
    let value = first & 0x7f
    for (let shift = 7; shift < 28; shift += 7) {
      const byte = this.uint8()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    const last = this.uint8()
    if (last > 0x0f) throw invalid('varint beyond 32 bits', this.#at)
    return (value | (last << 28)) >>> 0
  }

  /** A zigzag varint of 32 bits. */
  varint(): number {
    const value = this.uvarint()
    return (value >>> 1) ^ -(value & 1)
  }

  /** A zigzag varint of 64 bits (at most 10 bytes). @throws ZonewiseError FRAME_INVALID also beyond 2^53. */
  varlong(): number {
    const first = this.uint8()
    let magnitude = (first & 0x7f) >>> 1
    let byte = first
    for (let unit = 2 ** 6, count = 1; byte >= 0x80; unit *= 128, count++) {
      if (count === 10) throw invalid('varint beyond 64 bits', this.#at)
      byte = this.uint8()
      magnitude += (byte & 0x7f) * unit
    }
    if (magnitude > Number.MAX_SAFE_INTEGER) throw invalid('integer beyond 2^53', this.#at)
    if ((first & 1) === 0) return magnitude
    if (magnitude === Number.MAX_SAFE_INTEGER) throw invalid('integer beyond 2^53', this.#at)
    return -magnitude - 1
  }

  string(flexible: boolean): string {
    const length = this.#length16(flexible)
    if (length < 0) throw invalid('null where a string must be', this.#at)
    return this.#text(length)
  }

  nullableString(flexible: boolean): string | null {
    const length = this.#length16(flexible)
    return length < 0 ? null : this.#text(length)
  }

  /** A view of the bytes, not a copy. */
  bytes(flexible: boolean): Uint8Array {
    const length = this.#length32(flexible)
    if (length < 0) throw invalid('null where bytes must be', this.#at)
    return this.slice(length)
  }

  /** A view of the bytes, not a copy. */
  nullableBytes(flexible: boolean): Uint8Array | null {
    const length = this.#length32(flexible)
    return length < 0 ? null : this.slice(length)
  }

  /** The text form of 16 bytes; see uuid.ts. */
  uuid(): string {
    const at = this.#take(16)
    return this.#bytes.toString('base64url', at, at + 16)
  }

  /** A view of the next `length` bytes, not a copy. */
  slice(length: number): Uint8Array {
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  /**
   * Count of an array's elements, or -1 for null. `elementBytesMin` is what one element takes at least: a count that
   * the remaining bytes could not hold is refused before anything is allocated for it.
   */
  arrayCount(flexible: boolean, elementBytesMin: number): number {
    const count = flexible ? this.uvarint() - 1 : this.int32()
    if (count < -1) throw invalid('negative count', this.#at)
    if (count * elementBytesMin > this.remaining) throw invalid('count beyond the end', this.#at)
    if (count > this.#elementsLeft) throw invalid('too many elements', this.#at)
    if (count > 0) this.#elementsLeft -= count
    return count
  }

  /** Steps over a tag section whose every tag is unknown. */
  skipTags(): void {
    for (let count = this.uvarint(); count > 0; count--) {
      this.uvarint()
      this.#take(this.uvarint())
    }
  }

  /** @throws ZonewiseError FRAME_INVALID if bytes are left over. */
  expectEnd(): void {
    if (this.#at !== this.#end) throw invalid('bytes left over', this.#at)
  }

  #take(length: number): number {
    const at = this.#at
    if (length < 0 || length > this.#end - at) throw invalid('bytes missing', at)
    this.#at = at + length
    return at
  }

  #text(length: number): string {
    if (length === 0) return ''
    const at = this.#take(length)
    return this.#bytes.toString('utf8', at, at + length)
  }

  #length16(flexible: boolean): number {
    const length = flexible ? this.uvarint() - 1 : this.int16()
    if (length < -1) throw invalid('negative length', this.#at)
    return length
  }

  #length32(flexible: boolean): number {
    const length = flexible ? this.uvarint() - 1 : this.int32()
    if (length < -1) throw invalid('negative length', this.#at)
    return length
  }
}
