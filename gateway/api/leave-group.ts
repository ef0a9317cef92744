/** LeaveGroup: one member before version 3, several since (PROTOCOL 45). */
import { API } from '#shared/wire/api-registry.ts'
import type { LeaveGroupRequest, LeaveGroupResponse } from '#shared/wire/api/leave-group.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { forwardToGroup } from './group-forward.ts'
import { authorize, throttle, type Handler } from './handler.ts'
import { checkNamed } from './request-bounds.ts'

const MEMBERS_SINCE = 3

export const handleLeaveGroup: Handler<LeaveGroupRequest, LeaveGroupResponse> =
  async (context, version, request, services) => {
  const { groupId } = request
  const answer = (errorCode: number, members: LeaveGroupResponse['members'] = []): LeaveGroupResponse =>
    ({ throttleTimeMs: throttle(context, 0), errorCode, members })
  if (groupId === '') return answer(KAFKA_ERROR.INVALID_GROUP_ID)
  if (!authorize(context, 'read', { type: 'group', name: groupId })) {
    return answer(KAFKA_ERROR.GROUP_AUTHORIZATION_FAILED)
  }
  const members = version >= MEMBERS_SINCE
    ? request.members
    : [{ memberId: request.memberId, groupInstanceId: null, reason: null }]
  checkNamed(services, members.length)
  const { errorCode, response } = await forwardToGroup(
    context, services, API.leaveGroup, groupId, { ...request, members }, { clientVersion: version }
  )
  if (response === null) return answer(errorCode)
  if (version >= MEMBERS_SINCE || response.errorCode !== KAFKA_ERROR.NONE) {
    return answer(response.errorCode, response.members)
  }
  return answer(response.members[0]?.errorCode ?? KAFKA_ERROR.NONE)
}
