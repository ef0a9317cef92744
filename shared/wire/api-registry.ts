/**
 * Every Kafka API that we can read and write, in one table. What a listener serves and advertises is decided by the
 * gateway: `versionMin` and `versionMax` are what the codecs know, `advertisedMin` the least that ApiVersions may say.
 */
import type { Message } from '../binary/message.ts'
import { alterConfigsRequest, alterConfigsResponse } from './api/alter-configs.ts'
import { apiVersionsRequest, apiVersionsResponse } from './api/api-versions.ts'
import { createPartitionsRequest, createPartitionsResponse } from './api/create-partitions.ts'
import { createTopicsRequest, createTopicsResponse } from './api/create-topics.ts'
import { deleteGroupsRequest, deleteGroupsResponse } from './api/delete-groups.ts'
import { deleteRecordsRequest, deleteRecordsResponse } from './api/delete-records.ts'
import { deleteTopicsRequest, deleteTopicsResponse } from './api/delete-topics.ts'
import { describeClusterRequest, describeClusterResponse } from './api/describe-cluster.ts'
import { describeConfigsRequest, describeConfigsResponse } from './api/describe-configs.ts'
import { describeGroupsRequest, describeGroupsResponse } from './api/describe-groups.ts'
import { fetchRequest, fetchResponse } from './api/fetch.ts'
import { findCoordinatorRequest, findCoordinatorResponse } from './api/find-coordinator.ts'
import { heartbeatRequest, heartbeatResponse } from './api/heartbeat.ts'
import { incrementalAlterConfigsRequest, incrementalAlterConfigsResponse } from './api/incremental-alter-configs.ts'
import { initProducerIdRequest, initProducerIdResponse } from './api/init-producer-id.ts'
import { joinGroupRequest, joinGroupResponse } from './api/join-group.ts'
import { leaveGroupRequest, leaveGroupResponse } from './api/leave-group.ts'
import { listGroupsRequest, listGroupsResponse } from './api/list-groups.ts'
import { listOffsetsRequest, listOffsetsResponse } from './api/list-offsets.ts'
import { metadataRequest, metadataResponse } from './api/metadata.ts'
import { offsetCommitRequest, offsetCommitResponse } from './api/offset-commit.ts'
import { offsetFetchRequest, offsetFetchResponse } from './api/offset-fetch.ts'
import { offsetForLeaderEpochRequest, offsetForLeaderEpochResponse } from './api/offset-for-leader-epoch.ts'
import { produceRequest, produceResponse } from './api/produce.ts'
import { syncGroupRequest, syncGroupResponse } from './api/sync-group.ts'

export type Api<Request, Response> = {
  readonly apiKey: number
  readonly name: string
  readonly versionMin: number
  readonly versionMax: number
  readonly advertisedMin: number
  readonly flexibleSince: number | null // of the bodies, and of the headers except the response of ApiVersions
  readonly request: Message<Request>
  readonly response: Message<Response>
}

/** An API whose bodies are not told apart: what the table yields by number. */
export type AnyApi = Api<unknown, unknown>

function api<Request, Response>(
  apiKey: number,
  request: Message<Request>,
  response: Message<Response>,
  advertisedMin = request.versionMin
): Api<Request, Response> {
  const { versionMin, versionMax, flexibleSince } = request
  const name = request.name.slice(0, -'Request'.length)
  return { apiKey, name, versionMin, versionMax, advertisedMin, flexibleSince, request, response }
}

export const API = {
  // librdkafka looks for Produce 0 before it compresses (KAFKA-18659): 0-2 are advertised and refused
  produce: api(0, produceRequest, produceResponse, 0),
  fetch: api(1, fetchRequest, fetchResponse),
  listOffsets: api(2, listOffsetsRequest, listOffsetsResponse),
  metadata: api(3, metadataRequest, metadataResponse),
  offsetCommit: api(8, offsetCommitRequest, offsetCommitResponse),
  offsetFetch: api(9, offsetFetchRequest, offsetFetchResponse),
  findCoordinator: api(10, findCoordinatorRequest, findCoordinatorResponse),
  joinGroup: api(11, joinGroupRequest, joinGroupResponse),
  heartbeat: api(12, heartbeatRequest, heartbeatResponse),
  leaveGroup: api(13, leaveGroupRequest, leaveGroupResponse),
  syncGroup: api(14, syncGroupRequest, syncGroupResponse),
  describeGroups: api(15, describeGroupsRequest, describeGroupsResponse),
  listGroups: api(16, listGroupsRequest, listGroupsResponse),
  apiVersions: api(18, apiVersionsRequest, apiVersionsResponse),
  createTopics: api(19, createTopicsRequest, createTopicsResponse),
  deleteTopics: api(20, deleteTopicsRequest, deleteTopicsResponse),
  deleteRecords: api(21, deleteRecordsRequest, deleteRecordsResponse),
  initProducerId: api(22, initProducerIdRequest, initProducerIdResponse),
  offsetForLeaderEpoch: api(23, offsetForLeaderEpochRequest, offsetForLeaderEpochResponse),
  describeConfigs: api(32, describeConfigsRequest, describeConfigsResponse),
  alterConfigs: api(33, alterConfigsRequest, alterConfigsResponse),
  createPartitions: api(37, createPartitionsRequest, createPartitionsResponse),
  deleteGroups: api(42, deleteGroupsRequest, deleteGroupsResponse),
  incrementalAlterConfigs: api(44, incrementalAlterConfigsRequest, incrementalAlterConfigsResponse),
  describeCluster: api(60, describeClusterRequest, describeClusterResponse)
} as const

export const API_LIST: readonly AnyApi[] = Object.values(API)

const byKey: readonly (AnyApi | undefined)[] = API_LIST.reduce<(AnyApi | undefined)[]>((table, each) => {
  table[each.apiKey] = each
  return table
}, [])

export function apiByKey(apiKey: number): AnyApi | null {
  return byKey[apiKey] ?? null
}

/** Whether a body of this version has tagged fields, and so the request's header; also of versions still unknown. */
export function isApiFlexible(of: AnyApi, version: number): boolean {
  return of.flexibleSince !== null && version >= of.flexibleSince
}
