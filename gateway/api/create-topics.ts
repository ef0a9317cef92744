/**
 * CreateTopics: each topic is one call to the leader of the catalog, which answers when its partitions
 * exist (PROTOCOL 55).
 */
import { UUID_ZERO } from '#shared/binary/uuid.ts'
import { describeTopicConfigs } from '#shared/config/topic-configs.ts'
import { createTopicCall } from '#shared/rpc/admin.ts'
import type { CreateTopicsRequest, CreateTopicsResponse } from '#shared/wire/api/create-topics.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { callCatalog } from './catalog-calls.ts'
import { authorize, throttle, type GatewayServices, type Handler, type RequestContext } from './handler.ts'
import { placementFault } from './placements.ts'
import { checkNamed, mapTogether, oncePerKey } from './request-bounds.ts'
import { awaitCatalog } from './topic-lookup.ts'

type Asked = CreateTopicsRequest['topics'][number]
type Answer = CreateTopicsResponse['topics'][number]

export const handleCreateTopics: Handler<CreateTopicsRequest, CreateTopicsResponse> =
  async (context, _version, request, services) => {
  checkNamed(services, request.topics.length)
  const topics = await mapTogether(oncePerKey(request.topics, ({ name }) => name), ({ item, repeated }) => repeated
    ? Promise.resolve(refused(item.name, KAFKA_ERROR.INVALID_REQUEST, 'Duplicate topic name.'))
    : createOne(context, request, item, services))
  if (!request.validateOnly && topics.some(({ errorCode }) => errorCode === KAFKA_ERROR.NONE)) {
    await awaitCatalog(services)
  }
  return { throttleTimeMs: throttle(context, 0), topics }
}

async function createOne(
  context: RequestContext, request: CreateTopicsRequest, asked: Asked, services: GatewayServices
): Promise<Answer> {
  const { name, configs } = asked
  if (!authorize(context, 'create', { type: 'topic', name })) {
    return refused(name, KAFKA_ERROR.TOPIC_AUTHORIZATION_FAILED, 'Authorization failed.')
  }
  const counts = countsOf(asked, services)
  if ('errorCode' in counts) return refused(name, counts.errorCode, counts.errorMessage)
  const { validateOnly, timeoutMs } = request
  const outcome =
    await callCatalog(services, createTopicCall, { name, ...counts, configs, validateOnly, timeoutMs }, timeoutMs)
  if (outcome.response === null) return refused(name, outcome.errorCode, outcome.errorMessage)
  const { errorCode, errorMessage, topicId, partitionCount, replicationFactor } = outcome.response
  if (errorCode !== KAFKA_ERROR.NONE) return refused(name, errorCode, errorMessage)
  return {
    name, topicId, errorCode, errorMessage: null, topicConfigErrorCode: KAFKA_ERROR.NONE, numPartitions: partitionCount,
    replicationFactor,
    configs: configRows(configs)
  }
}

function configRows(overrides: Asked['configs']): Answer['configs'] {
  const described = describeTopicConfigs(Object.fromEntries(overrides.map(({ name, value }) => [name, value ?? ''])))
  return described.map(
    ({ name, value, readOnly, source }) => ({ name, value, readOnly, configSource: source, isSensitive: false })
  )
}

type Counts = { readonly partitionCount: number; readonly replicationFactor: number }
type Refusal = { readonly errorCode: number; readonly errorMessage: string }

function countsOf(
  { numPartitions, replicationFactor, assignments }: Asked, services: GatewayServices
): Counts | Refusal {
  if (assignments.length === 0) return { partitionCount: numPartitions, replicationFactor }
  if (numPartitions !== -1 || replicationFactor !== -1) {
    const given = replicationFactor === -1 ? 'numPartitions' : 'replication factor'
    return {
      errorCode: KAFKA_ERROR.INVALID_REQUEST,
      errorMessage: `A manual partition assignment was specified, but ${given} was not set to -1.`
    }
  }
  const ordered = [...assignments].sort((a, b) => a.partitionIndex - b.partitionIndex)
  const errorMessage = ordered.some(({ partitionIndex }, i) => partitionIndex !== i)
    ? 'partitions should be a consecutive 0-based integer sequence'
    : placementFault(services, ordered.map(({ brokerIds }) => brokerIds))
  if (errorMessage !== null) return { errorCode: KAFKA_ERROR.INVALID_REPLICA_ASSIGNMENT, errorMessage }
  return { partitionCount: assignments.length, replicationFactor: ordered[0]!.brokerIds.length }
}

function refused(name: string, errorCode: number, errorMessage: string | null): Answer {
  return {
    name, topicId: UUID_ZERO, errorCode, errorMessage, topicConfigErrorCode: KAFKA_ERROR.NONE, numPartitions: -1,
    replicationFactor: -1,
    configs: []
  }
}
