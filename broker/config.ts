/** Settings of the broker role. */
import { CLUSTER_VERSIONS } from '#shared/cluster/cluster-version.ts'
import { bool, defineSettings, int } from '#shared/config/settings.ts'

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
  feedGatherMs: int({ unit: 'ms', default: 3, min: 0, max: SECOND, doc: 'Shortest time between two feeds to one follower; the first after a pause goes at once.' }),
  feedKeepaliveMs: int({ unit: 'ms', default: SECOND, min: 100, max: MINUTE, doc: 'A follower that was fed nothing for so long is told that it still is.' }),
  feedSilenceMs: int({ unit: 'ms', default: 3 * SECOND, min: 100, max: 10 * MINUTE, doc: 'A view whose leader proved nothing for so long reads the journal instead.' }),
  viewStaleMs: int({ unit: 'ms', default: 10 * SECOND, min: SECOND, max: 10 * MINUTE, doc: 'A view that could not follow for so long answers readers at its tail with a retriable error.' }),
  handOverMs: int({ unit: 'ms', default: 5 * SECOND, min: 100, max: 10 * MINUTE, doc: 'How long the next leader of a shard may take to read it before it is handed over all the same.' }),
  clockJumpFollow: bool({ default: false, doc: 'Whether a jump of the wall clock ahead by more than 10 minutes is followed though no two other nodes confirm it. Without it time goes on by the monotonic clock until the next start, which believes its clock.' }),
  nodeGoneMs: int({ unit: 'ms', default: 10 * MINUTE, min: 10 * SECOND, max: 24 * 60 * MINUTE, doc: 'A node that was away for so long is dead for good under its epoch: what it wrote and did not commit is refused, and it must start again.' }),
  catalogUpkeepMs: int({ unit: 'ms', default: 10 * SECOND, min: 100, max: 10 * MINUTE, doc: 'How often the leader of the catalog looks for dead nodes where nothing changes.' }),
  clusterVersionMax: int({ default: CLUSTER_VERSIONS.max, min: CLUSTER_VERSIONS.min, max: CLUSTER_VERSIONS.max, doc: 'cluster.version is not raised above it: as long as it stays below what new software can do, older software can come back.' }),
  viewIdleMs: int({ unit: 'ms', default: 5 * MINUTE, min: SECOND, max: 24 * 60 * MINUTE, doc: 'A view of a shard that nobody in the zone read for so long stops following.' }),
  // journal and store
  journalSegmentBytes: int({ unit: 'bytes', default: 16 * MiB, min: 64 * KiB, max: GiB, doc: 'Size of one file of the file journal; files are written through once and used again.' }),
  journalFrameBytesMax: int({ unit: 'bytes', default: 4 * MiB, min: KiB, max: 64 * MiB, doc: 'What one write and sync of the file journal takes at most, but for a bigger single group.' }),
  journalRecentBytesMax: int({ unit: 'bytes', default: 16 * MiB, min: 0, max: 4 * GiB, doc: 'Newest groups that the file journal keeps in memory for readers.' }),
  storeFilesOpenMax: int({ default: 256, min: 1, max: 100_000, doc: 'Objects of the file store that are kept open for ranged reads.' }),
  storeFreeBytesMin: int({ unit: 'bytes', default: 256 * MiB, min: 0, max: 1_024 * GiB, doc: 'Free space below which chunks are refused, so that journal and snapshots still have room.' }),
  // readers
  readCacheBytesMax: int({ unit: 'bytes', default: 24 * MiB, min: MiB, max: 256 * GiB, doc: 'Chunk bytes read from the store that are kept for readers of the zone.' }),
  readChunkBytesMax: int({ unit: 'bytes', default: 16 * MiB, min: 64 * KiB, max: 256 * MiB, doc: 'A chunk up to this size is read whole when a second reader wants other parts of it.' }),
  readGapBytesMax: int({ unit: 'bytes', default: 64 * KiB, min: 0, max: 16 * MiB, doc: 'Ranges of a chunk this close are read by one request.' }),
  readsMax: int({ default: 64, min: 1, max: 10_000, doc: 'Reads of the store under way for the zone; further ones wait.' }),
  readBytesMax: int({ unit: 'bytes', default: 16 * MiB, min: MiB, max: 64 * GiB, doc: 'Bytes asked of the store by reads under way; further reads wait, but for a bigger single one.' }),
  readsWaitingMax: int({ default: 10_000, min: 1, max: 10_000_000, doc: 'Reads waiting for their turn at the store; above it fetches get a retriable error.' }),
  readAheadBytes: int({ unit: 'bytes', default: 4 * MiB, min: 0, max: 256 * MiB, doc: 'Read beyond a fetch of a partition that is read from far behind its tail.' }),
  readAheadBytesMax: int({ unit: 'bytes', default: 8 * MiB, min: 0, max: 64 * GiB, doc: 'Bytes of a zone read ahead and not asked for yet; above it nothing more is read ahead.' }),
  planRunsMax: int({ default: 256, min: 1, max: 100_000, doc: 'Pieces of chunks that one fetch gets of a shard at a time, but for one of each of its partitions.' }),
  waitersMax: int({ default: 100_000, min: 1, max: 10_000_000, doc: 'Long polls waiting for news; above it fetches get a retriable error.' }),
  // catalog
  numPartitions: int({ default: 1, min: 1, max: 10_000, doc: 'Partitions of a topic created without a number of them (Kafka: num.partitions).' }),
  defaultReplicationFactor: int({ default: 1, min: 1, max: 3, doc: 'Replication factor reported for a topic created without one; storage replicates by itself (Kafka: default.replication.factor).' }),
  topicPartitionsMax: int({ default: 10_000, min: 1, max: 1_000_000, doc: 'Partitions of one topic; more are refused with INVALID_PARTITIONS.' }),
  clusterPartitionsMax: int({ default: 200_000, min: 1, max: 10_000_000, doc: 'Partitions of all topics; more are refused with POLICY_VIOLATION.' }),
  catalogCallsMax: int({ default: 1_024, min: 1, max: 100_000, doc: 'Topic and producer id calls waiting at the leader of the catalog; one more is told to come again.' }),
  catalogTopicsBusyMax: int({ default: 64, min: 1, max: 10_000, doc: 'Topics created or deleted on the shards at a time; the others wait.' }),
  catalogStepTimeoutMs: int({ unit: 'ms', default: 10 * SECOND, min: 100, max: 10 * MINUTE, doc: 'How long the catalog waits for one shard to create or drop partitions before it asks again.' }),
  catalogRetryMinMs: int({ unit: 'ms', default: 50, min: 1, max: MINUTE, doc: 'First wait before a shard is asked again; doubles.' }),
  catalogRetryMaxMs: int({ unit: 'ms', default: 2 * SECOND, min: 1, max: 10 * MINUTE, doc: 'Longest wait before a shard is asked again.' }),
  producerIdsMax: int({ default: 100_000, min: 1, max: 10_000_000, doc: 'Producer ids given to a gateway at once.' }),
  // consumer groups
  groupMinSessionTimeoutMs: int({ unit: 'ms', default: 6 * SECOND, min: 1, max: 24 * 60 * MINUTE, doc: 'Shortest session timeout a member may ask for (group.min.session.timeout.ms).' }),
  groupMaxSessionTimeoutMs: int({ unit: 'ms', default: 30 * MINUTE, min: 1, max: 24 * 60 * MINUTE, doc: 'Longest session timeout a member may ask for (group.max.session.timeout.ms).' }),
  groupInitialRebalanceDelayMs: int({ unit: 'ms', default: 3 * SECOND, min: 0, max: 10 * MINUTE, doc: 'How long an empty group waits for more members after the first (group.initial.rebalance.delay.ms).' }),
  groupSizeMax: int({ default: 10_000, min: 1, max: 100_000, doc: 'Members of a group (group.max.size).' }),
  groupCountMax: int({ default: 10_000, min: 1, max: 1_000_000, doc: 'Groups of a shard; above it new ones get a retriable error.' }),
  groupMemberBytesMax: int({ unit: 'bytes', default: 256 * KiB, min: KiB, max: 16 * MiB, doc: 'Metadata that one member may join with, over its protocols.' }),
  groupAssignmentBytesMax: int({ unit: 'bytes', default: 2 * MiB, min: KiB, max: 16 * MiB, doc: 'Subscriptions and assignments of one generation of a group: what one journal entry holds.' }),
  groupCallsMax: int({ default: 50_000, min: 1, max: 1_000_000, doc: 'Group calls that a shard holds at a time, waiting members included; above it they get a retriable error.' }),
  groupCommitBytesMax: int({ unit: 'bytes', default: 4 * MiB, min: KiB, max: 64 * MiB, doc: 'Offset commits of a shard waiting for the journal; above it they get a retriable error.' }),
  groupOffsetCountMax: int({ default: 100_000, min: 1, max: 10_000_000, doc: 'Partitions that one group may have committed offsets for.' }),
  offsetMetadataMaxBytes: int({ unit: 'bytes', default: 4 * KiB, min: 0, max: 32_767, doc: 'Metadata of one committed offset (offset.metadata.max.bytes).' }),
  offsetsRetentionMs: int({ unit: 'ms', default: 7 * 24 * 60 * MINUTE, min: SECOND, max: 3_650 * 24 * 60 * MINUTE, doc: 'How long offsets outlive the last member of their group, or the last commit if it never had members (offsets.retention.minutes).' }),
  offsetsRetentionCheckMs: int({ unit: 'ms', default: 10 * MINUTE, min: SECOND, max: 24 * 60 * MINUTE, doc: 'How often groups are searched for offsets beyond their retention (offsets.retention.check.interval.ms).' })
})

export type BrokerSettings = ReturnType<typeof brokerSettings.load>
