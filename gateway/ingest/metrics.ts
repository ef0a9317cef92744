/** Metrics of the ingest: all are counted once a chunk or once a call, nothing once a batch. */
import {
  COUNT_BUCKETS, type Counter, type Histogram, type Metrics, type MetricsTable, RATIO_BUCKETS, SECONDS_BUCKETS
} from '#shared/metrics/metrics.ts'

const CHUNK_BYTES_BUCKETS = Array.from({ length: 10 }, (_, i) => 1_024 * 4 ** i) // 1 KiB to 256 MiB

export const INGEST_METRICS = {
  batches: { name: 'zonewise_ingest_batches_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Record batches put into chunks.' },
  bytes: { name: 'zonewise_ingest_bytes_total', type: 'counter', unit: 'bytes', labels: ['zone'], help: 'Bytes of record batches put into chunks.' },
  refusals: { name: 'zonewise_ingest_refusals_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Batches refused for want of room (ingestBytesMax); clients send them again.' },
  undecided: { name: 'zonewise_ingest_undecided_bytes', type: 'gauge', unit: 'bytes', labels: ['zone'], help: 'Bytes of batches taken and not decided yet.' },
  puts: { name: 'zonewise_ingest_puts', type: 'gauge', unit: 'count', labels: ['zone'], help: 'Chunks being written to the store now.' },
  chunkBytes: { name: 'zonewise_ingest_chunk_bytes', type: 'histogram', unit: 'bytes', labels: ['zone'], buckets: CHUNK_BYTES_BUCKETS, help: 'Payload of a chunk when it was sealed.' },
  chunkFill: { name: 'zonewise_ingest_chunk_fill_ratio', type: 'histogram', unit: 'ratio', labels: ['zone'], buckets: RATIO_BUCKETS, help: 'Payload of a chunk as a share of chunkBytesMax.' },
  chunkBatches: { name: 'zonewise_ingest_chunk_batches', type: 'histogram', unit: 'count', labels: ['zone'], buckets: COUNT_BUCKETS, help: 'Record batches of a chunk.' },
  putSeconds: { name: 'zonewise_ingest_put_seconds', type: 'histogram', unit: 'seconds', labels: ['zone'], buckets: SECONDS_BUCKETS, help: 'From the start of the first PUT of a chunk until it was durable, repetitions included.' },
  givenUp: { name: 'zonewise_ingest_chunks_given_up_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Chunks whose PUT did not succeed in time: their batches failed.' },
  commitSeconds: { name: 'zonewise_ingest_commit_seconds', type: 'histogram', unit: 'seconds', labels: ['zone'], buckets: SECONDS_BUCKETS, help: 'Round trip of a commit to the leader of a shard that answered.' },
  commitFailures: { name: 'zonewise_ingest_commit_failures_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Commits that no leader answered: the same chunks are sent again.' },
  logCache: { name: 'zonewise_ingest_log_cache_bytes', type: 'gauge', unit: 'bytes', labels: ['zone'], help: 'Newest chunks kept for readers of the zone.' }
} as const satisfies MetricsTable

/** What is read when somebody asks. */
export type IngestGauges = { readonly undecidedBytes: number; readonly puts: number; readonly logCacheBytes: number }

export class IngestMetrics {
  readonly refusals: Counter
  readonly putSeconds: Histogram
  readonly givenUp: Counter
  readonly commitSeconds: Histogram
  readonly commitFailures: Counter
  readonly #batches: Counter
  readonly #bytes: Counter
  readonly #chunkBytes: Histogram
  readonly #chunkFill: Histogram
  readonly #chunkBatches: Histogram
  readonly #poll: (read: () => IngestGauges) => void

  constructor(metrics: Metrics, zone: string) {
    const labels = { zone }
    this.refusals = metrics.counter(INGEST_METRICS.refusals, labels)
    this.putSeconds = metrics.histogram(INGEST_METRICS.putSeconds, labels)
    this.givenUp = metrics.counter(INGEST_METRICS.givenUp, labels)
    this.commitSeconds = metrics.histogram(INGEST_METRICS.commitSeconds, labels)
    this.commitFailures = metrics.counter(INGEST_METRICS.commitFailures, labels)
    this.#batches = metrics.counter(INGEST_METRICS.batches, labels)
    this.#bytes = metrics.counter(INGEST_METRICS.bytes, labels)
    this.#chunkBytes = metrics.histogram(INGEST_METRICS.chunkBytes, labels)
    this.#chunkFill = metrics.histogram(INGEST_METRICS.chunkFill, labels)
    this.#chunkBatches = metrics.histogram(INGEST_METRICS.chunkBatches, labels)
    this.#poll = (read) => {
      metrics.poll(INGEST_METRICS.undecided, () => [[labels, read().undecidedBytes]])
      metrics.poll(INGEST_METRICS.puts, () => [[labels, read().puts]])
      metrics.poll(INGEST_METRICS.logCache, () => [[labels, read().logCacheBytes]])
    }
  }

  watch(read: () => IngestGauges): void {
    this.#poll(read)
  }

  sealed(bytes: number, batchCount: number, fill: number): void {
    this.#batches.add(batchCount)
    this.#bytes.add(bytes)
    this.#chunkBytes.observe(bytes)
    this.#chunkFill.observe(fill)
    this.#chunkBatches.observe(batchCount)
  }
}
