/**
 * ListGroups: asks the leader of every shard. Clients ask every broker and add the answers up (PROTOCOL 45), so each
 * gateway of a zone answers for the groups it is named the coordinator of.
 */
import { API } from '#shared/wire/api-registry.ts'
import type { ListGroupsRequest, ListGroupsResponse } from '#shared/wire/api/list-groups.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { ZoneView } from '../zone/zone-view.ts'
import { forwardToShard } from './group-forward.ts'
import { authorize, throttle, type Handler } from './handler.ts'
import { checkNamed, mapTogether } from './request-bounds.ts'

export const handleListGroups: Handler<ListGroupsRequest, ListGroupsResponse> =
  async (context, version, request, services) => {
  checkNamed(services, request.statesFilter.length + request.typesFilter.length)
  const { shardCount } = services.membership.current()
  const shards = Array.from({ length: shardCount }, (_, shard) => shard)
  const parts = await mapTogether(shards, async (shard) => {
    const { errorCode, response } =
      await forwardToShard(context, services, API.listGroups, shard, request, { clientVersion: version })
    return response ?? { errorCode, groups: [] }
  })
  const view = new ZoneView(context, services)
  const groups = parts.flatMap((part) => part.groups).filter(({ groupId }) =>
    view.answersFor(services.nodeId, groupId) && authorize(context, 'describe', { type: 'group', name: groupId }))
  const failed = parts.find(({ errorCode }) => errorCode !== KAFKA_ERROR.NONE)
  return { throttleTimeMs: throttle(context, 0), errorCode: failed?.errorCode ?? KAFKA_ERROR.NONE, groups }
}
