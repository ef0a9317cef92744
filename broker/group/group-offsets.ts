/**
 * OffsetCommit and OffsetFetch. Pure. Topics are named by id; whether they exist is the caller's question.
 * Source: PROTOCOL: OffsetCommit, OffsetFetch; KIP-211 (retention), KIP-447 (requireStable).
 */
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { OffsetCommitRequest, OffsetCommitResponse } from '#shared/wire/api/offset-commit.ts'
import type { OffsetFetchRequest, OffsetFetchResponse } from '#shared/wire/api/offset-fetch.ts'
import type { Entry } from '../shard/entry.ts'
import { groupOffsetsEntry, type GroupOffsetsEntry } from './group-entries.ts'
import { memberError, renewSession, type Group, type GroupStep } from './group-state.ts'
import type { CommittedOffset, GroupRecord } from './groups-state.ts'

export type CommitCaller = {
  readonly generationId: number // -1: no member
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly version: number // the client's
}

/** Whether the caller may commit. `exists` is false if neither a record nor a member of the group is there. */
export function commitError(group: Group | null, exists: boolean, caller: CommitCaller, step: GroupStep): number {
  const { generationId, memberId, groupInstanceId, version } = caller
  if (!exists) {
    if (generationId < 0) return KAFKA_ERROR.NONE // a simple consumer: its group begins with the first commit
    return version >= 9 ? KAFKA_ERROR.GROUP_ID_NOT_FOUND : KAFKA_ERROR.ILLEGAL_GENERATION
  }
  const empty = group === null || group.phase === 'Empty'
  if (empty) return generationId < 0 ? KAFKA_ERROR.NONE : KAFKA_ERROR.UNKNOWN_MEMBER_ID
  const errorCode = memberError(group, memberId, groupInstanceId)
  if (errorCode !== KAFKA_ERROR.NONE) return errorCode
  if (generationId !== group.generation) return KAFKA_ERROR.ILLEGAL_GENERATION
  if (group.phase === 'CompletingRebalance') return KAFKA_ERROR.REBALANCE_IN_PROGRESS
  renewSession(group.members.get(memberId)!, step)
  return KAFKA_ERROR.NONE
}

export type CommitLimits = { readonly offsetMetadataMaxBytes: number; readonly groupOffsetCountMax: number }
export type TopicCheck = (topicId: string, partition: number) => number // NONE: it exists

/** Splits a commit into what is journaled (null: nothing) and what the client is told. */
export function planCommit(
  request: OffsetCommitRequest, record: GroupRecord | undefined, limits: CommitLimits, check: TopicCheck
): { readonly entry: Entry | null; readonly topics: OffsetCommitResponse['topics'] } {
  const taken: GroupOffsetsEntry['topics'][number][] = []
  let offsetCount = record?.offsetCount ?? 0
  const topics = request.topics.map(({ topicId, partitions }) => {
    const committed: GroupOffsetsEntry['topics'][number]['committed'][number][] = []
    const known = record?.offsets.get(topicId)
    const answers = partitions.map(({ partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata }) => {
      const metadata = committedMetadata ?? ''
      let errorCode = check(topicId, partitionIndex)
      if (errorCode === KAFKA_ERROR.NONE && Buffer.byteLength(metadata) > limits.offsetMetadataMaxBytes)
        errorCode = KAFKA_ERROR.OFFSET_METADATA_TOO_LARGE
      const isNew = known?.has(partitionIndex) !== true
      if (errorCode === KAFKA_ERROR.NONE && isNew && offsetCount >= limits.groupOffsetCountMax)
        errorCode = KAFKA_ERROR.INVALID_COMMIT_OFFSET_SIZE
      if (errorCode === KAFKA_ERROR.NONE) {
        if (isNew) offsetCount += 1
        committed.push(
          { partition: partitionIndex, offset: committedOffset, leaderEpoch: committedLeaderEpoch, metadata }
        )
      }
      return { partitionIndex, errorCode }
    })
    if (committed.length > 0) taken.push({ topicId, committed, removed: [] })
    return { name: '', topicId, partitions: answers }
  })
  const entry = taken.length === 0 ? null : groupOffsetsEntry({ groupId: request.groupId, topics: taken })
  return { entry, topics }
}

/** The answer to a commit that was refused as a whole. */
export function refusedCommit(request: OffsetCommitRequest, errorCode: number): OffsetCommitResponse {
  return {
    throttleTimeMs: 0,
    topics: request.topics.map(({ name, topicId, partitions }) =>
      ({ name, topicId, partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })) }))
  }
}

type AskedGroup = OffsetFetchRequest['groups'][number]
type FetchedGroup = OffsetFetchResponse['groups'][number]
type FetchedTopic = FetchedGroup['topics'][number]

/** What a group has committed. Nothing committed, or no such group, is offset -1 without an error. */
export function fetchOffsets(record: GroupRecord | undefined, asked: AskedGroup): FetchedGroup {
  const { groupId, topics } = asked
  const fetched = topics === null
    ? Array.from(record?.offsets ?? [], ([topicId, partitions]): FetchedTopic =>
      ({ name: '', topicId, partitions: Array.from(
        partitions, ([partition, offset]) => fetchedPartition(partition, offset)
      ) }))
    : topics.map(({ name, topicId, partitionIndexes }): FetchedTopic => {
      const committed = record?.offsets.get(topicId)
      return { name, topicId, partitions: partitionIndexes.map(
        (partition) => fetchedPartition(partition, committed?.get(partition))
      ) }
    })
  return { groupId, topics: fetched, errorCode: KAFKA_ERROR.NONE }
}

function fetchedPartition(
  partitionIndex: number, committed: CommittedOffset | undefined
): FetchedTopic['partitions'][number] {
  return {
    partitionIndex, committedOffset: committed?.offset ?? -1, committedLeaderEpoch: committed?.leaderEpoch ?? -1,
    metadata: committed?.metadata ?? '', errorCode: KAFKA_ERROR.NONE
  }
}
