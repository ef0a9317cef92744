/**
 * Reads the frame format of LZ4, as Kafka's clients write it. Checksums are not compared: the batch's CRC covers them.
 *   frame  magic u32 | flags u8 | block descriptor u8 | [content size u64] | [dictionary id u32] | header checksum u8 |
 *          blocks | end mark u32 (0) | [content checksum u32]; all little-endian
 *   block  size u32 (highest bit: not compressed) | bytes | [checksum u32]
 * Source: lz4_Frame_format.md and lz4_Block_format.md of LZ4.
 */
import { copyBack } from './snappy.ts'

const MAGIC = 0x184d2204
const HEADER_BYTES_MIN = 7
const U32_BYTES = 4
const FLAG = { contentSize: 0x08, blockChecksum: 0x10, dictionary: 0x01 } as const
const PLAIN_BIT = 0x8000_0000
const GROWTH = 3 // of the output over the input, to begin with

type Output = { bytes: Buffer; length: number; readonly bytesMax: number }

/** @returns null if the bytes are no LZ4 frame or hold more than `bytesMax`. */
export function unpackLz4(packed: Uint8Array, bytesMax: number): Uint8Array | null {
  if (packed.byteLength < HEADER_BYTES_MIN) return null
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const flags = packed[4]!
  if (view.getUint32(0, true) !== MAGIC || (flags & FLAG.dictionary) !== 0) return null
  let at = HEADER_BYTES_MIN + ((flags & FLAG.contentSize) !== 0 ? 8 : 0)
  const out: Output = { bytes: Buffer.allocUnsafe(Math.min(bytesMax, GROWTH * packed.byteLength)), length: 0, bytesMax }
  for (;;) {
    if (at + U32_BYTES > packed.byteLength) return null
    const size = view.getUint32(at, true)
    at += U32_BYTES
    if (size === 0) return out.bytes.subarray(0, out.length)
    const length = size >= PLAIN_BIT ? size - PLAIN_BIT : size
    if (length > packed.byteLength - at) return null
    const block = packed.subarray(at, at + length)
    if (!(size >= PLAIN_BIT ? append(out, block) : unpackBlock(out, block))) return null
    at += length + ((flags & FLAG.blockChecksum) !== 0 ? U32_BYTES : 0)
  }
}

/** Sequences of literals and copies; a copy may reach back into earlier blocks. */
function unpackBlock(out: Output, block: Uint8Array): boolean {
  const cursor = { at: 0 }
  while (cursor.at < block.byteLength) {
    const token = block[cursor.at]!
    cursor.at += 1
    const literals = lengthOf(block, cursor, token >>> 4)
    if (literals < 0 || literals > block.byteLength - cursor.at) return false
    if (!append(out, block.subarray(cursor.at, cursor.at + literals))) return false
    cursor.at += literals
    if (cursor.at === block.byteLength) return true // the last sequence has no copy
    if (cursor.at + 2 > block.byteLength) return false
    const offset = block[cursor.at]! + block[cursor.at + 1]! * 256
    cursor.at += 2
    const more = lengthOf(block, cursor, token & 15)
    if (more < 0) return false
    const size = more + 4
    if (!makeRoom(out, size)) return false
    if (!copyBack(out.bytes, { to: out.length, offset, size }, out.bytes.byteLength)) return false
    out.length += size
  }
  return true
}

/** A length of 15 goes on in the next bytes, each of 255 too. -1: they are missing. */
function lengthOf(block: Uint8Array, cursor: { at: number }, first: number): number {
  if (first < 15) return first
  let length = first
  for (;;) {
    const byte = block[cursor.at]
    if (byte === undefined) return -1
    cursor.at += 1
    length += byte
    if (byte < 255) return length
  }
}

function append(out: Output, bytes: Uint8Array): boolean {
  if (!makeRoom(out, bytes.byteLength)) return false
  out.bytes.set(bytes, out.length)
  out.length += bytes.byteLength
  return true
}

function makeRoom(out: Output, bytes: number): boolean {
  const needed = out.length + bytes
  if (needed > out.bytesMax) return false
  if (needed <= out.bytes.byteLength) return true
  const grown = Buffer.allocUnsafe(Math.min(out.bytesMax, Math.max(needed, 2 * out.bytes.byteLength)))
  grown.set(out.bytes.subarray(0, out.length))
  out.bytes = grown
  return true
}
