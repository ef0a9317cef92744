/** DescribeConfigs: every row of topics and of this node, because tools look them up by name (PROTOCOL 56). */
import { describeBrokerConfigs } from '#shared/config/broker-configs.ts'
import { describeTopicConfigs, type DescribedConfig } from '#shared/config/topic-configs.ts'
import type { DescribeConfigsRequest, DescribeConfigsResponse } from '#shared/wire/api/describe-configs.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import {
  authorize, CLUSTER_RESOURCE, throttle, type GatewayServices, type Handler, type RequestContext
} from './handler.ts'
import { checkNamed, mapTogether } from './request-bounds.ts'
import { findTopics, isTopicNameValid } from './topic-lookup.ts'

type Asked = DescribeConfigsRequest['resources'][number]
type Answer = DescribeConfigsResponse['results'][number]

const RESOURCE = { topic: 2, broker: 4 } as const

export const handleDescribeConfigs: Handler<DescribeConfigsRequest, DescribeConfigsResponse> = async (
  context, _version, request, services
) => {
  checkNamed(services, request.resources.length)
  const results = await mapTogether(request.resources, async (asked): Promise<Answer> => {
    const found = await describe(context, asked, services)
    const { resourceType, resourceName } = asked
    if (!Array.isArray(found)) return { ...found, resourceType, resourceName, configs: [] }
    return {
      errorCode: KAFKA_ERROR.NONE, errorMessage: null, resourceType, resourceName, configs: rows(found, asked, request)
    }
  })
  return { throttleTimeMs: throttle(context, 0), results }
}

type Refusal = { readonly errorCode: number; readonly errorMessage: string | null }

async function describe(
  context: RequestContext, { resourceType, resourceName: name }: Asked, services: GatewayServices
): Promise<DescribedConfig[] | Refusal> {
  if (resourceType === RESOURCE.topic) {
    if (!isTopicNameValid(name)) {
      return { errorCode: KAFKA_ERROR.INVALID_TOPIC_EXCEPTION, errorMessage: 'The topic name is not valid.' }
    }
    if (!authorize(context, 'describe-configs', { type: 'topic', name })) {
      return { errorCode: KAFKA_ERROR.TOPIC_AUTHORIZATION_FAILED, errorMessage: null }
    }
    const { topics: [topic], fresh } = await findTopics(services, [{ name, topicId: null }])
    if (topic !== null && topic !== undefined) return describeTopicConfigs(topic.configs)
    return {
      errorCode: fresh ? KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION : KAFKA_ERROR.REQUEST_TIMED_OUT, errorMessage: null
    }
  }
  if (resourceType === RESOURCE.broker) {
    if (!authorize(context, 'describe-configs', CLUSTER_RESOURCE)) {
      return { errorCode: KAFKA_ERROR.CLUSTER_AUTHORIZATION_FAILED, errorMessage: null }
    }
    if (name === '') return [] // what was set for all brokers: nothing can be yet
    if (name === String(services.nodeId)) return describeBrokerConfigs(ownValues(services))
    const errorMessage = /^-?\d+$/.test(name)
      ? `Unexpected broker id, expected ${services.nodeId} or empty string, but received ${name}`
      : `Broker id must be an integer, but it is: ${name}`
    return { errorCode: KAFKA_ERROR.INVALID_REQUEST, errorMessage }
  }
  return { errorCode: KAFKA_ERROR.INVALID_REQUEST, errorMessage: `Unsupported resource type: ${resourceType}` }
}

function ownValues({ nodeId, zone, settings }: GatewayServices): Record<string, string> {
  return {
    'broker.id': String(nodeId), 'node.id': String(nodeId), 'broker.rack': zone,
    'auto.create.topics.enable': String(settings.autoCreateTopicsEnable),
    'connections.max.idle.ms': String(settings.connectionsMaxIdleMs),
    'max.connections': String(settings.connectionsMax),
    'socket.request.max.bytes': String(settings.socketRequestMaxBytes)
  }
}

function rows(
  described: readonly DescribedConfig[], { configurationKeys }: Asked, request: DescribeConfigsRequest
): Answer['configs'] {
  // none named: all
  const keys = configurationKeys === null || configurationKeys.length === 0 ? null : new Set(configurationKeys)
  return described.filter(({ name }) => keys === null || keys.has(name))
    .map(({ name, value, type, source, readOnly, synonyms, doc }) => ({
    name, value, readOnly, configSource: source, isSensitive: false,
    synonyms: request.includeSynonyms ? synonyms : [],
    configType: type, documentation: request.includeDocumentation ? doc : null
  }))
}
