/**
 * OffsetForLeaderEpoch (API key 23), versions 2-4: v3 adds replicaId, v4 is flexible (truncation check of KIP-320).
 * Source: https://kafka.apache.org/protocol.html#The_Messages_OffsetForLeaderEpoch
 */
import { array, field, int16, int32, int64, message, string, struct, type Infer } from '../../binary/message.ts'

const versions = { versions: [2, 4], flexibleSince: 4 } as const

export const offsetForLeaderEpochRequest = message('OffsetForLeaderEpochRequest', versions, {
  replicaId: field(int32, { since: 3, default: -2 }),
  topics: field(array(struct({
    topic: field(string),
    partitions: field(array(struct({
      partition: field(int32),
      currentLeaderEpoch: field(int32, { default: -1 }),
      leaderEpoch: field(int32)
    })))
  })))
})

export const offsetForLeaderEpochResponse = message('OffsetForLeaderEpochResponse', versions, {
  throttleTimeMs: field(int32),
  topics: field(array(struct({
    topic: field(string),
    partitions: field(array(struct({
      errorCode: field(int16),
      partition: field(int32),
      leaderEpoch: field(int32, { default: -1 }),
      endOffset: field(int64, { default: -1 })
    })))
  })))
})

export type OffsetForLeaderEpochRequest = Infer<typeof offsetForLeaderEpochRequest>
export type OffsetForLeaderEpochResponse = Infer<typeof offsetForLeaderEpochResponse>
