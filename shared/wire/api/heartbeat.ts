/**
 * Heartbeat (API key 12), versions 0-4: v1 adds throttleTimeMs, v3 groupInstanceId (KIP-345), v4 is flexible
 * (KIP-482).
 * Source: https://kafka.apache.org/protocol.html#The_Messages_Heartbeat
 */
import { field, int16, int32, message, string, type Infer } from '../../binary/message.ts'

const versions = { versions: [0, 4], flexibleSince: 4 } as const

export const heartbeatRequest = message('HeartbeatRequest', versions, {
  groupId: field(string),
  generationId: field(int32),
  memberId: field(string),
  groupInstanceId: field(string, { since: 3, nullable: true })
})

export const heartbeatResponse = message('HeartbeatResponse', versions, {
  throttleTimeMs: field(int32, { since: 1 }),
  errorCode: field(int16)
})

export type HeartbeatRequest = Infer<typeof heartbeatRequest>
export type HeartbeatResponse = Infer<typeof heartbeatResponse>
