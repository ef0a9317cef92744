/** Metadata: the cluster as clients of a zone see it, and the topics (PROTOCOL 12-19). */
import { UUID_ZERO } from '#shared/binary/uuid.ts'
import type { TopicInfo } from '#shared/cluster/catalog-reader.ts'
import type { MetadataRequest, MetadataResponse } from '#shared/wire/api/metadata.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { ZoneView } from '../zone/zone-view.ts'
import { CLUSTER_OPERATIONS, ifAsked, TOPIC_OPERATIONS } from './authorized-operations.ts'
import { createMissingTopic } from './auto-create.ts'
import { authorize, throttle, type GatewayServices, type Handler, type RequestContext } from './handler.ts'
import { checkNamed, mapTogether, oncePerKey } from './request-bounds.ts'
import { findTopics, isTopicNameValid, type TopicName } from './topic-lookup.ts'

type Asked = NonNullable<MetadataRequest['topics']>[number]
type TopicAnswer = MetadataResponse['topics'][number]
type PartitionAnswer = TopicAnswer['partitions'][number]

const NULLS_SINCE = 1 // v0 has no null: an empty list means all
const IDS_SINCE = 10
const BY_ID_SINCE = 12
const LEADER_EPOCH = 0 // the log never truncates

export const handleMetadata: Handler<MetadataRequest, MetadataResponse> =
  async (context, version, request, services) => {
  const asked = request.topics
  const all = asked === null || (version < NULLS_SINCE && asked.length === 0)
  checkNamed(services, all ? 0 : asked.length)
  const view = new ZoneView(context, services)
  const topics = all
    ? services.catalog.topics().filter(({ name }) => authorize(context, 'describe', { type: 'topic', name }))
      .map((topic) => describe(topic, view, request))
    : await askedTopics({ context, version, request, services, view }, asked)
  return {
    throttleTimeMs: throttle(context, 0),
    brokers: view.endpoints(),
    clusterId: services.clusterId,
    controllerId: view.controllerId(services.nodeId),
    topics,
    clusterAuthorizedOperations: ifAsked(request.includeClusterAuthorizedOperations, CLUSTER_OPERATIONS),
    errorCode: KAFKA_ERROR.NONE
  }
}

type Asking = {
  readonly context: RequestContext; readonly version: number; readonly request: MetadataRequest
  readonly services: GatewayServices; readonly view: ZoneView
}

async function askedTopics(asking: Asking, asked: readonly Asked[]): Promise<TopicAnswer[]> {
  const { version, services } = asking
  const names = oncePerKey(asked, ({ name, topicId }) => JSON.stringify([name, topicId])) // as Kafka, which keeps sets
    .map(({ item: { name, topicId } }): TopicName => ({ name, topicId: topicId === UUID_ZERO ? null : topicId }))
  const isTooEarly = version >= IDS_SINCE && version < BY_ID_SINCE
  if (isTooEarly && names.some(({ name, topicId }) => name === null || topicId !== null)) {
    return names.map(({ name, topicId }) => refused(KAFKA_ERROR.INVALID_REQUEST, name ?? '', topicId)) // PROTOCOL 14
  }
  const valid = names.filter(({ name, topicId }) => topicId !== null || (name !== null && isTopicNameValid(name)))
  const { fresh } = await findTopics(services, valid)
  return mapTogether(names, (each) => answerOne(asking, each, fresh))
}

async function answerOne(asking: Asking, { name, topicId }: TopicName, fresh: boolean): Promise<TopicAnswer> {
  const { context, request, services, view } = asking
  const { catalog, settings } = services
  if (topicId !== null) {
    const topic = catalog.topicById(topicId)
    if (topic !== null && topic.state !== 'deleting') return describe(topic, view, request)
    return refused(fresh ? KAFKA_ERROR.UNKNOWN_TOPIC_ID : KAFKA_ERROR.LEADER_NOT_AVAILABLE, null, topicId)
  }
  if (name === null) return refused(KAFKA_ERROR.INVALID_REQUEST, null, null)
  if (!isTopicNameValid(name)) return refused(KAFKA_ERROR.INVALID_TOPIC_EXCEPTION, name, null)
  if (!authorize(context, 'describe', { type: 'topic', name })) {
    return refused(KAFKA_ERROR.TOPIC_AUTHORIZATION_FAILED, name, null)
  }
  const known = catalog.topicByName(name)
  if (known !== null) return describe(known, view, request)
  if (!fresh) return refused(KAFKA_ERROR.LEADER_NOT_AVAILABLE, name, null)
  const mayCreate = request.allowAutoTopicCreation && settings.autoCreateTopicsEnable &&
    authorize(context, 'create', { type: 'topic', name })
  if (!mayCreate) return refused(KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, name, null)
  const errorCode = await createMissingTopic(services, name)
  const created = catalog.topicByName(name)
  return created === null ? refused(errorCode, name, null) : describe(created, view, request)
}

function refused(errorCode: number, name: string | null, topicId: string | null): TopicAnswer {
  return {
    errorCode, name, topicId: topicId ?? UUID_ZERO, isInternal: false, partitions: [],
    topicAuthorizedOperations: ifAsked(false, 0)
  }
}

function describe(topic: TopicInfo, view: ZoneView, request: MetadataRequest): TopicAnswer {
  const { name, topicId, partitionCount, readyPartitionCount, state } = topic
  const partitions: PartitionAnswer[] = []
  for (let index = 0; index < partitionCount; index++) {
    const ready = state === 'ready' && index < readyPartitionCount
    partitions.push(describePartition(index, ready ? view.leaderId(topicId, index) : -1))
  }
  return {
    errorCode: state === 'creating' ? KAFKA_ERROR.LEADER_NOT_AVAILABLE : KAFKA_ERROR.NONE,
    name, topicId, isInternal: false, partitions,
    topicAuthorizedOperations: ifAsked(request.includeTopicAuthorizedOperations, TOPIC_OPERATIONS)
  }
}

function describePartition(partitionIndex: number, leaderId: number): PartitionAnswer {
  const nodes = leaderId < 0 ? [] : [leaderId]
  return {
    errorCode: leaderId < 0 ? KAFKA_ERROR.LEADER_NOT_AVAILABLE : KAFKA_ERROR.NONE,
    partitionIndex, leaderId, leaderEpoch: LEADER_EPOCH, replicaNodes: nodes, isrNodes: nodes, offlineReplicas: []
  }
}
