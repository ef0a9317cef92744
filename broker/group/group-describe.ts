/**
 * DescribeGroups and ListGroups. Pure. Source: PROTOCOL: DescribeGroups, ListGroups; KIP-518 (states), KIP-1043 (v6).
 */
import { AUTHORIZED_OPERATIONS_UNKNOWN } from '#shared/wire/authorized-operations.ts'
import type { DescribeGroupsResponse } from '#shared/wire/api/describe-groups.ts'
import type { ListGroupsRequest, ListGroupsResponse } from '#shared/wire/api/list-groups.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { subscriptionOf, type Group } from './group-state.ts'
import type { GroupRecord } from './groups-state.ts'

type Described = DescribeGroupsResponse['groups'][number]
type Listed = ListGroupsResponse['groups'][number]

const EMPTY = new Uint8Array(0)
const GROUP_TYPE = 'classic'

/** Describes a group by its volatile side (null: without members), its record, or the lack of both. */
export function describeGroup(
  groupId: string, group: Group | null, record: GroupRecord | undefined, clientVersion: number
): Described {
  const base = {
    errorCode: KAFKA_ERROR.NONE, errorMessage: null, groupId, protocolType: '', protocolData: '', members: [],
    authorizedOperations: AUTHORIZED_OPERATIONS_UNKNOWN
  }
  if (group === null && record === undefined) {
    const gone = { ...base, groupState: 'Dead' }
    return clientVersion < 6
      ? gone
      : { ...gone, errorCode: KAFKA_ERROR.GROUP_ID_NOT_FOUND, errorMessage: `Group ${groupId} not found.` }
  }
  const protocolType = group?.protocolType ?? record?.protocolType ?? ''
  if (group === null) return { ...base, protocolType, groupState: 'Empty' }
  const stable = group.phase === 'Stable'
  const members = Array.from(group.members.values(), (member) => ({
    memberId: member.memberId, groupInstanceId: member.groupInstanceId, clientId: member.clientId,
    clientHost: member.clientHost,
    memberMetadata: stable ? subscriptionOf(group, member) : EMPTY, memberAssignment: stable ? member.assignment : EMPTY
  }))
  return {
    ...base, protocolType, protocolData: stable ? group.protocolName ?? '' : '', groupState: group.phase, members
  }
}

/** Lists the groups of a shard that pass the filters (empty: all pass; letter case does not matter). */
export function listGroups(
  groups: ReadonlyMap<string, Group>, records: ReadonlyMap<string, GroupRecord>, filters: ListGroupsRequest
): Listed[] {
  const states = new Set(filters.statesFilter.map((state) => state.toLowerCase()))
  const types = new Set(filters.typesFilter.map((type) => type.toLowerCase()))
  if (types.size > 0 && !types.has(GROUP_TYPE)) return []
  const listed: Listed[] = []
  const add = (groupId: string, protocolType: string | null, groupState: string): void => {
    if (states.size > 0 && !states.has(groupState.toLowerCase())) return
    listed.push({ groupId, protocolType: protocolType ?? '', groupState, groupType: GROUP_TYPE })
  }
  for (const group of groups.values()) add(group.groupId, group.protocolType, group.phase)
  for (const record of records.values()) {
    if (!groups.has(record.groupId)) add(record.groupId, record.protocolType, 'Empty')
  }
  return listed
}
