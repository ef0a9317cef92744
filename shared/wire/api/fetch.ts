/**
 * Fetch (API key 1), versions 4-12: v5 adds logStartOffset, v7 fetch sessions (KIP-227), v9 leader epochs (KIP-320),
 * v11 the rack of the client (KIP-392), v12 is flexible.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_Fetch
 */
import {
  array, field, int16, int32, int64, int8, message, records, string, struct, type Infer
} from '../../binary/message.ts'

const versions = { versions: [4, 12], flexibleSince: 12 } as const

export const fetchRequest = message('FetchRequest', versions, {
  clusterId: field(string, { since: 12, nullable: true, tag: 0 }),
  replicaId: field(int32, { default: -1 }),
  maxWaitMs: field(int32),
  minBytes: field(int32),
  maxBytes: field(int32, { default: 0x7fffffff }),
  isolationLevel: field(int8),
  sessionId: field(int32, { since: 7 }),
  sessionEpoch: field(int32, { since: 7, default: -1 }),
  topics: field(array(struct({
    topic: field(string),
    partitions: field(array(struct({
      partition: field(int32),
      currentLeaderEpoch: field(int32, { since: 9, default: -1 }),
      fetchOffset: field(int64),
      lastFetchedEpoch: field(int32, { since: 12, default: -1 }),
      logStartOffset: field(int64, { since: 5, default: -1 }),
      partitionMaxBytes: field(int32)
    })))
  }))),
  forgottenTopicsData: field(array(struct({
    topic: field(string),
    partitions: field(array(int32))
  })), { since: 7 }),
  rackId: field(string, { since: 11 })
})

export const fetchResponse = message('FetchResponse', versions, {
  throttleTimeMs: field(int32),
  errorCode: field(int16, { since: 7 }),
  sessionId: field(int32, { since: 7 }),
  responses: field(array(struct({
    topic: field(string),
    partitions: field(array(struct({
      partitionIndex: field(int32),
      errorCode: field(int16),
      highWatermark: field(int64),
      lastStableOffset: field(int64, { default: -1 }),
      logStartOffset: field(int64, { since: 5, default: -1 }),
      divergingEpoch: field(struct({
        epoch: field(int32, { default: -1 }),
        endOffset: field(int64, { default: -1 })
      }), { since: 12, tag: 0 }),
      currentLeader: field(struct({
        leaderId: field(int32, { default: -1 }),
        leaderEpoch: field(int32, { default: -1 })
      }), { since: 12, tag: 1 }),
      snapshotId: field(struct({
        endOffset: field(int64, { default: -1 }),
        epoch: field(int32, { default: -1 })
      }), { since: 12, tag: 2 }),
      abortedTransactions: field(array(struct({
        producerId: field(int64),
        firstOffset: field(int64)
      })), { nullable: true }),
      preferredReadReplica: field(int32, { since: 11, default: -1 }),
      records: field(records)
    })))
  })))
})

export type FetchRequest = Infer<typeof fetchRequest>
export type FetchResponse = Infer<typeof fetchResponse>

/** The tagged fields of a partition that has nothing to say in them. */
export const FETCH_TAGS_NONE = {
  divergingEpoch: { epoch: -1, endOffset: -1 },
  currentLeader: { leaderId: -1, leaderEpoch: -1 },
  snapshotId: { endOffset: -1, epoch: -1 }
} as const
