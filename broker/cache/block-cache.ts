/**
 * Chunk bytes that a zone read from the store: extents by chunk, bounded by bytes, the chunk used longest ago out first.
 * What is wanted twice at once is read once. A first miss on a chunk reads the ranges asked for, joined over small gaps;
 * a second one reads the rest of the chunk: its other partitions are wanted as well.
 * Batches are checked against their own CRC when they are first asked for.
 */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { batchCrcMatches, batchLengthAt } from '#shared/records/batch-header.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'

export type BlockCacheSettings = { readonly readCacheBytesMax: number; readonly readChunkBytesMax: number; readonly readGapBytesMax: number; readonly readsMax: number }
export type ByteRange = { readonly start: number; readonly end: number }

type Extent = { readonly start: number; end: number; readonly bytes: Promise<Uint8Array>; readonly checked: Set<number>; held: number }
type CachedChunk = { readonly extents: Extent[]; bytes: number }

export class BlockCache {
  readonly #store: ObjectStore
  readonly #settings: BlockCacheSettings
  readonly #chunks = new Map<string, CachedChunk>() // in order of last use
  #bytes = 0
  #reads = 0

  constructor(store: ObjectStore, settings: BlockCacheSettings) {
    this.#store = store
    this.#settings = settings
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * One buffer a range (ascending, on batch bounds). They belong to the cache: only the header patch may change them.
   * @throws ZonewiseError of the store; OBJECT_CORRUPT naming key and position; OVERLOADED: too many reads at once.
   */
  async read(key: string, ranges: readonly ByteRange[]): Promise<Uint8Array[]> {
    const chunk = this.#chunks.get(key) ?? { extents: [], bytes: 0 }
    this.#chunks.delete(key)
    this.#chunks.set(key, chunk)
    const missing = ranges.filter((range) => covering(chunk, range) === undefined)
    if (missing.length > 0) this.#load(key, chunk, missing)
    const extents = ranges.map((range) => covering(chunk, range))
    return Promise.all(ranges.map(async ({ start, end }, i) => {
      const extent = extents[i]
      if (extent === undefined) throw new ZonewiseError('OBJECT_CORRUPT', 'chunk is shorter than its index says', { key, position: start })
      const bytes = await extent.bytes
      if (end > extent.start + bytes.byteLength) throw new ZonewiseError('OBJECT_CORRUPT', 'chunk is shorter than its index says', { key, position: start })
      const found = bytes.subarray(start - extent.start, end - extent.start)
      if (!extent.checked.has(start)) checkBatches(key, found, start)
      extent.checked.add(start)
      return found
    }))
  }

  #load(key: string, chunk: CachedChunk, missing: readonly ByteRange[]): void {
    const { readGapBytesMax, readChunkBytesMax, readsMax } = this.#settings
    const whole = chunk.extents.length > 0 && (missing.at(-1)?.end ?? 0) <= readChunkBytesMax
    const joined: { start: number; end: number }[] = []
    if (whole) joined.push({ start: 0, end: readChunkBytesMax })
    else for (const { start, end } of missing) {
      const last = joined.at(-1)
      if (last !== undefined && start - last.end <= readGapBytesMax) last.end = Math.max(last.end, end)
      else joined.push({ start, end })
    }
    if (this.#reads + joined.length > readsMax) throw new ZonewiseError('OVERLOADED', 'too many reads of the store at once', { setting: 'readsMax', max: readsMax })
    for (const range of joined) this.#loadExtent(key, chunk, range)
  }

  #loadExtent(key: string, chunk: CachedChunk, { start, end }: ByteRange): void {
    this.#reads += 1
    const bytes = this.#store.get(key, { start, end })
    const extent: Extent = { start, end, bytes, checked: new Set(), held: 0 }
    chunk.extents.push(extent)
    bytes.then((read) => {
      this.#reads -= 1
      if (this.#chunks.get(key) !== chunk) return // evicted meanwhile: its readers still have it
      extent.end = start + read.byteLength
      extent.held = read.byteLength
      // What this extent covers need not be kept twice.
      for (const other of chunk.extents.filter((one) => one !== extent && one.held > 0 && one.start >= start && one.end <= extent.end)) this.#forget(chunk, other)
      chunk.bytes += read.byteLength
      this.#bytes += read.byteLength
      this.#evict()
    }, () => {
      this.#reads -= 1
      this.#forget(chunk, extent) // the next reader tries again
      if (chunk.extents.length === 0 && this.#chunks.get(key) === chunk) this.#chunks.delete(key)
    })
  }

  #forget(chunk: CachedChunk, extent: Extent): void {
    chunk.extents.splice(chunk.extents.indexOf(extent), 1)
    chunk.bytes -= extent.held
    this.#bytes -= extent.held
  }

  #evict(): void {
    for (const [key, chunk] of this.#chunks) {
      if (this.#bytes <= this.#settings.readCacheBytesMax) return
      this.#chunks.delete(key)
      this.#bytes -= chunk.bytes
    }
  }
}

function covering(chunk: CachedChunk, { start, end }: ByteRange): Extent | undefined {
  return chunk.extents.find((extent) => extent.start <= start && end <= extent.end)
}

function checkBatches(key: string, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.byteLength;) {
    const length = batchLengthAt(bytes, at)
    if (length === -1 || !batchCrcMatches(bytes, at, length))
      throw new ZonewiseError('OBJECT_CORRUPT', 'batch in a chunk does not match its checksum', { key, position: position + at })
    at += length
  }
}
