/** Metrics of fetches: counted once a call. */
import type { Counter, Metrics, MetricsTable } from '#shared/metrics/metrics.ts'

export const FETCH_METRICS = {
  bytes: { name: 'zonewise_fetch_bytes_total', type: 'counter', unit: 'bytes', labels: ['zone', 'from'], help: 'Bytes found for fetches: in chunks that this gateway wrote (own), or through the zone\'s cache (zone).' },
  planFailures: { name: 'zonewise_fetch_plan_failures_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Plans that the zone\'s reader of a shard did not give; clients ask again.' },
  readFailures: { name: 'zonewise_fetch_read_failures_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Runs of a chunk that could not be read; clients ask again.' }
} as const satisfies MetricsTable

export class FetchMetrics {
  readonly ownBytes: Counter
  readonly zoneBytes: Counter
  readonly planFailures: Counter
  readonly readFailures: Counter

  constructor(metrics: Metrics, zone: string) {
    this.ownBytes = metrics.counter(FETCH_METRICS.bytes, { zone, from: 'own' })
    this.zoneBytes = metrics.counter(FETCH_METRICS.bytes, { zone, from: 'zone' })
    this.planFailures = metrics.counter(FETCH_METRICS.planFailures, { zone })
    this.readFailures = metrics.counter(FETCH_METRICS.readFailures, { zone })
  }
}
