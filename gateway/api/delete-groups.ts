/** DeleteGroups: one call a group, to the leader of its shard (PROTOCOL 45). */
import { API } from '#shared/wire/api-registry.ts'
import type { DeleteGroupsRequest, DeleteGroupsResponse } from '#shared/wire/api/delete-groups.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { forwardToGroup } from './group-forward.ts'
import { authorize, throttle, type Handler } from './handler.ts'
import { checkNamed, mapTogether } from './request-bounds.ts'

export const handleDeleteGroups: Handler<DeleteGroupsRequest, DeleteGroupsResponse> =
  async (context, version, request, services) => {
  checkNamed(services, request.groupsNames.length)
  const results = await mapTogether([...new Set(request.groupsNames)], async (groupId) => {
    if (!authorize(context, 'delete', { type: 'group', name: groupId })) {
      return { groupId, errorCode: KAFKA_ERROR.GROUP_AUTHORIZATION_FAILED }
    }
    const asked = { groupsNames: [groupId] }
    const { errorCode, response } =
      await forwardToGroup(context, services, API.deleteGroups, groupId, asked, { clientVersion: version })
    if (response === null) return { groupId, errorCode }
    return { groupId, errorCode: response.results[0]?.errorCode ?? KAFKA_ERROR.UNKNOWN_SERVER_ERROR }
  })
  return { throttleTimeMs: throttle(context, 0), results }
}
