/**
 * LeaveGroup (API key 13), versions 0-5: v3 takes many members (KIP-345), v4 is flexible, v5 adds the reason
 * (KIP-800).
 * Source: https://kafka.apache.org/protocol.html#The_Messages_LeaveGroup
 */
import { array, field, int16, int32, message, string, struct, type Infer } from '../../binary/message.ts'

const versions = { versions: [0, 5], flexibleSince: 4 } as const

export const leaveGroupRequest = message('LeaveGroupRequest', versions, {
  groupId: field(string),
  memberId: field(string, { until: 2 }),
  members: field(array(struct({
    memberId: field(string),
    groupInstanceId: field(string, { nullable: true }),
    reason: field(string, { since: 5, nullable: true })
  })), { since: 3 })
})

export const leaveGroupResponse = message('LeaveGroupResponse', versions, {
  throttleTimeMs: field(int32, { since: 1 }),
  errorCode: field(int16),
  members: field(array(struct({
    memberId: field(string),
    groupInstanceId: field(string, { nullable: true }),
    errorCode: field(int16)
  })), { since: 3 })
})

export type LeaveGroupRequest = Infer<typeof leaveGroupRequest>
export type LeaveGroupResponse = Infer<typeof leaveGroupResponse>
