/**
 * Refuses to fill the disk: creating a chunk is STORE_FULL where less than `freeBytesMin` would be left, so that
 * journal and snapshots, which are what frees space, still have room, and a start as well.
 */
import type { MemoryPool } from '../binary/memory-pool.ts'
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { Clock } from '../runtime/runtime.ts'
import type { ByteRange, ObjectInfo, ObjectStore } from './object-store.ts'

const ASK_AGAIN_MS = 1_000

export class GuardedStore implements ObjectStore {
  readonly #inner: ObjectStore
  readonly #clock: Clock
  readonly #freeBytesMin: number
  #freeBytes: number | null = null // as of the last answer, less what was written since
  #askedMs = -Infinity
  #asking: Promise<void> | null = null
  #bytesInFlight = 0

  constructor(inner: ObjectStore, clock: Clock, freeBytesMin: number) {
    this.#inner = inner
    this.#clock = clock
    this.#freeBytesMin = freeBytesMin
  }

  /** @throws ZonewiseError STORE_FULL: a chunk, of which nothing was written. */
  async putIfAbsent(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    if (!key.startsWith('chunks/')) return this.#inner.putIfAbsent(key, chunks)
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
    if (this.#clock.monotonicMs() - this.#askedMs >= ASK_AGAIN_MS) await (this.#asking ??= this.#ask())
    const free = this.#freeBytes
    if (free !== null && free - this.#bytesInFlight - bytes < this.#freeBytesMin)
      throw new ZonewiseError(
        'STORE_FULL', 'too little free space', { key, freeBytes: free, freeBytesMin: this.#freeBytesMin }
      )
    this.#bytesInFlight += bytes
    try {
      await this.#inner.putIfAbsent(key, chunks)
    } finally {
      this.#bytesInFlight -= bytes
      if (this.#freeBytes !== null) this.#freeBytes -= bytes
    }
  }

  put(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#inner.put(key, chunks)
  }

  get(key: string, range?: ByteRange, memory?: MemoryPool): Promise<Uint8Array> {
    return this.#inner.get(key, range, memory)
  }

  head(key: string): Promise<ObjectInfo | null> {
    return this.#inner.head(key)
  }

  list(prefix: string, options?: { readonly after?: string; readonly max?: number }): Promise<ObjectInfo[]> {
    return this.#inner.list(prefix, options)
  }

  delete(key: string): Promise<void> {
    return this.#inner.delete(key)
  }

  freeBytes(): Promise<number | null> {
    return this.#inner.freeBytes()
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  async #ask(): Promise<void> {
    try {
      this.#freeBytes = await this.#inner.freeBytes()
      this.#askedMs = this.#clock.monotonicMs()
    } finally {
      this.#asking = null
    }
  }
}
