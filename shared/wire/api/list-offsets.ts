/**
 * ListOffsets (API key 2), versions 1-11: v2 adds the isolation level, v4 leader epochs, v6 is flexible, v7-v11 only
 * new special timestamps (v10 a timeout).
 * Source: https://kafka.apache.org/protocol.html#The_Messages_ListOffsets
 */
import { array, field, int16, int32, int64, int8, message, string, struct, type Infer } from '../../binary/message.ts'

const versions = { versions: [1, 11], flexibleSince: 6 } as const

export const listOffsetsRequest = message('ListOffsetsRequest', versions, {
  replicaId: field(int32),
  isolationLevel: field(int8, { since: 2 }),
  topics: field(array(struct({
    name: field(string),
    partitions: field(array(struct({
      partitionIndex: field(int32),
      currentLeaderEpoch: field(int32, { since: 4, default: -1 }),
      timestamp: field(int64)
    })))
  }))),
  timeoutMs: field(int32, { since: 10 })
})

export const listOffsetsResponse = message('ListOffsetsResponse', versions, {
  throttleTimeMs: field(int32, { since: 2 }),
  topics: field(array(struct({
    name: field(string),
    partitions: field(array(struct({
      partitionIndex: field(int32),
      errorCode: field(int16),
      timestamp: field(int64, { default: -1 }),
      offset: field(int64, { default: -1 }),
      leaderEpoch: field(int32, { since: 4, default: -1 })
    })))
  })))
})

export type ListOffsetsRequest = Infer<typeof listOffsetsRequest>
export type ListOffsetsResponse = Infer<typeof listOffsetsResponse>
