/**
 * SyncGroup (API key 14), versions 0-5: v3 adds static members, v4 is flexible, v5 the protocol for a check.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_SyncGroup
 */
import { array, bytes, field, int16, int32, message, string, struct, type Infer } from '../../binary/message.ts'

const versions = { versions: [0, 5], flexibleSince: 4 } as const

export const syncGroupRequest = message('SyncGroupRequest', versions, {
  groupId: field(string),
  generationId: field(int32),
  memberId: field(string),
  groupInstanceId: field(string, { since: 3, nullable: true }),
  protocolType: field(string, { since: 5, nullable: true }),
  protocolName: field(string, { since: 5, nullable: true }),
  assignments: field(array(struct({
    memberId: field(string),
    assignment: field(bytes)
  })))
})

export const syncGroupResponse = message('SyncGroupResponse', versions, {
  throttleTimeMs: field(int32, { since: 1 }),
  errorCode: field(int16),
  protocolType: field(string, { since: 5, nullable: true }),
  protocolName: field(string, { since: 5, nullable: true }),
  assignment: field(bytes)
})

export type SyncGroupRequest = Infer<typeof syncGroupRequest>
export type SyncGroupResponse = Infer<typeof syncGroupResponse>
