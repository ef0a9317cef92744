/**
 * OffsetFetch (API key 9), versions 1-10: null topics mean all since v2, v6 is flexible, v7 adds requireStable, v8
 * many groups in one request, v10 names topics by id.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_OffsetFetch
 */
import {
  array, bool, field, int16, int32, int64, message, string, struct, uuid, type Infer
} from '../../binary/message.ts'

const versions = { versions: [1, 10], flexibleSince: 6 } as const

export const offsetFetchRequest = message('OffsetFetchRequest', versions, {
  groupId: field(string, { until: 7 }),
  topics: field(array(struct({
    name: field(string, { until: 7 }),
    partitionIndexes: field(array(int32), { until: 7 })
  })), { until: 7, nullableSince: 2 }),
  groups: field(array(struct({
    groupId: field(string),
    memberId: field(string, { since: 9, nullable: true }),
    memberEpoch: field(int32, { since: 9, default: -1 }),
    topics: field(array(struct({
      name: field(string, { until: 9 }),
      topicId: field(uuid, { since: 10 }),
      partitionIndexes: field(array(int32))
    })), { nullable: true })
  })), { since: 8 }),
  requireStable: field(bool, { since: 7 })
})

export const offsetFetchResponse = message('OffsetFetchResponse', versions, {
  throttleTimeMs: field(int32, { since: 3 }),
  topics: field(array(struct({
    name: field(string, { until: 7 }),
    partitions: field(array(struct({
      partitionIndex: field(int32, { until: 7 }),
      committedOffset: field(int64, { until: 7 }),
      committedLeaderEpoch: field(int32, { since: 5, until: 7, default: -1 }),
      metadata: field(string, { until: 7, nullable: true }),
      errorCode: field(int16, { until: 7 })
    })), { until: 7 })
  })), { until: 7 }),
  errorCode: field(int16, { since: 2, until: 7 }),
  groups: field(array(struct({
    groupId: field(string),
    topics: field(array(struct({
      name: field(string, { until: 9 }),
      topicId: field(uuid, { since: 10 }),
      partitions: field(array(struct({
        partitionIndex: field(int32),
        committedOffset: field(int64),
        committedLeaderEpoch: field(int32, { default: -1 }),
        metadata: field(string, { nullable: true }),
        errorCode: field(int16)
      })))
    }))),
    errorCode: field(int16)
  })), { since: 8 })
})

export type OffsetFetchRequest = Infer<typeof offsetFetchRequest>
export type OffsetFetchResponse = Infer<typeof offsetFetchResponse>
