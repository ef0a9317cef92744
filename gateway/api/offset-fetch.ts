/** OffsetFetch: one group before version 8, several since; topics go to the coordinator by id (PROTOCOL 44). */
import { UUID_ZERO } from '#shared/binary/uuid.ts'
import { API } from '#shared/wire/api-registry.ts'
import type { OffsetFetchRequest, OffsetFetchResponse } from '#shared/wire/api/offset-fetch.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { forwardToGroup } from './group-forward.ts'
import { authorize, throttle, type GatewayServices, type Handler, type RequestContext } from './handler.ts'
import { checkNamed, mapTogether } from './request-bounds.ts'
import { findTopics, type TopicName } from './topic-lookup.ts'

type GroupAsked = OffsetFetchRequest['groups'][number]
type GroupAnswer = OffsetFetchResponse['groups'][number]
type TopicAnswer = GroupAnswer['topics'][number]
type PartitionAnswer = TopicAnswer['partitions'][number]
type TopicsAsked = NonNullable<GroupAsked['topics']>

const TOP_ERROR_SINCE = 2
const GROUPS_SINCE = 8
const IDS_SINCE = 10

export const handleOffsetFetch: Handler<OffsetFetchRequest, OffsetFetchResponse> =
  async (context, version, request, services) => {
  const asked = version >= GROUPS_SINCE ? request.groups : [onlyGroup(request)]
  checkNamed(services, asked.reduce((count, { topics }) => count + 1 +
    (topics ?? []).reduce((inGroup, { partitionIndexes }) => inGroup + 1 + partitionIndexes.length, 0), 0))
  const groups = await mapTogether(asked, (group) =>
    fetchGroup(context, version, group, request.requireStable, services))
  const throttleTimeMs = throttle(context, 0)
  if (version >= GROUPS_SINCE) return { throttleTimeMs, topics: [], errorCode: KAFKA_ERROR.NONE, groups }
  const { topics, errorCode } = groups[0]!
  if (version >= TOP_ERROR_SINCE || errorCode === KAFKA_ERROR.NONE) {
    return { throttleTimeMs, topics, errorCode, groups: [] }
  }
  // Before version 2 only partitions can carry an error.
  const failed = (asked[0]!.topics ?? []).map((topic) =>
    answerOf(topic, (index) => ({ ...noOffset(index), errorCode })))
  return { throttleTimeMs, topics: failed, errorCode: KAFKA_ERROR.NONE, groups: [] }
}

function onlyGroup({ groupId, topics }: OffsetFetchRequest): GroupAsked {
  return {
    groupId, memberId: null, memberEpoch: -1, topics: topics?.map((topic) => ({ ...topic, topicId: UUID_ZERO })) ?? null
  }
}

async function fetchGroup(
  context: RequestContext, version: number, asked: GroupAsked, requireStable: boolean, services: GatewayServices
): Promise<GroupAnswer> {
  const { groupId } = asked
  const refuse = (errorCode: number): GroupAnswer => ({ groupId, topics: [], errorCode })
  if (!authorize(context, 'describe', { type: 'group', name: groupId })) {
    return refuse(KAFKA_ERROR.GROUP_AUTHORIZATION_FAILED)
  }
  const byId = version >= IDS_SINCE
  const names = (asked.topics ?? []).map(({ name, topicId }): TopicName =>
    (byId ? { name: null, topicId } : { name, topicId: null }))
  const { topics, fresh } = await findTopics(services, names)
  if (!fresh) return refuse(KAFKA_ERROR.COORDINATOR_LOAD_IN_PROGRESS)
  const wanted = asked.topics?.flatMap(({ partitionIndexes }, i) => {
    const topic = topics[i]!
    return topic === null ? [] : [{ name: topic.name, topicId: topic.topicId, partitionIndexes }]
  }) ?? null
  const forwarded: OffsetFetchRequest =
    { groupId: '', topics: [], groups: [{ ...asked, topics: wanted }], requireStable }
  const { errorCode, response } =
    await forwardToGroup(context, services, API.offsetFetch, groupId, forwarded, { clientVersion: version })
  const found = response?.groups[0]
  if (found === undefined) return refuse(errorCode === 0 ? KAFKA_ERROR.UNKNOWN_SERVER_ERROR : errorCode)
  if (found.errorCode !== KAFKA_ERROR.NONE) return refuse(found.errorCode)
  if (asked.topics === null) {
    return { groupId, topics: await named(found.topics, services), errorCode: KAFKA_ERROR.NONE }
  }
  const offsets = new Map<string, PartitionAnswer>()
  for (const { topicId, partitions } of found.topics) {
    for (const partition of partitions) offsets.set(`${topicId}:${partition.partitionIndex}`, partition)
  }
  // A topic that does not exist has no committed offsets, which is no error; an id that does not is one.
  const missing = byId ? KAFKA_ERROR.UNKNOWN_TOPIC_ID : KAFKA_ERROR.NONE
  const answers = asked.topics.map((topic, i) => answerOf(topic, (index) => {
    const known = topics[i]!
    if (known === null) return { ...noOffset(index), errorCode: missing }
    return offsets.get(`${known.topicId}:${index}`) ?? noOffset(index)
  }))
  return { groupId, topics: answers, errorCode: KAFKA_ERROR.NONE }
}

/** All topics of a group, with their names; offsets of topics that are gone are left out. */
async function named(found: readonly TopicAnswer[], services: GatewayServices): Promise<TopicAnswer[]> {
  const { topics } = await findTopics(services, found.map(({ topicId }) => ({ name: null, topicId })))
  return found.flatMap((answer, i) => {
    const topic = topics[i]!
    return topic === null ? [] : [{ ...answer, name: topic.name }]
  })
}

function answerOf(asked: TopicsAsked[number], partitionOf: (index: number) => PartitionAnswer): TopicAnswer {
  return { name: asked.name, topicId: asked.topicId, partitions: asked.partitionIndexes.map(partitionOf) }
}

function noOffset(partitionIndex: number): PartitionAnswer {
  return { partitionIndex, committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode: KAFKA_ERROR.NONE }
}
