/** Topics made by asking for them (Kafka's auto.create.topics.enable). One creation a name at a time. */
import { createTopicCall } from '#shared/rpc/admin.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { callCatalog } from './catalog-calls.ts'
import type { GatewayServices } from './handler.ts'
import { awaitCatalog } from './topic-lookup.ts'

const WAIT_MS = 3_000 // the client's next Metadata finds the topic if this one was too early
const UNDER_WAY_MAX = 1_000

const underWay = new WeakMap<GatewayServices, Map<string, Promise<number>>>()

/** Creates a topic with the defaults and returns what to say of it if it is still not there. */
export function createMissingTopic(services: GatewayServices, name: string): Promise<number> {
  let creations = underWay.get(services)
  if (creations === undefined) underWay.set(services, (creations = new Map()))
  const joined = creations.get(name)
  if (joined !== undefined) return joined
  if (creations.size >= UNDER_WAY_MAX) return Promise.resolve(KAFKA_ERROR.LEADER_NOT_AVAILABLE)
  const creation = create(services, name).finally(() => { creations.delete(name) })
  creations.set(name, creation)
  return creation
}

async function create(services: GatewayServices, name: string): Promise<number> {
  const request =
    { name, partitionCount: -1, replicationFactor: -1, configs: [], validateOnly: false, timeoutMs: WAIT_MS }
  const { response } = await callCatalog(services, createTopicCall, request, WAIT_MS)
  const errorCode = response?.errorCode ?? KAFKA_ERROR.LEADER_NOT_AVAILABLE
  switch (errorCode) {
    case KAFKA_ERROR.NONE: case KAFKA_ERROR.TOPIC_ALREADY_EXISTS:
      await awaitCatalog(services)
      return KAFKA_ERROR.LEADER_NOT_AVAILABLE
    case KAFKA_ERROR.INVALID_TOPIC_EXCEPTION: case KAFKA_ERROR.POLICY_VIOLATION:
      return errorCode
    default:
      return KAFKA_ERROR.LEADER_NOT_AVAILABLE
  }
}
