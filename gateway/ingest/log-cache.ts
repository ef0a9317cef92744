/**
 * The chunks that this gateway wrote last, by reference: readers of its zone get them without the store. Bounded by
 * bytes, oldest out first. Buffers may be changed by the header patch only. What was given to a reader may still be on
 * its way to a socket when it falls out: only what nobody ever asked for is released.
 */
import type { ChunkRef, Source } from '#shared/object/chunk-ref.ts'
import type { SealedChunk } from './open-chunk.ts'

type Cached = {
  readonly positions: Float64Array; readonly payload: readonly Uint8Array[]; readonly bytes: number; lent: boolean
}

export class LogCache {
  readonly #source: Source
  readonly #bytesMax: number
  readonly #chunks = new Map<number, Cached>() // by chunkSeq, in order of arrival
  readonly #release: (bytes: Uint8Array) => void
  #bytes = 0

  constructor(source: Source, bytesMax: number, release: (bytes: Uint8Array) => void = () => {}) {
    this.#source = source
    this.#bytesMax = bytesMax
    this.#release = release
  }

  get bytes(): number {
    return this.#bytes
  }

  add(chunk: SealedChunk): void {
    const positions = new Float64Array(chunk.payload.length)
    let position = 0
    chunk.payload.forEach((bytes, i) => { positions[i] = position; position += bytes.byteLength })
    this.#chunks.set(chunk.ref.chunkSeq, { positions, payload: chunk.payload, bytes: position, lent: false })
    this.#bytes += position
    for (const [chunkSeq, cached] of this.#chunks) {
      if (this.#bytes <= this.#bytesMax) break
      this.#chunks.delete(chunkSeq)
      this.#bytes -= cached.bytes
      if (!cached.lent) cached.payload.forEach(this.#release)
    }
  }

  /** The batches in [start, end) of a chunk, one buffer each; null if the chunk is not here. Bounds are batch bounds. */
  find({ source, chunkSeq }: ChunkRef, start: number, end: number): readonly Uint8Array[] | null {
    const cached = this.#chunks.get(chunkSeq)
    if (cached === undefined || !isSame(source, this.#source)) return null
    cached.lent = true
    const first = lowerBound(cached.positions, start)
    const last = lowerBound(cached.positions, end)
    return cached.payload.slice(first, last)
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
