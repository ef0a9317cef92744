/** DescribeGroups: one call a group, to the leader of its shard (PROTOCOL 45). */
import { API } from '#shared/wire/api-registry.ts'
import type { DescribeGroupsRequest, DescribeGroupsResponse } from '#shared/wire/api/describe-groups.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { GROUP_OPERATIONS, ifAsked } from './authorized-operations.ts'
import { forwardToGroup } from './group-forward.ts'
import { authorize, throttle, type Handler } from './handler.ts'
import { checkNamed, mapTogether } from './request-bounds.ts'

type GroupAnswer = DescribeGroupsResponse['groups'][number]

const NOT_FOUND_SINCE = 6
const STATE_DEAD = 'Dead'

export const handleDescribeGroups: Handler<DescribeGroupsRequest, DescribeGroupsResponse> =
  async (context, version, request, services) => {
  checkNamed(services, request.groups.length)
  const authorizedOperations = ifAsked(request.includeAuthorizedOperations, GROUP_OPERATIONS)
  const groups = await mapTogether(request.groups, async (groupId): Promise<GroupAnswer> => {
    const refuse = (errorCode: number, groupState = ''): GroupAnswer => ({
      errorCode, errorMessage: null, groupId, groupState, protocolType: '', protocolData: '', members: [],
      authorizedOperations: ifAsked(false, 0)
    })
    if (!authorize(context, 'describe', { type: 'group', name: groupId })) {
      return refuse(KAFKA_ERROR.GROUP_AUTHORIZATION_FAILED)
    }
    const asked = { groups: [groupId], includeAuthorizedOperations: false }
    const { errorCode, response } =
      await forwardToGroup(context, services, API.describeGroups, groupId, asked, { clientVersion: version })
    const found = response?.groups[0]
    if (found === undefined) return refuse(errorCode === 0 ? KAFKA_ERROR.UNKNOWN_SERVER_ERROR : errorCode)
    if (found.errorCode === KAFKA_ERROR.GROUP_ID_NOT_FOUND && version < NOT_FOUND_SINCE) {
      return refuse(KAFKA_ERROR.NONE, STATE_DEAD)
    }
    return found.errorCode === KAFKA_ERROR.NONE ? { ...found, authorizedOperations } : found
  })
  return { throttleTimeMs: throttle(context, 0), groups }
}
