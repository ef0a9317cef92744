/** Admin calls to the leader of the catalog, and the second step of topic creation to the leaders of shards. */
import {
  array, bool, field, float64, int16, int32, message, string, struct, uint16, uuid, type Infer
} from '../binary/message.ts'
import type { RpcCall } from './call.ts'

const versions = { versions: [0, 0], flexibleSince: null } as const
const config = struct({ name: field(string), value: field(string, { nullable: true }) })
const outcome = { errorCode: field(int16), errorMessage: field(string, { nullable: true }) } as const

/** Answers after `done` is durable, or REQUEST_TIMED_OUT (7) with the intent kept. */
export const createTopicRequest = message('CreateTopicRequest', versions, {
  name: field(string), partitionCount: field(int32), replicationFactor: field(int16), // -1: the default
  configs: field(array(config)), validateOnly: field(bool), timeoutMs: field(int32)
})
export const createTopicResponse = message('CreateTopicResponse', versions, {
  ...outcome, topicId: field(uuid), partitionCount: field(int32), replicationFactor: field(int16)
})
export const deleteTopicRequest =
  message('DeleteTopicRequest', versions, { topicId: field(uuid), timeoutMs: field(int32) })
export const outcomeResponse = message('OutcomeResponse', versions, outcome)
export const createPartitionsRequest = message('CreatePartitionsRequest', versions, {
  topicId: field(uuid), partitionCount: field(int32), validateOnly: field(bool), timeoutMs: field(int32)
})
export const producerIdsRequest = message('ProducerIdsRequest', versions, { count: field(int32) })
export const producerIdsResponse =
  message('ProducerIdsResponse', versions, { firstId: field(float64), count: field(int32) })

/**
 * To the leader of a shard: journals `create` (partitions [first, count) of the topic that hash to it)
 * or `drop`. Idempotent.
 */
export const shardTopicRequest = message('ShardTopicRequest', versions, {
  shard: field(uint16), topicId: field(uuid), drop: field(bool), firstPartition: field(int32),
  partitionCount: field(int32),
  createdMs: field(float64)
})

/** To the leader of a shard: journals that lives of nodes, up to an epoch each, are closed. Idempotent. */
export const closeSourcesRequest = message('CloseSourcesRequest', versions, {
  shard: field(uint16), lives: field(array(struct({ nodeId: field(int32), nodeEpoch: field(float64) })))
})

export type CloseSourcesRequest = Infer<typeof closeSourcesRequest>
export type CreateTopicRequest = Infer<typeof createTopicRequest>
export type CreateTopicResponse = Infer<typeof createTopicResponse>
export type DeleteTopicRequest = Infer<typeof deleteTopicRequest>
export type OutcomeResponse = Infer<typeof outcomeResponse>
export type CreatePartitionsRequest = Infer<typeof createPartitionsRequest>
export type ProducerIdsRequest = Infer<typeof producerIdsRequest>
export type ProducerIdsResponse = Infer<typeof producerIdsResponse>
export type ShardTopicRequest = Infer<typeof shardTopicRequest>

const admin = { cause: 'admin', payloadCause: null } as const
export const createTopicCall: RpcCall<CreateTopicRequest, CreateTopicResponse> =
  { id: 20, name: 'create-topic', ...admin, request: createTopicRequest, response: createTopicResponse }
export const deleteTopicCall: RpcCall<DeleteTopicRequest, OutcomeResponse> =
  { id: 21, name: 'delete-topic', ...admin, request: deleteTopicRequest, response: outcomeResponse }
export const createPartitionsCall: RpcCall<CreatePartitionsRequest, OutcomeResponse> =
  { id: 22, name: 'create-partitions', ...admin, request: createPartitionsRequest, response: outcomeResponse }
export const producerIdsCall: RpcCall<ProducerIdsRequest, ProducerIdsResponse> =
  { id: 23, name: 'producer-ids', ...admin, request: producerIdsRequest, response: producerIdsResponse }
export const shardTopicCall: RpcCall<ShardTopicRequest, OutcomeResponse> =
  { id: 24, name: 'shard-topic', ...admin, request: shardTopicRequest, response: outcomeResponse }
export const closeSourcesCall: RpcCall<CloseSourcesRequest, OutcomeResponse> =
  { id: 25, name: 'close-sources', ...admin, request: closeSourcesRequest, response: outcomeResponse }
