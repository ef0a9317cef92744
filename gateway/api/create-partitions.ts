/** CreatePartitions (PROTOCOL 59): each topic is one call to the leader of the catalog. */
import { createPartitionsCall } from '#shared/rpc/admin.ts'
import type { CreatePartitionsRequest, CreatePartitionsResponse } from '#shared/wire/api/create-partitions.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { callCatalog } from './catalog-calls.ts'
import { authorize, throttle, type Handler } from './handler.ts'
import { placementFault } from './placements.ts'
import { checkNamed, mapTogether, oncePerKey } from './request-bounds.ts'
import { awaitCatalog, findTopics, NO_SUCH_TOPIC } from './topic-lookup.ts'

type Answer = CreatePartitionsResponse['results'][number]

export const handleCreatePartitions: Handler<CreatePartitionsRequest, CreatePartitionsResponse> = async (
  context, _version, request, services
) => {
  checkNamed(services, request.topics.length)
  const named = oncePerKey(request.topics, ({ name }) => name)
  const { topics, fresh } = await findTopics(services, named.map(({ item: { name } }) => ({ name, topicId: null })))
  const { timeoutMs, validateOnly } = request
  const asked = named.map(({ item, repeated }, i) => ({ ...item, repeated, topic: topics[i]! }))
  const results = await mapTogether(asked, async ({ name, count, assignments, repeated, topic }): Promise<Answer> => {
    const answer = (errorCode: number, errorMessage: string | null): Answer => ({ name, errorCode, errorMessage })
    if (repeated) return answer(KAFKA_ERROR.INVALID_REQUEST, 'Duplicate topic name.')
    if (topic === null && !fresh) return answer(KAFKA_ERROR.REQUEST_TIMED_OUT, 'The catalog does not answer.')
    if (topic === null) return answer(KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, NO_SUCH_TOPIC)
    if (!authorize(context, 'alter', { type: 'topic', name })) {
      return answer(KAFKA_ERROR.TOPIC_AUTHORIZATION_FAILED, null)
    }
    const added = count - topic.partitionCount
    if (assignments !== null && added > 0) {
      const fault = assignments.length === added
        ? placementFault(services, assignments.map(({ brokerIds }) => brokerIds))
        : `Attempted to add ${added} additional partition(s), but only ${assignments.length} assignment(s) ` +
          'were specified.'
      if (fault !== null) return answer(KAFKA_ERROR.INVALID_REPLICA_ASSIGNMENT, fault)
    }
    const wanted = { topicId: topic.topicId, partitionCount: count, validateOnly, timeoutMs }
    const outcome = await callCatalog(services, createPartitionsCall, wanted, timeoutMs)
    const { errorCode, errorMessage } = outcome.response ?? outcome
    return answer(errorCode, errorMessage)
  })
  if (!validateOnly && results.some(({ errorCode }) => errorCode === KAFKA_ERROR.NONE)) await awaitCatalog(services)
  return { throttleTimeMs: throttle(context, 0), results }
}
