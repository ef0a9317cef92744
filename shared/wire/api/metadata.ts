/**
 * Metadata (API key 3), versions 0-13: no topics means all in v0, null means all since v1; v9 is flexible, v10 adds
 * topic ids, v13 a top-level error.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_Metadata
 */
import { array, bool, field, int16, int32, message, string, struct, uuid, type Infer } from '../../binary/message.ts'
import { AUTHORIZED_OPERATIONS_UNKNOWN } from '../authorized-operations.ts'

const versions = { versions: [0, 13], flexibleSince: 9 } as const

export const metadataRequest = message('MetadataRequest', versions, {
  topics: field(array(struct({
    topicId: field(uuid, { since: 10 }),
    name: field(string, { nullableSince: 10 })
  })), { nullableSince: 1 }),
  allowAutoTopicCreation: field(bool, { since: 4, default: true }),
  includeClusterAuthorizedOperations: field(bool, { since: 8, until: 10 }),
  includeTopicAuthorizedOperations: field(bool, { since: 8 })
})

export const metadataResponse = message('MetadataResponse', versions, {
  throttleTimeMs: field(int32, { since: 3 }),
  brokers: field(array(struct({
    nodeId: field(int32),
    host: field(string),
    port: field(int32),
    rack: field(string, { since: 1, nullable: true })
  }))),
  clusterId: field(string, { since: 2, nullable: true }),
  controllerId: field(int32, { since: 1, default: -1 }),
  topics: field(array(struct({
    errorCode: field(int16),
    name: field(string, { nullableSince: 12 }),
    topicId: field(uuid, { since: 10 }),
    isInternal: field(bool, { since: 1 }),
    partitions: field(array(struct({
      errorCode: field(int16),
      partitionIndex: field(int32),
      leaderId: field(int32),
      leaderEpoch: field(int32, { since: 7, default: -1 }),
      replicaNodes: field(array(int32)),
      isrNodes: field(array(int32)),
      offlineReplicas: field(array(int32), { since: 5 })
    }))),
    topicAuthorizedOperations: field(int32, { since: 8, default: AUTHORIZED_OPERATIONS_UNKNOWN })
  }))),
  clusterAuthorizedOperations: field(int32, { since: 8, until: 10, default: AUTHORIZED_OPERATIONS_UNKNOWN }),
  errorCode: field(int16, { since: 13 })
})

export type MetadataRequest = Infer<typeof metadataRequest>
export type MetadataResponse = Infer<typeof metadataResponse>
