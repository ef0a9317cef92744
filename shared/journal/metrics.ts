/** Metrics of the journal: of each zone's appends, and of the file journal, which all shards of a process share. */
import {
  BYTES_BUCKETS, COUNT_BUCKETS, type Counter, type Histogram, type Metrics, type MetricsTable, SECONDS_BUCKETS
} from '../metrics/metrics.ts'

export const JOURNAL_METRICS = {
  appendSeconds: { name: 'zonewise_journal_append_seconds', type: 'histogram', unit: 'seconds', labels: ['zone'], buckets: SECONDS_BUCKETS, help: 'Appends of shards, until durable.' },
  appendBytes: { name: 'zonewise_journal_append_bytes_total', type: 'counter', unit: 'bytes', labels: ['zone'], help: 'Bytes that shards appended.' },
  appendFailures: { name: 'zonewise_journal_append_failures_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Appends that were fenced or not settled.' },
  frameBytes: { name: 'zonewise_journal_frame_bytes', type: 'histogram', unit: 'bytes', labels: [], buckets: BYTES_BUCKETS, help: 'Bytes of a frame of the file journal: one write and one sync for many shards.' },
  frameRecords: { name: 'zonewise_journal_frame_records', type: 'histogram', unit: 'count', labels: [], buckets: COUNT_BUCKETS, help: 'Appends and trims in a frame of the file journal.' },
  writeSeconds: { name: 'zonewise_journal_write_seconds', type: 'histogram', unit: 'seconds', labels: [], buckets: SECONDS_BUCKETS, help: 'Write of a frame of the file journal.' },
  syncSeconds: { name: 'zonewise_journal_sync_seconds', type: 'histogram', unit: 'seconds', labels: [], buckets: SECONDS_BUCKETS, help: 'Sync of a frame of the file journal.' },
  segments: { name: 'zonewise_journal_segments', type: 'gauge', unit: 'count', labels: [], help: 'Files of the file journal in use.' }
} as const satisfies MetricsTable

/** What the shards of one zone append. */
export class AppendMetrics {
  readonly seconds: Histogram
  readonly bytes: Counter
  readonly failures: Counter

  constructor(metrics: Metrics, zone: string) {
    this.seconds = metrics.histogram(JOURNAL_METRICS.appendSeconds, { zone })
    this.bytes = metrics.counter(JOURNAL_METRICS.appendBytes, { zone })
    this.failures = metrics.counter(JOURNAL_METRICS.appendFailures, { zone })
  }
}

/** What the file journal writes. */
export class FrameMetrics {
  readonly bytes: Histogram
  readonly records: Histogram
  readonly writeSeconds: Histogram
  readonly syncSeconds: Histogram
  readonly #metrics: Metrics

  constructor(metrics: Metrics) {
    this.#metrics = metrics
    this.bytes = metrics.histogram(JOURNAL_METRICS.frameBytes)
    this.records = metrics.histogram(JOURNAL_METRICS.frameRecords)
    this.writeSeconds = metrics.histogram(JOURNAL_METRICS.writeSeconds)
    this.syncSeconds = metrics.histogram(JOURNAL_METRICS.syncSeconds)
  }

  watch(segmentCount: () => number): void {
    this.#metrics.poll(JOURNAL_METRICS.segments, () => [[{}, segmentCount()]])
  }
}
