/** JoinGroup: a long poll at the coordinator, as long as a rebalance takes (PROTOCOL 38, 39, 46). */
import { API } from '#shared/wire/api-registry.ts'
import type { JoinGroupRequest, JoinGroupResponse } from '#shared/wire/api/join-group.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { forwardToGroup } from './group-forward.ts'
import { authorize, throttle, type Handler } from './handler.ts'
import { checkNamed } from './request-bounds.ts'

const NULL_PROTOCOL_SINCE = 7
const REBALANCE_TIMEOUT_SINCE = 1

export const handleJoinGroup: Handler<JoinGroupRequest, JoinGroupResponse> =
  async (context, version, request, services) => {
  const { groupId, memberId, sessionTimeoutMs } = request
  const protocolNone = version >= NULL_PROTOCOL_SINCE ? null : ''
  const refuse = (errorCode: number): JoinGroupResponse => ({
    throttleTimeMs: throttle(context, 0), errorCode, generationId: -1, protocolType: null, protocolName: protocolNone,
    leader: '',
    skipAssignment: false, memberId, members: []
  })
  if (groupId === '') return refuse(KAFKA_ERROR.INVALID_GROUP_ID)
  if (!authorize(context, 'read', { type: 'group', name: groupId })) {
    return refuse(KAFKA_ERROR.GROUP_AUTHORIZATION_FAILED)
  }
  checkNamed(services, request.protocols.length)
  const rebalanceTimeoutMs = version >= REBALANCE_TIMEOUT_SINCE ? request.rebalanceTimeoutMs : sessionTimeoutMs
  const { errorCode, response } = await forwardToGroup(
    context, services, API.joinGroup, groupId, { ...request, rebalanceTimeoutMs },
    {
      clientVersion: version, waitMs: Math.max(rebalanceTimeoutMs, sessionTimeoutMs), drawsMemberId: true, moves: true
    }
  )
  if (response === null) return refuse(errorCode)
  return {
    ...response, throttleTimeMs: throttle(context, 0),
    protocolName: response.errorCode === KAFKA_ERROR.NONE ? response.protocolName : protocolNone
  }
}
