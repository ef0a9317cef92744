/** Counts bytes and requests of a store in the ledger and as metrics; everything else passes through. */
import type { MemoryPool } from '../binary/memory-pool.ts'
import { ZonewiseError } from '../errors/zonewise-error.ts'
import { Ledger, type LedgerCell, type Place } from '../ledger/ledger.ts'
import { Metrics } from '../metrics/metrics.ts'
import type { Clock } from '../runtime/runtime.ts'
import { type StoreOperation, StoreOperationMetrics } from './metrics.ts'
import type { ByteRange, ObjectInfo, ObjectStore } from './object-store.ts'
import { isChunk } from './store-cells.ts'

export type MeasuredStoreOptions = {
  readonly ledger: Ledger
  readonly zone: Place // of the node that uses the store
  readonly clock: Clock
  readonly metrics?: Metrics
  /** The store tells the ledger of each request it makes itself (`countAttempt`): calls are not counted there again. */
  readonly countedInside?: boolean
}

type Operation = { readonly cell: LedgerCell; readonly metrics: StoreOperationMetrics }

export class MeasuredStore implements ObjectStore {
  readonly #inner: ObjectStore
  readonly #clock: Clock
  readonly #chunk: { readonly put: Operation; readonly get: Operation; readonly head: Operation }
  readonly #other: { readonly put: Operation; readonly get: Operation; readonly head: Operation }
  readonly #list: Operation
  readonly #delete: Operation

  constructor(inner: ObjectStore, options: MeasuredStoreOptions) {
    const { zone, clock, metrics = new Metrics(), countedInside = false } = options
    const ledger = countedInside ? new Ledger() : options.ledger
    this.#inner = inner
    this.#clock = clock
    const operation = (cell: LedgerCell, name: StoreOperation): Operation =>
      ({ cell, metrics: new StoreOperationMetrics(metrics, zone, name) })
    const chunkGet = ledger.cell('store', zone, 'chunk-get')
    const otherGet = ledger.cell('store', zone, 'snapshot')
    const list = ledger.cell(zone, 'store', 'list')
    this.#chunk = {
      put: operation(ledger.cell(zone, 'store', 'chunk-put'), 'put'), get: operation(chunkGet, 'get'),
      head: operation(chunkGet, 'head')
    }
    this.#other = {
      put: operation(ledger.cell(zone, 'store', 'snapshot'), 'put-meta'), get: operation(otherGet, 'get-meta'),
      head: operation(otherGet, 'head')
    }
    this.#list = operation(list, 'list')
    this.#delete = operation(list, 'delete')
  }

  putIfAbsent(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#run(this.#sent(key, chunks), () => this.#inner.putIfAbsent(key, chunks))
  }

  put(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#run(this.#sent(key, chunks), () => this.#inner.put(key, chunks))
  }

  async get(key: string, range?: ByteRange, memory?: MemoryPool): Promise<Uint8Array> {
    const operation = this.#of(key).get
    const bytes = await this.#run(operation, () => this.#inner.get(key, range, memory))
    operation.cell.bytes += bytes.byteLength
    operation.metrics.bytes.add(bytes.byteLength)
    return bytes
  }

  head(key: string): Promise<ObjectInfo | null> {
    return this.#run(this.#of(key).head, () => this.#inner.head(key))
  }

  list(prefix: string, options?: { readonly after?: string; readonly max?: number }): Promise<ObjectInfo[]> {
    return this.#run(this.#list, () => this.#inner.list(prefix, options))
  }

  delete(key: string): Promise<void> {
    return this.#run(this.#delete, () => this.#inner.delete(key))
  }

  freeBytes(): Promise<number | null> {
    return this.#inner.freeBytes()
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  #of(key: string): { readonly put: Operation; readonly get: Operation; readonly head: Operation } {
    return isChunk(key) ? this.#chunk : this.#other
  }

  /** Bytes are counted when they are sent, whatever the outcome: they crossed the wire. */
  #sent(key: string, chunks: readonly Uint8Array[]): Operation {
    const { put } = this.#of(key)
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
    put.cell.bytes += bytes
    put.metrics.bytes.add(bytes)
    return put
  }

  async #run<T>({ cell, metrics }: Operation, call: () => Promise<T>): Promise<T> {
    cell.requests += 1
    metrics.requests.add(1)
    const begunMs = this.#clock.monotonicMs()
    try {
      const answer = await call()
      metrics.seconds.observe((this.#clock.monotonicMs() - begunMs) / 1_000)
      return answer
    } catch (error) {
      if (error instanceof ZonewiseError) metrics.failed(error.code)
      throw error
    }
  }
}
