/** CreatePartitions (PROTOCOL 59). Placements asked for are counted, not followed: where data lies is not the client's to say. */
import { createPartitionsCall } from '#shared/rpc/admin.ts'
import type { CreatePartitionsRequest, CreatePartitionsResponse } from '#shared/wire/api/create-partitions.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { callCatalog } from './catalog-calls.ts'
import { authorize, throttle, type Handler } from './handler.ts'
import { checkNamed, mapTogether } from './request-bounds.ts'
import { awaitCatalog, findTopics } from './topic-lookup.ts'

type Answer = CreatePartitionsResponse['results'][number]

export const handleCreatePartitions: Handler<CreatePartitionsRequest, CreatePartitionsResponse> = async (
  context, _version, request, services
) => {
  checkNamed(services, request.topics.length)
  const { topics, fresh } = await findTopics(services, request.topics.map(({ name }) => ({ name, topicId: null })))
  const { timeoutMs, validateOnly } = request
  const asked = request.topics.map((each, i) => ({ ...each, topic: topics[i]! }))
  const results = await mapTogether(asked, async ({ name, count, assignments, topic }): Promise<Answer> => {
    const answer = (errorCode: number, errorMessage: string | null): Answer => ({ name, errorCode, errorMessage })
    if (topic === null && !fresh) return answer(KAFKA_ERROR.REQUEST_TIMED_OUT, 'The catalog does not answer.')
    if (topic === null) return answer(KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, null)
    if (!authorize(context, 'alter', { type: 'topic', name })) return answer(KAFKA_ERROR.TOPIC_AUTHORIZATION_FAILED, null)
    const added = count - topic.partitionCount
    if (assignments !== null && added > 0 && assignments.length !== added) {
      return answer(KAFKA_ERROR.INVALID_REPLICA_ASSIGNMENT, `${assignments.length} assignments were given for ${added} new partitions.`)
    }
    const wanted = { topicId: topic.topicId, partitionCount: count, validateOnly, timeoutMs }
    const outcome = await callCatalog(services, createPartitionsCall, wanted, timeoutMs)
    const { errorCode, errorMessage } = outcome.response ?? outcome
    return answer(errorCode, errorMessage)
  })
  if (!validateOnly && results.some(({ errorCode }) => errorCode === KAFKA_ERROR.NONE)) await awaitCatalog(services)
  return { throttleTimeMs: throttle(context, 0), results }
}
