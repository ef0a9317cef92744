/** Settings of the broker role. */
import { defineSettings, int } from '#shared/config/settings.ts'

const KiB = 1_024
const MiB = 1_024 * KiB
const GiB = 1_024 * MiB
const SECOND = 1_000
const MINUTE = 60 * SECOND

export const brokerSettings = defineSettings('BROKER', {
  // shards
  journalSettleMs: int({ unit: 'ms', default: 30 * SECOND, min: SECOND, max: 10 * MINUTE, doc: 'How long an append of unknown outcome is repeated before the leadership ends.' }),
  groupBytesMax: int({ unit: 'bytes', default: 4 * MiB, min: KiB, max: 64 * MiB, doc: 'Decisions of a shard waiting for the journal; above it commits wait at their gateways.' }),
  journalBytesMax: int({ unit: 'bytes', default: 256 * MiB, min: MiB, max: 64 * GiB, doc: 'Journal of a shard since its newest snapshot; above it produce gets retriable errors, reads go on.' }),
  snapshotJournalBytes: int({ unit: 'bytes', default: 4 * MiB, min: KiB, max: 4 * GiB, doc: 'Journal bytes of a shard after which a snapshot is due.' }),
  feedQueueBytesMax: int({ unit: 'bytes', default: 8 * MiB, min: KiB, max: GiB, doc: 'Journal bytes queued for a follower; one further behind comes back through the journal.' }),
  feedDeadlineMs: int({ unit: 'ms', default: 3 * SECOND, min: 100, max: MINUTE, doc: 'A follower that does not answer a feed for so long is dropped from it.' }),
  viewIdleMs: int({ unit: 'ms', default: 5 * MINUTE, min: SECOND, max: 24 * 60 * MINUTE, doc: 'A view of a shard that nobody in the zone read for so long stops following.' })
})

export type BrokerSettings = ReturnType<typeof brokerSettings.load>
