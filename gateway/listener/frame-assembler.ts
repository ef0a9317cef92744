/**
 * Cuts the bytes of one connection into request frames (four bytes of length, then the frame). Pure.
 * What `push` is given is valid during the call only, so each frame is copied out once; a frame that comes in pieces
 * gets room as its bytes arrive, at most four times of what is here: a lying length costs nothing.
 */
import { release, retain } from '#shared/binary/memory-pool.ts'
import type { FrameArena } from './frame-arena.ts'

const LENGTH_BYTES = 4
const ROOM_BYTES_MIN = 4_096
const GROWTH = 4
const API_KEY_BYTES = 2 // at the start of a frame; Produce is 0

export type FrameSink = {
  /** One frame without its length, held by the sink. */
  frame(frame: Buffer): void
}

export class FrameAssembler {
  readonly #arena: FrameArena
  readonly #frameBytesMax: number
  readonly #sink: FrameSink
  #prefix = 0 // the length's bytes read so far
  #prefixBytes = 0
  #length = -1 // of the frame under way; -1: none
  #room: Buffer | null = null // of the frame under way; grows up to `#length`
  #filled = 0
  #refused = false

  constructor(arena: FrameArena, frameBytesMax: number, sink: FrameSink) {
    this.#arena = arena
    this.#frameBytesMax = frameBytesMax
    this.#sink = sink
  }

  /** Memory held for a frame that is not complete. */
  get heldBytes(): number {
    return this.#room === null ? 0 : this.#room.length
  }

  /** Takes the next bytes. False, now and for ever, once a length is negative or above the bound: close. */
  push(bytes: Uint8Array): boolean {
    let at = 0
    while (!this.#refused && at < bytes.length) {
      if (this.#room !== null) {
        at = this.#fill(bytes, at)
        continue
      }
      at = this.#readLength(bytes, at)
      if (this.#length < 0) continue // bytes of it are missing, or it was refused
      if (bytes.length - at < this.#length) this.#room = this.#roomFor(bytes.length - at, isProduce(bytes, at))
      else at = isProduce(bytes, at) ? this.#wholeOnes(bytes, at) : this.#whole(bytes, at)
    }
    return !this.#refused
  }

  /** Forgets the frame under way. */
  close(): void {
    if (this.#room !== null) release(this.#room)
    this.#room = null
    this.#refused = true
  }

  #readLength(bytes: Uint8Array, start: number): number {
    let at = start
    while (at < bytes.length && this.#prefixBytes < LENGTH_BYTES) {
      this.#prefix = (this.#prefix << 8) | bytes[at++]!
      this.#prefixBytes += 1
    }
    if (this.#prefixBytes < LENGTH_BYTES) return at
    const length = this.#prefix
    this.#prefix = 0
    this.#prefixBytes = 0
    if (length < 0 || length > this.#frameBytesMax) this.#refused = true
    else this.#length = length
    return at
  }

  #whole(bytes: Uint8Array, at: number): number {
    const end = at + this.#length
    const frame = this.#arena.take(this.#length)
    frame.set(bytes.subarray(at, end))
    this.#length = -1
    this.#sink.frame(frame)
    return end
  }

  /** Hands on a Produce frame and those that follow it whole: they are views of one copy. */
  #wholeOnes(bytes: Uint8Array, start: number): number {
    const end = this.#endOfWhole(bytes, start)
    const copy = this.#arena.lend(end - start)
    copy.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end))
    let at = start
    for (;;) {
      const frame = copy.subarray(at - start, at - start + this.#length)
      at += this.#length
      this.#length = -1
      retain(frame)
      this.#sink.frame(frame)
      if (at === end || this.#refused) break
      at = this.#readLength(bytes, at)
    }
    release(copy)
    return at
  }

  /** Where the last of the Produce frames ends that follow each other whole. */
  #endOfWhole(bytes: Uint8Array, start: number): number {
    let end = start + this.#length
    while (end + LENGTH_BYTES + API_KEY_BYTES <= bytes.length) {
      const at = end + LENGTH_BYTES
      const length = (bytes[end]! << 24) | (bytes[end + 1]! << 16) | (bytes[end + 2]! << 8) | bytes[end + 3]!
      if (length < 0 || length > this.#frameBytesMax || length > bytes.length - at || !isProduce(bytes, at)) break
      end = at + length
    }
    return end
  }

  #fill(bytes: Uint8Array, at: number): number {
    const count = Math.min(bytes.length - at, this.#length - this.#filled)
    if (this.#filled + count > this.#room!.length) {
      const grown = this.#roomFor(this.#filled + count, isProduce(this.#room!.subarray(0, this.#filled), 0))
      grown.set(this.#room!.subarray(0, this.#filled))
      release(this.#room!)
      this.#room = grown
    }
    const room = this.#room!
    room.set(bytes.subarray(at, at + count), this.#filled)
    this.#filled += count
    if (this.#filled === this.#length) {
      this.#room = null
      this.#filled = 0
      this.#length = -1
      this.#sink.frame(room)
    }
    return at + count
  }

  #roomFor(arrivedBytes: number, lent: boolean): Buffer {
    const bytes = Math.min(this.#length, Math.max(ROOM_BYTES_MIN, GROWTH * arrivedBytes))
    if (bytes < this.#length) return this.#arena.room(bytes)
    return lent ? this.#arena.lend(bytes) : this.#arena.take(bytes)
  }
}

/** Whether the frame that begins at `at` is known to be a Produce request: only those are big, many and released. */
function isProduce(bytes: Uint8Array, at: number): boolean {
  return bytes.length - at >= API_KEY_BYTES && bytes[at] === 0 && bytes[at + 1] === 0
}
