/** CreateTopics: each topic is one call to the leader of the catalog, which answers when its partitions exist (PROTOCOL 55). */
import { UUID_ZERO } from '#shared/binary/uuid.ts'
import { describeTopicConfigs } from '#shared/config/topic-configs.ts'
import { createTopicCall } from '#shared/rpc/admin.ts'
import type { CreateTopicsRequest, CreateTopicsResponse } from '#shared/wire/api/create-topics.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { callCatalog } from './catalog-calls.ts'
import { authorize, throttle, type GatewayServices, type Handler, type RequestContext } from './handler.ts'
import { checkNamed, mapTogether } from './request-bounds.ts'
import { awaitCatalog } from './topic-lookup.ts'

type Asked = CreateTopicsRequest['topics'][number]
type Answer = CreateTopicsResponse['topics'][number]

export const handleCreateTopics: Handler<CreateTopicsRequest, CreateTopicsResponse> = async (context, _version, request, services) => {
  checkNamed(services, request.topics.length)
  const counts = new Map<string, number>()
  for (const { name } of request.topics) counts.set(name, (counts.get(name) ?? 0) + 1)
  const asked = [...new Map(request.topics.map((topic) => [topic.name, topic])).values()] // one answer a name
  const topics = await mapTogether(asked, (topic) => counts.get(topic.name) === 1
    ? createOne(context, request, topic, services)
    : Promise.resolve(refused(topic.name, KAFKA_ERROR.INVALID_REQUEST, 'Duplicate topic name.')))
  if (!request.validateOnly && topics.some(({ errorCode }) => errorCode === KAFKA_ERROR.NONE)) await awaitCatalog(services)
  return { throttleTimeMs: throttle(context, 0), topics }
}

async function createOne(
  context: RequestContext, request: CreateTopicsRequest, asked: Asked, services: GatewayServices
): Promise<Answer> {
  const { name, configs } = asked
  if (!authorize(context, 'create', { type: 'topic', name })) {
    return refused(name, KAFKA_ERROR.TOPIC_AUTHORIZATION_FAILED, 'Authorization failed.')
  }
  const counts = countsOf(asked)
  if (typeof counts === 'string') return refused(name, KAFKA_ERROR.INVALID_REQUEST, counts)
  const { validateOnly, timeoutMs } = request
  const outcome = await callCatalog(services, createTopicCall, { name, ...counts, configs, validateOnly, timeoutMs }, timeoutMs)
  if (outcome.response === null) return refused(name, outcome.errorCode, outcome.errorMessage)
  const { errorCode, errorMessage, topicId, partitionCount, replicationFactor } = outcome.response
  if (errorCode !== KAFKA_ERROR.NONE) return refused(name, errorCode, errorMessage)
  return {
    name, topicId, errorCode, errorMessage: null, topicConfigErrorCode: KAFKA_ERROR.NONE, numPartitions: partitionCount, replicationFactor,
    configs: configRows(configs)
  }
}

function configRows(overrides: Asked['configs']): Answer['configs'] {
  const described = describeTopicConfigs(Object.fromEntries(overrides.map(({ name, value }) => [name, value ?? ''])))
  return described.map(({ name, value, readOnly, source }) => ({ name, value, readOnly, configSource: source, isSensitive: false }))
}

type Counts = { readonly partitionCount: number; readonly replicationFactor: number }

/** Asked-for placements say how many partitions and replicas; where they lie is not the client's to say. */
function countsOf({ numPartitions, replicationFactor, assignments }: Asked): Counts | string {
  if (assignments.length === 0) return { partitionCount: numPartitions, replicationFactor }
  if (numPartitions !== -1 || replicationFactor !== -1) {
    return 'Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time.'
  }
  return { partitionCount: assignments.length, replicationFactor: assignments[0]!.brokerIds.length }
}

function refused(name: string, errorCode: number, errorMessage: string | null): Answer {
  return {
    name, topicId: UUID_ZERO, errorCode, errorMessage, topicConfigErrorCode: KAFKA_ERROR.NONE, numPartitions: -1, replicationFactor: -1,
    configs: []
  }
}
