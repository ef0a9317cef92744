/**
 * Reads snappy, raw or in the blocks of xerial's Java library, which Kafka's own clients write:
 *   xerial  magic 8 bytes | version i32 | compatible i32, then per block: length i32 | raw snappy
 *   raw     length of the content (varint), then elements: a literal, or a copy of what came before
 * Source: format_description.txt of Snappy; SnappyOutputStream of snappy-java.
 */
const XERIAL_MAGIC = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00] as const
const XERIAL_HEADER_BYTES = 16
const BLOCK_LENGTH_BYTES = 4

/** @returns null if the bytes are not snappy or hold more than `bytesMax`. */
export function unpackSnappy(packed: Uint8Array, bytesMax: number): Uint8Array | null {
  if (!XERIAL_MAGIC.every((byte, i) => packed[i] === byte)) return unpackRaw(packed, bytesMax)
  if (packed.byteLength < XERIAL_HEADER_BYTES) return null
  const blocks: Uint8Array[] = []
  let left = bytesMax
  for (let at = XERIAL_HEADER_BYTES; at < packed.byteLength;) {
    if (at + BLOCK_LENGTH_BYTES > packed.byteLength) return null
    const length = new DataView(packed.buffer, packed.byteOffset + at, BLOCK_LENGTH_BYTES).getUint32(0)
    at += BLOCK_LENGTH_BYTES
    if (length > packed.byteLength - at) return null
    const block = unpackRaw(packed.subarray(at, at + length), left)
    if (block === null) return null
    blocks.push(block)
    left -= block.byteLength
    at += length
  }
  return Buffer.concat(blocks)
}

function unpackRaw(packed: Uint8Array, bytesMax: number): Uint8Array | null {
  let at = 0
  let length = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = packed[at]
    if (byte === undefined || at === 5) return null
    at += 1
    length += (byte & 0x7f) * scale
    if (byte < 0x80) break
  }
  if (length > bytesMax) return null
  const out = Buffer.allocUnsafe(length)
  let to = 0
  while (at < packed.byteLength) {
    const tag = packed[at]!
    at += 1
    const kind = tag & 3
    if (kind === 0) {
      let size = (tag >>> 2) + 1
      if (size > 60) {
        const sizeBytes = size - 60
        if (at + sizeBytes > packed.byteLength) return null
        size = littleEndian(packed, at, sizeBytes) + 1
        at += sizeBytes
      }
      if (size > packed.byteLength - at || size > length - to) return null
      out.set(packed.subarray(at, at + size), to)
      at += size
      to += size
      continue
    }
    const offsetBytes = kind === 1 ? 1 : kind === 2 ? 2 : 4
    if (at + offsetBytes > packed.byteLength) return null
    const size = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    const offset = kind === 1 ? (tag >>> 5) * 256 + packed[at]! : littleEndian(packed, at, offsetBytes)
    at += offsetBytes
    if (!copyBack(out, { to, offset, size }, length)) return null
    to += size
  }
  return to === length ? out : null
}

function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!
  return value
}

/** Copies `size` bytes from `offset` before `to`; the two may overlap, then the bytes repeat. */
export function copyBack(
  out: Uint8Array, { to, offset, size }: { readonly to: number; readonly offset: number; readonly size: number },
  end: number
): boolean {
  if (offset < 1 || offset > to || size > end - to) return false
  if (offset >= size) out.copyWithin(to, to - offset, to - offset + size)
  else for (let i = 0; i < size; i++) out[to + i] = out[to - offset + i]!
  return true
}
