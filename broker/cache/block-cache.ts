/**
 * Chunk bytes that a zone read from the store: extents by chunk, bounded by bytes, the chunk used longest ago out
 * first. Chunks read far behind the tail are kept apart: they may use what is free, and never push out more of the tail
 * than their own share.
 * What is wanted twice at once is read once. A first miss on a chunk reads the ranges asked for, joined over small
 * gaps; a second one at the tail reads the rest of the chunk: its other partitions are wanted as well.
 */
import { blockBytes, release, type MemoryPool } from '#shared/binary/memory-pool.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import type { ByteRange, ObjectStore } from '#shared/store/object-store.ts'
import { corrupt, Extent, firstDamage } from './extent.ts'
import { CacheMetrics } from './metrics.ts'
import { ReadQueue, type ReadQueueSettings } from './read-queue.ts'

export type BlockCacheSettings = ReadQueueSettings & {
  readonly readCacheBytesMax: number
  readonly readChunkBytesMax: number
  readonly readGapBytesMax: number
  readonly readAheadBytesMax: number // read before somebody asked, and not asked for yet
}

type Age = 'tail' | 'cold'
type Kept = { bytes: number; isAhead: boolean } // bytes: counted in the cache's; 0 before they are here
/** In its list as long as it has extents. */
type CachedChunk = {
  readonly key: string; age: Age; readonly extents: Map<Extent, Kept>
  bytes: number // kept
  end: number | null // null: not seen yet
}

const MiB = 1_024 * 1_024
const PIECE_BYTES = 2 * MiB // what is read together, but for a bigger range
const COLD_SHARE = 1 / 4
const TAIL_SHARE = 1 / 2 // what lies further behind than half a cache of chunks is cold
/** What the bookkeeping takes, so that many small extents stay inside the bound too. */
const EXTENT_BYTES = 512
const CHECKED_BYTES = 64

export class BlockCache {
  readonly #store: ObjectStore
  readonly #memory: MemoryPool
  readonly #settings: BlockCacheSettings
  readonly #queue: ReadQueue
  readonly #metrics: CacheMetrics
  // in order of last use
  readonly #chunks = { tail: new Map<string, CachedChunk>(), cold: new Map<string, CachedChunk>() }
  readonly #bytes = { tail: 0, cold: 0 }
  #aheadBytes = 0
  #chunkBytes: number // about what a chunk has, as chunks are now

  constructor(
    store: ObjectStore, memory: MemoryPool, settings: BlockCacheSettings, metrics = new CacheMetrics(new Metrics(), '')
  ) {
    this.#store = store
    this.#memory = memory
    this.#settings = settings
    this.#queue = new ReadQueue(settings)
    this.#chunkBytes = Math.min(MiB, settings.readChunkBytesMax)
    this.#metrics = metrics
    metrics.watch(() => ({
      tailBytes: this.#bytes.tail, coldBytes: this.#bytes.cold, aheadBytes: this.#aheadBytes,
      readsRunning: this.#queue.running, readsWaiting: this.#queue.waiting
    }))
  }

  /** Bytes held, bookkeeping included; reads under way are bounded on their own. */
  get bytes(): number {
    return this.#bytes.tail + this.#bytes.cold
  }

  /** So many of the newest chunks are the tail, as big as chunks are now; those behind them are cold. */
  get chunksAtTail(): number {
    return this.#settings.readCacheBytesMax * TAIL_SHARE / this.#chunkBytes
  }

  /**
   * One promise a range (ascending, on batch bounds): a range that fails spares the others. Buffers are held for the
   * caller and belong to the cache: only the header patch may change them. `chunksBehind`: how many newer
   * ones there are.
   * @throws ZonewiseError of the store; OBJECT_CORRUPT naming key and position; OVERLOADED: too many reads wait.
   */
  read(key: string, ranges: readonly ByteRange[], chunksBehind: number): Promise<Uint8Array>[] {
    const chunk = this.#touch(key, this.#ageOf(chunksBehind))
    const missing = ranges.filter((range) => covering(chunk, range) === undefined)
    this.#count(ranges, missing)
    if (missing.length > 0) for (const joined of this.#join(chunk, missing)) this.#load(chunk, joined, false)
    this.#forgetIfEmpty(chunk) // nothing was asked for
    return ranges.map((range) => this.#readRange(chunk, covering(chunk, range)!, range))
  }

  /** Begins to read what will be wanted soon, if there is room; what fails is told to whoever asks for it then. */
  readAhead(key: string, ranges: readonly ByteRange[], chunksBehind: number): void {
    const chunk = this.#touch(key, this.#ageOf(chunksBehind))
    const missing = ranges.filter((range) => covering(chunk, range) === undefined)
    for (const joined of this.#join(chunk, missing)) {
      const bytes = joined.end - joined.start
      if (this.#aheadBytes + bytes <= this.#settings.readAheadBytesMax && this.#queue.isFree(bytes)) {
        this.#load(chunk, joined, true)
      }
    }
    this.#forgetIfEmpty(chunk)
  }

  /** Forgets all. What is on its way still comes to who waits for it. */
  clear(): void {
    for (const list of [this.#chunks.tail, this.#chunks.cold])
      for (const chunk of list.values()) for (const extent of chunk.extents.keys()) this.#forget(chunk, extent)
  }

  #count(ranges: readonly ByteRange[], missing: readonly ByteRange[]): void {
    const [allBytes, missBytes] = [sumOf(ranges), sumOf(missing)]
    this.#metrics.hits.add(ranges.length - missing.length)
    this.#metrics.misses.add(missing.length)
    this.#metrics.hitBytes.add(allBytes - missBytes)
    this.#metrics.missBytes.add(missBytes)
  }

  async #readRange(chunk: CachedChunk, extent: Extent, range: ByteRange): Promise<Uint8Array> {
    const kept = chunk.extents.get(extent)!
    if (kept.isAhead) this.#endAhead(kept, extent)
    const checkedBefore = extent.checkedCount
    const found = await extent.read(range)
    if (found === null) return this.#readAgain(chunk.key, range)
    if (kept.bytes > 0 && extent.checkedCount > checkedBefore) this.#hold(chunk, kept, CHECKED_BYTES)
    return found
  }

  /** The damage may be ours, or have been put right meanwhile. */
  async #readAgain(key: string, range: ByteRange): Promise<Uint8Array> {
    const { start, end } = range
    await this.#store.head(key) // an object that was put back is another file
    const bytes = await this.#queue.run(end - start, () => this.#store.get(key, range, this.#memory))
    const isShort = bytes.byteLength < end - start
    const damagedAt = isShort ? 0 : firstDamage(bytes)
    if (damagedAt === -1) return bytes
    release(bytes)
    if (isShort) throw corrupt('chunk is shorter than its index says', key, start)
    throw corrupt('batch in a chunk does not match its checksum', key, start + damagedAt)
  }

  #ageOf(chunksBehind: number): Age {
    return chunksBehind > this.chunksAtTail ? 'cold' : 'tail'
  }

  /** The chunk, made the one used last; a cold reader leaves one of the tail where it is. */
  #touch(key: string, age: Age): CachedChunk {
    const { tail, cold } = this.#chunks
    const chunk = tail.get(key) ?? cold.get(key) ?? { key, age, extents: new Map<Extent, Kept>(), bytes: 0, end: null }
    if (chunk.age === 'tail' && age === 'cold') return chunk
    this.#chunks[chunk.age].delete(key)
    this.#bytes[chunk.age] -= chunk.bytes
    this.#bytes[age] += chunk.bytes
    chunk.age = age
    this.#chunks[age].set(key, chunk)
    return chunk
  }

  /** What to ask the store for, so that all of `missing` is covered. */
  #join(chunk: CachedChunk, missing: readonly ByteRange[]): ByteRange[] {
    const { readGapBytesMax, readChunkBytesMax } = this.#settings
    const lastEnd = missing.reduce((max, { end }) => Math.max(max, end), 0)
    if (chunk.age === 'tail' && chunk.extents.size > 0 && lastEnd <= readChunkBytesMax) {
      const guess = chunk.end ?? Math.min(Math.max(MiB, 2 * this.#chunkBytes), readChunkBytesMax)
      const pieces = cutAt([...chunk.extents.keys(), ...missing], Math.max(lastEnd, guess))
      return pieces.filter((piece) => covering(chunk, piece) === undefined)
    }
    const joined: { readonly start: number; end: number }[] = []
    for (const { start, end } of missing) {
      const last = joined.at(-1)
      const isNear = last !== undefined && start >= last.start && start - last.end <= readGapBytesMax
      if (isNear && last.end - last.start < PIECE_BYTES) last.end = Math.max(last.end, end)
      else joined.push({ start, end })
    }
    return joined
  }

  #load(chunk: CachedChunk, range: ByteRange, isAhead: boolean): void {
    const read = this.#queue.run(range.end - range.start, () => this.#store.get(chunk.key, range, this.#memory))
    const extent = new Extent(range, read)
    const kept: Kept = { bytes: 0, isAhead }
    if (isAhead) this.#aheadBytes += range.end - range.start
    chunk.extents.set(extent, kept)
    extent.arrived().then(() => {
      if (isAhead && kept.isAhead) this.#aheadBytes -= range.end - extent.end // what the chunk had less
      this.#learnSize(chunk, range, extent.end)
      this.#keep(chunk, extent, kept)
    }, () => {
      if (kept.isAhead) this.#endAhead(kept, range)
      this.#forget(chunk, extent) // the next reader tries again
    })
  }

  /** Takes an extent in whose bytes are here. What is covered by another one need not be kept twice. */
  #keep(chunk: CachedChunk, extent: Extent, kept: Kept): void {
    if (!chunk.extents.has(extent)) return // cleared meanwhile
    const others = [...chunk.extents].filter(([other, { bytes }]) => other !== extent && bytes > 0)
    const isEmpty = extent.end === extent.start
    if (isEmpty || others.some(([other]) => other.covers(extent))) return this.#forget(chunk, extent)
    for (const [other] of others) if (extent.covers(other)) this.#forget(chunk, other)
    this.#hold(chunk, kept, blockBytes(extent.end - extent.start) + EXTENT_BYTES)
    this.#evict()
  }

  #hold(chunk: CachedChunk, kept: Kept, bytes: number): void {
    kept.bytes += bytes
    chunk.bytes += bytes
    this.#bytes[chunk.age] += bytes
  }

  #forget(chunk: CachedChunk, extent: Extent): void {
    const kept = chunk.extents.get(extent)
    if (kept === undefined) return
    chunk.extents.delete(extent)
    extent.drop()
    if (kept.isAhead) this.#endAhead(kept, extent)
    chunk.bytes -= kept.bytes
    this.#bytes[chunk.age] -= kept.bytes
    kept.bytes = 0
    this.#forgetIfEmpty(chunk)
  }

  #forgetIfEmpty({ key, age, extents }: CachedChunk): void {
    if (extents.size === 0) this.#chunks[age].delete(key)
  }

  #endAhead(kept: Kept, { start, end }: ByteRange): void {
    kept.isAhead = false
    this.#aheadBytes -= end - start
  }

  #evict(): void {
    const { readCacheBytesMax } = this.#settings
    const isOver = (): boolean => this.bytes > readCacheBytesMax
    this.#evictFrom('cold', () => isOver() && this.#bytes.cold > readCacheBytesMax * COLD_SHARE)
    this.#evictFrom('tail', isOver)
  }

  #evictFrom(age: Age, goOn: () => boolean): void {
    for (const chunk of this.#chunks[age].values()) {
      if (!goOn()) return
      if (chunk.bytes === 0) continue // only on its way
      for (const [extent, { bytes }] of [...chunk.extents]) if (bytes > 0) this.#forget(chunk, extent)
    }
  }

  /** A read that brought less than it asked for shows where the chunk ends; one that did not, that it is no smaller. */
  #learnSize(chunk: CachedChunk, { start, end }: ByteRange, readEnd: number): void {
    if (readEnd < end && readEnd > start) {
      chunk.end = readEnd
      this.#chunkBytes = Math.ceil((3 * this.#chunkBytes + readEnd) / 4)
    } else if (readEnd === end && end > this.#chunkBytes)
      this.#chunkBytes = Math.min(end, this.#settings.readChunkBytesMax)
  }
}

function sumOf(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0)
}

/**
 * [0, end) in pieces, cut only where a range is known to begin or to end: big blocks of memory fit badly beside each
 * other, and a piece that cuts a range in two is of no use to who wants it.
 */
function cutAt(known: readonly ByteRange[], end: number): ByteRange[] {
  const bounds = known.flatMap((range) => [range.start, range.end]).filter((bound) => bound < end).sort((a, b) => a - b)
  const pieces: ByteRange[] = []
  let start = 0
  for (const bound of bounds) {
    const isInside = known.some((range) => range.start < bound && bound < range.end)
    if (isInside || bound - start < PIECE_BYTES) continue
    pieces.push({ start, end: bound })
    start = bound
  }
  return [...pieces, { start, end }]
}

function covering({ extents }: CachedChunk, range: ByteRange): Extent | undefined {
  for (const extent of extents.keys()) if (extent.covers(range)) return extent
  return undefined
}
