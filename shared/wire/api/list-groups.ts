/**
 * ListGroups (API key 16), versions 0-5: v3 is flexible, v4 adds states (KIP-518), v5 types (KIP-848).
 * Source: https://kafka.apache.org/protocol.html#The_Messages_ListGroups
 */
import { array, field, int16, int32, message, string, struct, type Infer } from '../../binary/message.ts'

const versions = { versions: [0, 5], flexibleSince: 3 } as const

export const listGroupsRequest = message('ListGroupsRequest', versions, {
  statesFilter: field(array(string), { since: 4 }),
  typesFilter: field(array(string), { since: 5 })
})

export const listGroupsResponse = message('ListGroupsResponse', versions, {
  throttleTimeMs: field(int32, { since: 1 }),
  errorCode: field(int16),
  groups: field(array(struct({
    groupId: field(string),
    protocolType: field(string),
    groupState: field(string, { since: 4 }),
    groupType: field(string, { since: 5 })
  })))
})

export type ListGroupsRequest = Infer<typeof listGroupsRequest>
export type ListGroupsResponse = Infer<typeof listGroupsResponse>
