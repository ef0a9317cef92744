/** SyncGroup: followers wait at the coordinator for the leader's assignment (PROTOCOL 40, 46). */
import { API } from '#shared/wire/api-registry.ts'
import type { SyncGroupRequest, SyncGroupResponse } from '#shared/wire/api/sync-group.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { forwardToGroup } from './group-forward.ts'
import { authorize, throttle, type Handler } from './handler.ts'
import { checkNamed } from './request-bounds.ts'

const WAIT_MS = 5 * 60_000 // the rebalance timeout is not in the request; longer ones make the client ask again
const PROTOCOL_SINCE = 5
const NO_ASSIGNMENT = new Uint8Array(0)

export const handleSyncGroup: Handler<SyncGroupRequest, SyncGroupResponse> =
  async (context, version, request, services) => {
  const { groupId } = request
  const refuse = (errorCode: number): SyncGroupResponse => ({
    throttleTimeMs: throttle(context, 0), errorCode, protocolType: null, protocolName: null, assignment: NO_ASSIGNMENT
  })
  if (groupId === '') return refuse(KAFKA_ERROR.INVALID_GROUP_ID)
  if (!authorize(context, 'read', { type: 'group', name: groupId })) {
    return refuse(KAFKA_ERROR.GROUP_AUTHORIZATION_FAILED)
  }
  checkNamed(services, request.assignments.length)
  if (version >= PROTOCOL_SINCE && (request.protocolType === null || request.protocolName === null)) {
    return refuse(KAFKA_ERROR.INCONSISTENT_GROUP_PROTOCOL)
  }
  const { errorCode, response } = await forwardToGroup(
    context, services, API.syncGroup, groupId, request, { clientVersion: version, waitMs: WAIT_MS, moves: true }
  )
  return response === null ? refuse(errorCode) : { ...response, throttleTimeMs: throttle(context, 0) }
}
