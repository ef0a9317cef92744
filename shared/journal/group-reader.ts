/**
 * Bodies of groups: the newest from memory, older ones from their file through a few cached blocks, because the groups
 * of many shards lie interleaved and one block serves many of them.
 */
import type { OpenFile } from '../runtime/files.ts'
import type { Segment } from './segment-files.ts'

const BLOCK_BYTES = 256 * 1024
const BLOCKS_MAX = 64
const ENTRY_OVERHEAD_BYTES = 128 // of the map and the view, so that empty bodies count too
const FILE_SPAN = 2 ** 32 // positions inside a segment are below it

export class GroupReader {
  readonly #recentBytesMax: number
  readonly #recent = new Map<number, Uint8Array>() // by place, oldest first
  #recentBytes = 0
  readonly #blocks = new Map<number, Promise<Uint8Array>>() // by place of the block, least recently used first

  constructor(recentBytesMax: number) {
    this.#recentBytesMax = recentBytesMax
  }

  /** Keeps a body that was just written. */
  keep(segment: Segment, filePosition: number, body: Uint8Array): void {
    this.#recent.set(segment.number * FILE_SPAN + filePosition, body)
    this.#recentBytes += body.byteLength + ENTRY_OVERHEAD_BYTES
    for (const [place, oldest] of this.#recent) {
      if (this.#recentBytes <= this.#recentBytesMax) break
      this.#recent.delete(place)
      this.#recentBytes -= oldest.byteLength + ENTRY_OVERHEAD_BYTES
    }
  }

  /** The body at a place, or a promise of it; the caller counts itself as a reader of the segment meanwhile. */
  read(segment: Segment, filePosition: number, bodyBytes: number): Uint8Array | Promise<Uint8Array> {
    const recent = this.#recent.get(segment.number * FILE_SPAN + filePosition)
    if (recent !== undefined) return recent
    const first = Math.floor(filePosition / BLOCK_BYTES)
    const end = filePosition + bodyBytes
    const blockEnd = (first + 1) * BLOCK_BYTES
    // A block that is not written to its end would be stale soon; a body over a block's end is read by itself.
    if (end > blockEnd || blockEnd > segment.endPosition) return segment.file.read(filePosition, bodyBytes)
    const offset = filePosition - first * BLOCK_BYTES
    return this.#block(segment, first).then((block) => block.subarray(offset, offset + bodyBytes))
  }

  /** Forgets a segment: its number will not come again. */
  forget(segment: Segment): void {
    for (const place of this.#blocks.keys())
      if (Math.floor(place / FILE_SPAN) === segment.number) this.#blocks.delete(place)
  }

  #block({ number, file }: Segment, index: number): Promise<Uint8Array> {
    const place = number * FILE_SPAN + index
    let block = this.#blocks.get(place)
    if (block === undefined) block = this.#readBlock(file, index, place)
    else this.#blocks.delete(place)
    this.#blocks.set(place, block)
    if (this.#blocks.size > BLOCKS_MAX) this.#blocks.delete(this.#blocks.keys().next().value!)
    return block
  }

  #readBlock(file: OpenFile, index: number, place: number): Promise<Uint8Array> {
    const block = file.read(index * BLOCK_BYTES, BLOCK_BYTES)
    block.catch(() => { this.#blocks.delete(place) })
    return block
  }
}
