/**
 * The hash behind every placement. Its values decide which shard holds a partition or a group for the whole life of a
 * cluster: they are golden-tested and never change. FNV-1a of 32 bits over the bytes, then murmur3's finalizer, because
 * FNV alone leaves the low bits of similar keys similar.
 * Bytes hashed: each UTF-16 code unit low byte first; a number as four bytes, low first.
 */
const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

function addText(hash: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    hash = Math.imul(hash ^ (unit & 0xff), FNV_PRIME)
    hash = Math.imul(hash ^ (unit >>> 8), FNV_PRIME)
  }
  return hash
}

function addNumber(hash: number, value: number): number {
  for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((value >>> shift) & 0xff), FNV_PRIME)
  return hash
}

function finish(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** A whole number in [0, 2^32). */
export function hashText(text: string): number {
  return finish(addText(FNV_OFFSET, text))
}

let lastText = ''
let lastTextHash = addText(FNV_OFFSET, lastText)

/** As `hashText`, of a text and a 32-bit whole number. Mostly the text is that of the call before. */
export function hashTextAndNumber(text: string, value: number): number {
  if (text !== lastText) {
    lastText = text
    lastTextHash = addText(FNV_OFFSET, text)
  }
  return finish(addNumber(lastTextHash, value))
}

/** As `hashText`, of two 32-bit whole numbers behind a text that keeps uses apart. */
export function hashNumbers(use: string, first: number, second: number): number {
  return finish(addNumber(addNumber(addText(FNV_OFFSET, use), first), second))
}
