/**
 * OffsetCommit (API key 8), versions 2-10: v6 adds the leader epoch, v7 static members (KIP-345), v8 is flexible,
 * v10 names topics by id.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_OffsetCommit
 */
import { array, field, int16, int32, int64, message, string, struct, uuid, type Infer } from '../../binary/message.ts'

const versions = { versions: [2, 10], flexibleSince: 8 } as const

export const offsetCommitRequest = message('OffsetCommitRequest', versions, {
  groupId: field(string),
  generationIdOrMemberEpoch: field(int32, { default: -1 }),
  memberId: field(string),
  groupInstanceId: field(string, { since: 7, nullable: true }),
  retentionTimeMs: field(int64, { until: 4, default: -1 }),
  topics: field(array(struct({
    name: field(string, { until: 9 }),
    topicId: field(uuid, { since: 10 }),
    partitions: field(array(struct({
      partitionIndex: field(int32),
      committedOffset: field(int64),
      committedLeaderEpoch: field(int32, { since: 6, default: -1 }),
      committedMetadata: field(string, { nullable: true })
    })))
  })))
})

export const offsetCommitResponse = message('OffsetCommitResponse', versions, {
  throttleTimeMs: field(int32, { since: 3 }),
  topics: field(array(struct({
    name: field(string, { until: 9 }),
    topicId: field(uuid, { since: 10 }),
    partitions: field(array(struct({
      partitionIndex: field(int32),
      errorCode: field(int16)
    })))
  })))
})

export type OffsetCommitRequest = Infer<typeof offsetCommitRequest>
export type OffsetCommitResponse = Infer<typeof offsetCommitResponse>
