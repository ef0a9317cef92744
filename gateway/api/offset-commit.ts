/**
 * OffsetCommit: topics go to the coordinator by id, so that offsets of a deleted topic are not those of its
 * successor (PROTOCOL 43).
 */
import type { TopicInfo } from '#shared/cluster/catalog-reader.ts'
import { API } from '#shared/wire/api-registry.ts'
import type { OffsetCommitRequest, OffsetCommitResponse } from '#shared/wire/api/offset-commit.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { forwardToGroup } from './group-forward.ts'
import { authorize, throttle, type Handler } from './handler.ts'
import { checkNamed } from './request-bounds.ts'
import { findTopics, type TopicName } from './topic-lookup.ts'

type TopicAsked = OffsetCommitRequest['topics'][number]
type TopicAnswer = OffsetCommitResponse['topics'][number]

const IDS_SINCE = 10

export const handleOffsetCommit: Handler<OffsetCommitRequest, OffsetCommitResponse> =
  async (context, version, request, services) => {
  const { groupId, topics: asked } = request
  checkNamed(services, asked.reduce((count, { partitions }) => count + 1 + partitions.length, 0))
  const refuseAll = (errorCode: number): OffsetCommitResponse =>
    ({ throttleTimeMs: throttle(context, 0), topics: asked.map((topic) => answered(topic, () => errorCode)) })
  if (!authorize(context, 'read', { type: 'group', name: groupId })) {
    return refuseAll(KAFKA_ERROR.GROUP_AUTHORIZATION_FAILED)
  }
  const byId = version >= IDS_SINCE
  const names = asked.map(({ name, topicId, partitions }): TopicName =>
    ({ name: byId ? null : name, topicId: byId ? topicId : null, partitionCount: partitionCountOf(partitions) }))
  const { topics, fresh } = await findTopics(services, names)
  const missing = missingCode(byId, fresh)
  const unknownCode = (t: number): number => topics[t] === null ? missing : KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION
  const forwarded = asked.flatMap((topic, i) => forwardable(topic, topics[i]!))
  if (forwarded.length === 0 && asked.length > 0) {
    return {
      throttleTimeMs: throttle(context, 0), topics: asked.map((topic, t) => answered(topic, () => unknownCode(t)))
    }
  }
  const { errorCode, response } = await forwardToGroup(
    context, services, API.offsetCommit, groupId, { ...request, topics: forwarded }, { clientVersion: version }
  )
  if (response === null) return refuseAll(errorCode)
  const codes = new Map<string, number>()
  for (const { topicId, partitions } of response.topics) {
    for (const partition of partitions) codes.set(`${topicId}:${partition.partitionIndex}`, partition.errorCode)
  }
  return {
    throttleTimeMs: throttle(context, 0),
    topics: asked.map((topic, t) =>
      answered(topic, (index) => codes.get(`${topics[t]?.topicId ?? ''}:${index}`) ?? unknownCode(t)))
  }
}

function partitionCountOf(partitions: TopicAsked['partitions']): number {
  return partitions.reduce((count, { partitionIndex }) => Math.max(count, partitionIndex + 1), 0)
}

function missingCode(byId: boolean, fresh: boolean): number {
  if (!fresh) return KAFKA_ERROR.COORDINATOR_LOAD_IN_PROGRESS
  return byId ? KAFKA_ERROR.UNKNOWN_TOPIC_ID : KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION
}

function forwardable(asked: TopicAsked, topic: TopicInfo | null): TopicAsked[] {
  if (topic === null) return []
  const partitions = asked.partitions
    .filter(({ partitionIndex }) => partitionIndex >= 0 && partitionIndex < topic.partitionCount)
    .map((each) => ({ ...each, committedMetadata: each.committedMetadata ?? '' })) // as Kafka keeps it
  return partitions.length === 0 ? [] : [{ name: topic.name, topicId: topic.topicId, partitions }]
}

function answered({ name, topicId, partitions }: TopicAsked, codeOf: (partition: number) => number): TopicAnswer {
  return {
    name, topicId,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: codeOf(partitionIndex) }))
  }
}
