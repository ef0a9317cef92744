/**
 * DescribeGroups (API key 15), versions 0-6: v3 adds authorized operations, v4 static members, v5 is flexible, v6 an
 * error message.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_DescribeGroups
 */
import { array, bool, bytes, field, int16, int32, message, string, struct, type Infer } from '../../binary/message.ts'
import { AUTHORIZED_OPERATIONS_UNKNOWN } from '../authorized-operations.ts'

const versions = { versions: [0, 6], flexibleSince: 5 } as const

export const describeGroupsRequest = message('DescribeGroupsRequest', versions, {
  groups: field(array(string)),
  includeAuthorizedOperations: field(bool, { since: 3 })
})

export const describeGroupsResponse = message('DescribeGroupsResponse', versions, {
  throttleTimeMs: field(int32, { since: 1 }),
  groups: field(array(struct({
    errorCode: field(int16),
    errorMessage: field(string, { since: 6, nullable: true }),
    groupId: field(string),
    groupState: field(string),
    protocolType: field(string),
    protocolData: field(string),
    members: field(array(struct({
      memberId: field(string),
      groupInstanceId: field(string, { since: 4, nullable: true }),
      clientId: field(string),
      clientHost: field(string),
      memberMetadata: field(bytes),
      memberAssignment: field(bytes)
    }))),
    authorizedOperations: field(int32, { since: 3, default: AUTHORIZED_OPERATIONS_UNKNOWN })
  })))
})

export type DescribeGroupsRequest = Infer<typeof describeGroupsRequest>
export type DescribeGroupsResponse = Infer<typeof describeGroupsResponse>
