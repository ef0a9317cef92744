/** Metrics of shards: those of each shard are polled, those of a node are counted once a journal group or less. */
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import type { Position } from '#shared/journal/journal.ts'
import {
  BYTES_BUCKETS, COUNT_BUCKETS, type Counter, type Histogram, type Metrics, type MetricRow, type MetricsTable,
  SECONDS_BUCKETS
} from '#shared/metrics/metrics.ts'

const SHARD_LABELS = ['zone', 'shard'] as const

export const SHARD_METRICS = {
  leading: { name: 'zonewise_shard_leading', type: 'gauge', unit: 'count', labels: SHARD_LABELS, help: '1 where this zone\'s node leads the shard, 0 where it follows.' },
  quarantined: { name: 'zonewise_shard_quarantined', type: 'gauge', unit: 'count', labels: SHARD_LABELS, help: '1 where the shard found damage and stopped.' },
  epoch: { name: 'zonewise_shard_epoch', type: 'gauge', unit: 'count', labels: SHARD_LABELS, help: 'Epoch of the newest journal group that the view has applied.' },
  sequence: { name: 'zonewise_shard_sequence', type: 'gauge', unit: 'count', labels: SHARD_LABELS, help: 'Sequence of that group in its epoch: how far a view is behind the one that leads.' },
  fedAge: { name: 'zonewise_shard_fed_age_seconds', type: 'gauge', unit: 'seconds', labels: SHARD_LABELS, help: 'Since the leader was last heard of by a view that follows; 0 where it leads.' },
  journalBytes: { name: 'zonewise_shard_journal_bytes', type: 'gauge', unit: 'bytes', labels: SHARD_LABELS, help: 'Journal since the newest snapshot: what a recovery would read.' },
  takeovers: { name: 'zonewise_shard_leaderships_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Leaderships of shards begun.' },
  ends: { name: 'zonewise_shard_leaderships_ended_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Leaderships of shards ended.' },
  groupBytes: { name: 'zonewise_shard_group_bytes', type: 'histogram', unit: 'bytes', labels: ['zone'], buckets: BYTES_BUCKETS, help: 'Bytes of a journal group of a shard.' },
  groupEntries: { name: 'zonewise_shard_group_entries', type: 'histogram', unit: 'count', labels: ['zone'], buckets: COUNT_BUCKETS, help: 'Decisions in a journal group of a shard.' },
  groupSeconds: { name: 'zonewise_shard_group_seconds', type: 'histogram', unit: 'seconds', labels: ['zone'], buckets: SECONDS_BUCKETS, help: 'From the first append of a journal group until it was durable, repetitions included.' },
  feeds: { name: 'zonewise_shard_feeds', type: 'gauge', unit: 'count', labels: ['zone'], help: 'Followers of the shards that this zone\'s node leads.' },
  feedsDropped: { name: 'zonewise_shard_feeds_dropped_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Followers dropped because they were too far behind or did not answer: they come back through the journal.' },
  snapshotSeconds: { name: 'zonewise_shard_snapshot_seconds', type: 'histogram', unit: 'seconds', labels: ['zone'], buckets: SECONDS_BUCKETS, help: 'Writing and verifying a snapshot of a shard.' },
  snapshotFailures: { name: 'zonewise_shard_snapshot_failures_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Snapshots of shards that could not be written; they are tried again.' }
} as const satisfies MetricsTable

/** One shard that is followed, as it is now. */
export type ShardGauges = {
  readonly shard: number
  readonly isLeading: boolean
  readonly isQuarantined: boolean
  readonly position: Position
  readonly fedAgeSeconds: number
  readonly journalBytes: number
}

export class ShardMetrics {
  readonly takeovers: Counter
  readonly ends: Counter
  readonly groupBytes: Histogram
  readonly groupEntries: Histogram
  readonly groupSeconds: Histogram
  readonly feedsDropped: Counter
  readonly snapshotSeconds: Histogram
  readonly snapshotFailures: Counter
  readonly #metrics: Metrics
  readonly #zone: string

  constructor(metrics: Metrics, zone: string) {
    this.#metrics = metrics
    this.#zone = zone
    this.takeovers = metrics.counter(SHARD_METRICS.takeovers, { zone })
    this.ends = metrics.counter(SHARD_METRICS.ends, { zone })
    this.groupBytes = metrics.histogram(SHARD_METRICS.groupBytes, { zone })
    this.groupEntries = metrics.histogram(SHARD_METRICS.groupEntries, { zone })
    this.groupSeconds = metrics.histogram(SHARD_METRICS.groupSeconds, { zone })
    this.feedsDropped = metrics.counter(SHARD_METRICS.feedsDropped, { zone })
    this.snapshotSeconds = metrics.histogram(SHARD_METRICS.snapshotSeconds, { zone })
    this.snapshotFailures = metrics.counter(SHARD_METRICS.snapshotFailures, { zone })
  }

  watch(read: { readonly shards: () => readonly ShardGauges[]; readonly feedCount: () => number }): void {
    const zone = this.#zone
    const each = (row: MetricRow, of: (shard: ShardGauges) => number): void => {
      this.#metrics.poll(row, () => read.shards().map((shard) => [{ zone, shard: shardName(shard.shard) }, of(shard)]))
    }
    each(SHARD_METRICS.leading, ({ isLeading }) => Number(isLeading))
    each(SHARD_METRICS.quarantined, ({ isQuarantined }) => Number(isQuarantined))
    each(SHARD_METRICS.epoch, ({ position }) => position.epoch)
    each(SHARD_METRICS.sequence, ({ position }) => position.seq)
    each(SHARD_METRICS.fedAge, ({ fedAgeSeconds }) => fedAgeSeconds)
    each(SHARD_METRICS.journalBytes, ({ journalBytes }) => journalBytes)
    this.#metrics.poll(SHARD_METRICS.feeds, () => [[{ zone }, read.feedCount()]])
  }
}

function shardName(shard: number): string {
  return shard === CATALOG_SHARD ? 'catalog' : String(shard)
}
