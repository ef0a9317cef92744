/** Heartbeat of a group member (PROTOCOL 41). */
import { API } from '#shared/wire/api-registry.ts'
import type { HeartbeatRequest, HeartbeatResponse } from '#shared/wire/api/heartbeat.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { forwardToGroup } from './group-forward.ts'
import { authorize, throttle, type Handler } from './handler.ts'

export const handleHeartbeat: Handler<HeartbeatRequest, HeartbeatResponse> =
  async (context, version, request, services) => {
  const { groupId } = request
  const answer = (errorCode: number): HeartbeatResponse => ({ throttleTimeMs: throttle(context, 0), errorCode })
  if (groupId === '') return answer(KAFKA_ERROR.INVALID_GROUP_ID)
  if (!authorize(context, 'read', { type: 'group', name: groupId })) {
    return answer(KAFKA_ERROR.GROUP_AUTHORIZATION_FAILED)
  }
  const options = { clientVersion: version, moves: true }
  const forwarded = await forwardToGroup(context, services, API.heartbeat, groupId, request, options)
  return answer(forwarded.response?.errorCode ?? forwarded.errorCode)
}
