/** DeleteTopics, by name or (since version 6) by id (PROTOCOL 57). */
import { UUID_ZERO } from '#shared/binary/uuid.ts'
import { deleteTopicCall } from '#shared/rpc/admin.ts'
import type { DeleteTopicsRequest, DeleteTopicsResponse } from '#shared/wire/api/delete-topics.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { callCatalog } from './catalog-calls.ts'
import { authorize, throttle, type Handler } from './handler.ts'
import { checkNamed, mapTogether, oncePerKey } from './request-bounds.ts'
import { awaitCatalog, findTopics, NO_SUCH_TOPIC, NO_SUCH_TOPIC_ID, type TopicName } from './topic-lookup.ts'

type Answer = DeleteTopicsResponse['responses'][number]

const STRUCTS_SINCE = 6

export const handleDeleteTopics: Handler<DeleteTopicsRequest, DeleteTopicsResponse> =
  async (context, version, request, services) => {
  const asked = version >= STRUCTS_SINCE
    ? request.topics.map(({ name, topicId }): TopicName => ({ name, topicId: topicId === UUID_ZERO ? null : topicId }))
    : request.topicNames.map((name): TopicName => ({ name, topicId: null }))
  checkNamed(services, asked.length)
  const named = oncePerKey(asked, ({ name, topicId }) => JSON.stringify([name, topicId]))
  const { topics, fresh } = await findTopics(services, named.map(({ item }) => item))
  const ids = new Set(named.map(({ item: { topicId } }) => topicId))
  const found = named.map(({ item, repeated }, i) => ({ ...item, repeated, topic: topics[i]! }))
  const answers = await mapTogether(found, async ({ name, topicId, repeated, topic }): Promise<Answer> => {
    const answer = (errorCode: number, errorMessage: string | null): Answer =>
      ({ name: topic?.name ?? name, topicId: topic?.topicId ?? topicId ?? UUID_ZERO, errorCode, errorMessage })
    const refusal = topicId === null ? nameFault(name, repeated) : idFault(name, repeated)
    if (refusal !== null) return answer(KAFKA_ERROR.INVALID_REQUEST, refusal)
    if (topic === null && !fresh) return answer(KAFKA_ERROR.REQUEST_TIMED_OUT, 'The catalog does not answer.')
    if (topic === null) {
      return topicId === null
        ? answer(KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, NO_SUCH_TOPIC)
        : answer(KAFKA_ERROR.UNKNOWN_TOPIC_ID, NO_SUCH_TOPIC_ID)
    }
    if (topicId === null && ids.has(topic.topicId)) {
      return answer(KAFKA_ERROR.INVALID_REQUEST, 'The provided topic name maps to an ID that was already supplied.')
    }
    if (!authorize(context, 'delete', { type: 'topic', name: topic.name })) {
      return answer(KAFKA_ERROR.TOPIC_AUTHORIZATION_FAILED, null)
    }
    const { timeoutMs } = request
    const outcome = await callCatalog(services, deleteTopicCall, { topicId: topic.topicId, timeoutMs }, timeoutMs)
    const { errorCode, errorMessage } = outcome.response ?? outcome
    return answer(errorCode, errorMessage)
  })
  if (answers.some(({ errorCode }) => errorCode === KAFKA_ERROR.NONE)) await awaitCatalog(services)
  return { throttleTimeMs: throttle(context, 0), responses: answers }
}

function nameFault(name: string | null, repeated: boolean): string | null {
  return name === null ? 'Neither topic name nor id were specified.' : repeated ? 'Duplicate topic name.' : null
}

function idFault(name: string | null, repeated: boolean): string | null {
  return name !== null ? 'You may not specify both topic name and topic id.' : repeated ? 'Duplicate topic id.' : null
}
