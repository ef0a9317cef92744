/**
 * FindCoordinator: a group's coordinator is, for its clients, the gateway of their zone that the ring
 * picks (PROTOCOL 20).
 */
import type { FindCoordinatorRequest, FindCoordinatorResponse } from '#shared/wire/api/find-coordinator.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { ZoneView } from '../zone/zone-view.ts'
import { authorize, throttle, type Handler, type RequestContext } from './handler.ts'
import { checkNamed } from './request-bounds.ts'

type Found = FindCoordinatorResponse['coordinators'][number]

const KEY_TYPE_GROUP = 0
const KEY_TYPE_TRANSACTION = 1
const BATCHED_SINCE = 4
const NOWHERE = { nodeId: -1, host: '', port: -1 } as const

export const handleFindCoordinator: Handler<FindCoordinatorRequest, FindCoordinatorResponse> =
  (context, version, request, services) => {
  const keys = version >= BATCHED_SINCE ? request.coordinatorKeys : [request.key]
  checkNamed(services, keys.length)
  const view = new ZoneView(context, services)
  const coordinators = keys.map((key) => find(context, view, request.keyType, key))
  const throttleTimeMs = throttle(context, 0)
  if (version >= BATCHED_SINCE) {
    return { throttleTimeMs, coordinators, errorCode: KAFKA_ERROR.NONE, errorMessage: null, ...NOWHERE }
  }
  const { errorCode, errorMessage, nodeId, host, port } = coordinators[0]!
  return { throttleTimeMs, errorCode, errorMessage, nodeId, host, port, coordinators: [] }
}

function find(context: RequestContext, view: ZoneView, keyType: number, key: string): Found {
  if (keyType === KEY_TYPE_TRANSACTION) {
    // The one code that makes every client give up at once: librdkafka asks for ever on most others.
    const errorCode = KAFKA_ERROR.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    return { key, ...NOWHERE, errorCode, errorMessage: 'transactions are not supported' }
  }
  if (keyType !== KEY_TYPE_GROUP) {
    return {
      key, ...NOWHERE, errorCode: KAFKA_ERROR.INVALID_REQUEST, errorMessage: 'there is no such type of coordinator'
    }
  }
  if (!authorize(context, 'describe', { type: 'group', name: key })) {
    return { key, ...NOWHERE, errorCode: KAFKA_ERROR.GROUP_AUTHORIZATION_FAILED, errorMessage: 'not authorized' }
  }
  const endpoint = view.coordinator(key)
  if (endpoint === null) {
    return { key, ...NOWHERE, errorCode: KAFKA_ERROR.COORDINATOR_NOT_AVAILABLE, errorMessage: 'no gateway is alive' }
  }
  const { nodeId, host, port } = endpoint
  return { key, nodeId, host, port, errorCode: KAFKA_ERROR.NONE, errorMessage: null }
}
