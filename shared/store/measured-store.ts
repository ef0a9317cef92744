/** Counts bytes and requests of a store in the ledger; everything else passes through. */
import type { MemoryPool } from '../binary/memory-pool.ts'
import type { Ledger, LedgerCell, Place } from '../ledger/ledger.ts'
import type { Clock } from '../runtime/runtime.ts'
import type { ByteRange, ObjectInfo, ObjectStore } from './object-store.ts'

export type MeasuredStoreOptions = {
  readonly ledger: Ledger
  readonly zone: Place // of the node that uses the store
  readonly clock: Clock
  /** Told after every PUT of a chunk that succeeded: the raw material of a histogram. */
  readonly onPut?: (latencyMs: number, bytes: number) => void
}

export class MeasuredStore implements ObjectStore {
  readonly #inner: ObjectStore
  readonly #clock: Clock
  readonly #onPut: (latencyMs: number, bytes: number) => void
  readonly #chunkPut: LedgerCell
  readonly #chunkGet: LedgerCell
  readonly #otherPut: LedgerCell
  readonly #otherGet: LedgerCell
  readonly #list: LedgerCell

  constructor(inner: ObjectStore, { ledger, zone, clock, onPut }: MeasuredStoreOptions) {
    this.#inner = inner
    this.#clock = clock
    this.#onPut = onPut ?? ((): void => {})
    this.#chunkPut = ledger.cell(zone, 'store', 'chunk-put')
    this.#chunkGet = ledger.cell('store', zone, 'chunk-get')
    this.#otherPut = ledger.cell(zone, 'store', 'snapshot')
    this.#otherGet = ledger.cell('store', zone, 'snapshot')
    this.#list = ledger.cell(zone, 'store', 'list')
  }

  putIfAbsent(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#put(key, chunks, () => this.#inner.putIfAbsent(key, chunks))
  }

  put(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#put(key, chunks, () => this.#inner.put(key, chunks))
  }

  async get(key: string, range?: ByteRange, memory?: MemoryPool): Promise<Uint8Array> {
    const cell = isChunk(key) ? this.#chunkGet : this.#otherGet
    cell.requests += 1
    const bytes = await this.#inner.get(key, range, memory)
    cell.bytes += bytes.byteLength
    return bytes
  }

  head(key: string): Promise<ObjectInfo | null> {
    const cell = isChunk(key) ? this.#chunkGet : this.#otherGet
    cell.requests += 1
    return this.#inner.head(key)
  }

  list(prefix: string, options?: { readonly after?: string; readonly max?: number }): Promise<ObjectInfo[]> {
    this.#list.requests += 1
    return this.#inner.list(prefix, options)
  }

  delete(key: string): Promise<void> {
    this.#list.requests += 1
    return this.#inner.delete(key)
  }

  freeBytes(): Promise<number | null> {
    return this.#inner.freeBytes()
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  /** Bytes are counted when they are sent, whatever the outcome: they crossed the wire. */
  async #put(key: string, chunks: readonly Uint8Array[], send: () => Promise<void>): Promise<void> {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
    const chunk = isChunk(key)
    const cell = chunk ? this.#chunkPut : this.#otherPut
    cell.requests += 1
    cell.bytes += bytes
    const startMs = this.#clock.monotonicMs()
    await send()
    if (chunk) this.#onPut(this.#clock.monotonicMs() - startMs, bytes)
  }
}

function isChunk(key: string): boolean {
  return key.startsWith('chunks/')
}
