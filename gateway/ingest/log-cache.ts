/**
 * The chunks that this gateway wrote last, by reference: readers of its zone get them without the store. Bounded by
 * bytes, oldest out first. Buffers may be changed by the header patch only.
 */
import { releaseAll, retainAll } from '#shared/binary/memory-pool.ts'
import type { ChunkRef, Source } from '#shared/object/chunk-ref.ts'
import type { SealedChunk } from './open-chunk.ts'

type Cached = { readonly positions: Float64Array; readonly payload: readonly Uint8Array[]; readonly bytes: number }

export class LogCache {
  readonly #source: Source
  readonly #bytesMax: number
  readonly #chunks = new Map<number, Cached>() // by chunkSeq, in order of arrival
  #bytes = 0

  constructor(source: Source, bytesMax: number) {
    this.#source = source
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Takes over one hold of each buffer of the payload. */
  add(chunk: SealedChunk): void {
    const positions = new Float64Array(chunk.payload.length)
    let position = 0
    chunk.payload.forEach((bytes, i) => { positions[i] = position; position += bytes.byteLength })
    this.#chunks.set(chunk.ref.chunkSeq, { positions, payload: chunk.payload, bytes: position })
    this.#bytes += position
    for (const [chunkSeq, cached] of this.#chunks) {
      if (this.#bytes <= this.#bytesMax) break
      this.#chunks.delete(chunkSeq)
      this.#bytes -= cached.bytes
      releaseAll(cached.payload)
    }
  }

  /**
   * The batches in [start, end) of a chunk, one buffer each, held; null if the chunk is not here. Bounds
   * are batch bounds.
   */
  find({ source, chunkSeq }: ChunkRef, start: number, end: number): readonly Uint8Array[] | null {
    const cached = this.#chunks.get(chunkSeq)
    if (cached === undefined || !isSame(source, this.#source)) return null
    const first = lowerBound(cached.positions, start)
    const last = lowerBound(cached.positions, end)
    const found = cached.payload.slice(first, last)
    retainAll(found)
    return found
  }

  has({ source, chunkSeq }: ChunkRef): boolean {
    return this.#chunks.has(chunkSeq) && isSame(source, this.#source)
  }

  clear(): void {
    for (const { payload } of this.#chunks.values()) releaseAll(payload)
    this.#chunks.clear()
    this.#bytes = 0
  }
}

function isSame(a: Source, b: Source): boolean {
  return a.nonce === b.nonce && a.nodeId === b.nodeId && a.nodeEpoch === b.nodeEpoch && a.lane === b.lane
}

function lowerBound(positions: Float64Array, position: number): number {
  let [low, high] = [0, positions.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (positions[middle]! < position) low = middle + 1
    else high = middle
  }
  return low
}
