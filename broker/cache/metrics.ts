/** Metrics of the zone's cache of chunks: counted once a range asked for, or polled. */
import type { Counter, Metrics, MetricsTable } from '#shared/metrics/metrics.ts'

export const CACHE_METRICS = {
  bytes: { name: 'zonewise_cache_bytes', type: 'gauge', unit: 'bytes', labels: ['zone', 'age'], help: 'Chunk bytes held for readers of the zone: of the tail, or read far behind it (cold).' },
  aheadBytes: { name: 'zonewise_cache_ahead_bytes', type: 'gauge', unit: 'bytes', labels: ['zone'], help: 'Bytes read ahead that nobody asked for yet.' },
  hits: { name: 'zonewise_cache_hits_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Ranges of chunks that were here or on their way when they were asked for.' },
  misses: { name: 'zonewise_cache_misses_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Ranges of chunks that the store had to be asked for.' },
  hitBytes: { name: 'zonewise_cache_hit_bytes_total', type: 'counter', unit: 'bytes', labels: ['zone'], help: 'Bytes of ranges that were here or on their way.' },
  missBytes: { name: 'zonewise_cache_miss_bytes_total', type: 'counter', unit: 'bytes', labels: ['zone'], help: 'Bytes of ranges that the store had to be asked for.' },
  reads: { name: 'zonewise_cache_reads', type: 'gauge', unit: 'count', labels: ['zone', 'state'], help: 'Reads of the store for the zone: running, or waiting for their turn.' }
} as const satisfies MetricsTable

/** What is read when somebody asks. */
export type CacheGauges = {
  readonly tailBytes: number
  readonly coldBytes: number
  readonly aheadBytes: number
  readonly readsRunning: number
  readonly readsWaiting: number
}

export class CacheMetrics {
  readonly hits: Counter
  readonly misses: Counter
  readonly hitBytes: Counter
  readonly missBytes: Counter
  readonly #metrics: Metrics
  readonly #zone: string

  constructor(metrics: Metrics, zone: string) {
    this.#metrics = metrics
    this.#zone = zone
    this.hits = metrics.counter(CACHE_METRICS.hits, { zone })
    this.misses = metrics.counter(CACHE_METRICS.misses, { zone })
    this.hitBytes = metrics.counter(CACHE_METRICS.hitBytes, { zone })
    this.missBytes = metrics.counter(CACHE_METRICS.missBytes, { zone })
  }

  watch(read: () => CacheGauges): void {
    const zone = this.#zone
    this.#metrics.poll(CACHE_METRICS.bytes, () => {
      const { tailBytes, coldBytes } = read()
      return [[{ zone, age: 'tail' }, tailBytes], [{ zone, age: 'cold' }, coldBytes]]
    })
    this.#metrics.poll(CACHE_METRICS.aheadBytes, () => [[{ zone }, read().aheadBytes]])
    this.#metrics.poll(CACHE_METRICS.reads, () => {
      const { readsRunning, readsWaiting } = read()
      return [[{ zone, state: 'running' }, readsRunning], [{ zone, state: 'waiting' }, readsWaiting]]
    })
  }
}
