/**
 * JoinGroup (API key 11), versions 0-9: v1 adds the rebalance timeout, v4 asks for a member id first, v5 static
 * members, v6 is flexible, v9 skipAssignment (KIP-814).
 * Source: https://kafka.apache.org/protocol.html#The_Messages_JoinGroup
 */
import { array, bool, bytes, field, int16, int32, message, string, struct, type Infer } from '../../binary/message.ts'

const versions = { versions: [0, 9], flexibleSince: 6 } as const

export const joinGroupRequest = message('JoinGroupRequest', versions, {
  groupId: field(string),
  sessionTimeoutMs: field(int32),
  rebalanceTimeoutMs: field(int32, { since: 1, default: -1 }),
  memberId: field(string),
  groupInstanceId: field(string, { since: 5, nullable: true }),
  protocolType: field(string),
  protocols: field(array(struct({
    name: field(string),
    metadata: field(bytes)
  }))),
  reason: field(string, { since: 8, nullable: true })
})

export const joinGroupResponse = message('JoinGroupResponse', versions, {
  throttleTimeMs: field(int32, { since: 2 }),
  errorCode: field(int16),
  generationId: field(int32, { default: -1 }),
  protocolType: field(string, { since: 7, nullable: true }),
  protocolName: field(string, { nullableSince: 7 }),
  leader: field(string),
  skipAssignment: field(bool, { since: 9 }),
  memberId: field(string),
  members: field(array(struct({
    memberId: field(string),
    groupInstanceId: field(string, { since: 5, nullable: true }),
    metadata: field(bytes)
  })))
})

export type JoinGroupRequest = Infer<typeof joinGroupRequest>
export type JoinGroupResponse = Infer<typeof joinGroupResponse>
