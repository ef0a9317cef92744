/** Metrics of a store as one node uses it. */
import { type ErrorCode } from '../errors/error-codes.ts'
import { type Counter, type Histogram, type Metrics, type MetricsTable, SECONDS_BUCKETS } from '../metrics/metrics.ts'

const LABELS = ['zone', 'operation'] as const

export const STORE_METRICS = {
  requests: { name: 'zonewise_store_requests_total', type: 'counter', unit: 'count', labels: LABELS, help: 'Requests to the object store; put and get are of chunks, put-meta and get-meta of everything else.' },
  bytes: { name: 'zonewise_store_bytes_total', type: 'counter', unit: 'bytes', labels: LABELS, help: 'Bytes sent to the object store, or brought from it.' },
  seconds: { name: 'zonewise_store_seconds', type: 'histogram', unit: 'seconds', labels: LABELS, buckets: SECONDS_BUCKETS, help: 'Requests to the object store that succeeded.' },
  errors: { name: 'zonewise_store_errors_total', type: 'counter', unit: 'count', labels: [...LABELS, 'code'], help: 'Requests to the object store that failed, by the code of the error.' }
} as const satisfies MetricsTable

export type StoreOperation = 'put' | 'put-meta' | 'get' | 'get-meta' | 'head' | 'list' | 'delete'

export class StoreOperationMetrics {
  readonly requests: Counter
  readonly bytes: Counter
  readonly seconds: Histogram
  readonly #metrics: Metrics
  readonly #labels: { readonly zone: string; readonly operation: string }

  constructor(metrics: Metrics, zone: string, operation: StoreOperation) {
    this.#metrics = metrics
    this.#labels = { zone, operation }
    this.requests = metrics.counter(STORE_METRICS.requests, this.#labels)
    this.bytes = metrics.counter(STORE_METRICS.bytes, this.#labels)
    this.seconds = metrics.histogram(STORE_METRICS.seconds, this.#labels)
  }

  /** `code` is a row of the table of errors, so there are few. */
  failed(code: ErrorCode): void {
    this.#metrics.counter(STORE_METRICS.errors, { ...this.#labels, code }).add(1)
  }
}
