/**
 * What a listener serves: one row an API, with the versions of its codec. Keys that are absent are not advertised, and
 * clients do without (PROTOCOL 0.3); ApiVersions is built from this table.
 */
import { API } from '#shared/wire/api-registry.ts'
import { apiVersionsHandler, apiVersionsTooNewHandler } from './api-versions.ts'
import { handleCreatePartitions } from './create-partitions.ts'
import { handleCreateTopics } from './create-topics.ts'
import { handleDeleteGroups } from './delete-groups.ts'
import { handleDeleteTopics } from './delete-topics.ts'
import { handleDescribeCluster } from './describe-cluster.ts'
import { handleDescribeConfigs } from './describe-configs.ts'
import { handleDescribeGroups } from './describe-groups.ts'
import { handleFetch } from './fetch.ts'
import { handleFindCoordinator } from './find-coordinator.ts'
import { handleHeartbeat } from './heartbeat.ts'
import { handleInitProducerId } from './init-producer-id.ts'
import { handleJoinGroup } from './join-group.ts'
import { handleLeaveGroup } from './leave-group.ts'
import { handleListGroups } from './list-groups.ts'
import { handleListOffsets } from './list-offsets.ts'
import { handleMetadata } from './metadata.ts'
import { handleOffsetCommit } from './offset-commit.ts'
import { handleOffsetFetch } from './offset-fetch.ts'
import { handleOffsetForLeaderEpoch } from './offset-for-leader-epoch.ts'
import { handleProduce } from './produce.ts'
import { serve, servedTable, type ServedApi } from './served-table.ts'
import { handleSyncGroup } from './sync-group.ts'

const ROWS: readonly ServedApi[] = [
  serve(API.produce, handleProduce, { cause: 'produce', pipelined: true }),
  serve(API.fetch, handleFetch, { cause: 'fetch' }),
  serve(API.listOffsets, handleListOffsets),
  serve(API.metadata, handleMetadata),
  serve(API.offsetCommit, handleOffsetCommit),
  serve(API.offsetFetch, handleOffsetFetch),
  serve(API.findCoordinator, handleFindCoordinator),
  serve(API.joinGroup, handleJoinGroup),
  serve(API.heartbeat, handleHeartbeat),
  serve(API.leaveGroup, handleLeaveGroup),
  serve(API.syncGroup, handleSyncGroup),
  serve(API.describeGroups, handleDescribeGroups),
  serve(API.listGroups, handleListGroups),
  serve(API.apiVersions, apiVersionsHandler(() => ROWS)),
  serve(API.createTopics, handleCreateTopics),
  serve(API.deleteTopics, handleDeleteTopics),
  serve(API.initProducerId, handleInitProducerId),
  serve(API.offsetForLeaderEpoch, handleOffsetForLeaderEpoch),
  serve(API.describeConfigs, handleDescribeConfigs),
  serve(API.createPartitions, handleCreatePartitions),
  serve(API.deleteGroups, handleDeleteGroups),
  serve(API.describeCluster, handleDescribeCluster)
]

export const SERVED = servedTable(ROWS, serve(API.apiVersions, apiVersionsTooNewHandler))
