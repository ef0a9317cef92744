/**
 * Consumer group calls, forwarded by a gateway to the leader of the group's shard. The body is the Kafka request in
 * the wire codec at its newest version that we serve, with one group in it; the answer likewise. The gateway draws the
 * ids (requestId, memberId) before it forwards, so that a forwarded call sent again is the same call. Topics in
 * offset calls are named by id (the gateway resolves names).
 */
import { bytes, field, int16, message, string, uint16, type Infer } from '../binary/message.ts'
import type { RpcCall } from './call.ts'

const versions = { versions: [0, 0], flexibleSince: null } as const

export const groupRequest = message('GroupRequest', versions, {
  shard: field(uint16),
  apiKey: field(int16),
  clientVersion: field(int16), // version that the client used: some outcomes depend on it
  clientId: field(string, { nullable: true }), clientHost: field(string),
  requestId: field(string), memberId: field(string), // drawn by the gateway
  body: field(bytes)
})
export const groupResponse = message('GroupResponse', versions, {
  // not 0: the call did not reach a coordinator (NOT_COORDINATOR 16, COORDINATOR_LOAD_IN_PROGRESS 14, ...)
  errorCode: field(int16),
  body: field(bytes)
})

export type GroupRequest = Infer<typeof groupRequest>
export type GroupResponse = Infer<typeof groupResponse>

export const groupCall: RpcCall<GroupRequest, GroupResponse> = {
  id: 30, name: 'group', cause: 'group', payloadCause: null, request: groupRequest, response: groupResponse
}
