/**
 * DeleteGroups (API key 42), versions 0-2: v2 is flexible.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_DeleteGroups
 */
import { array, field, int16, int32, message, string, struct, type Infer } from '../../binary/message.ts'

const versions = { versions: [0, 2], flexibleSince: 2 } as const

export const deleteGroupsRequest = message('DeleteGroupsRequest', versions, {
  groupsNames: field(array(string))
})

export const deleteGroupsResponse = message('DeleteGroupsResponse', versions, {
  throttleTimeMs: field(int32),
  results: field(array(struct({
    groupId: field(string),
    errorCode: field(int16)
  })))
})

export type DeleteGroupsRequest = Infer<typeof deleteGroupsRequest>
export type DeleteGroupsResponse = Infer<typeof deleteGroupsResponse>
