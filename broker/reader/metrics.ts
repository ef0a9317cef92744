/** Metrics of the zone's reader of shards. */
import type { Counter, Metrics, MetricsTable } from '#shared/metrics/metrics.ts'

export const READER_METRICS = {
  longPolls: { name: 'zonewise_reader_long_polls', type: 'gauge', unit: 'count', labels: ['zone'], help: 'Fetches waiting for news now, one for each shard that a client reads.' },
  plans: { name: 'zonewise_reader_plans_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Plans made for fetches.' },
  barriers: { name: 'zonewise_reader_barriers_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Plans and lookups that had to ask the journal whether the view is up to date.' }
} as const satisfies MetricsTable

export class ReaderMetrics {
  readonly plans: Counter
  readonly barriers: Counter
  readonly #metrics: Metrics
  readonly #zone: string

  constructor(metrics: Metrics, zone: string) {
    this.#metrics = metrics
    this.#zone = zone
    this.plans = metrics.counter(READER_METRICS.plans, { zone })
    this.barriers = metrics.counter(READER_METRICS.barriers, { zone })
  }

  watch(longPollCount: () => number): void {
    this.#metrics.poll(READER_METRICS.longPolls, () => [[{ zone: this.#zone }, longPollCount()]])
  }
}
