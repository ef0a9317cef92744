/**
 * FindCoordinator (API key 10), versions 0-6: v1 adds the type of the key, v3 is flexible, v4 many keys in one
 * request (KIP-699).
 * Source: https://kafka.apache.org/protocol.html#The_Messages_FindCoordinator
 */
import { array, field, int16, int32, int8, message, string, struct, type Infer } from '../../binary/message.ts'

const versions = { versions: [0, 6], flexibleSince: 3 } as const

export const findCoordinatorRequest = message('FindCoordinatorRequest', versions, {
  key: field(string, { until: 3 }),
  keyType: field(int8, { since: 1 }),
  coordinatorKeys: field(array(string), { since: 4 })
})

export const findCoordinatorResponse = message('FindCoordinatorResponse', versions, {
  throttleTimeMs: field(int32, { since: 1 }),
  errorCode: field(int16, { until: 3 }),
  errorMessage: field(string, { since: 1, until: 3, nullable: true }),
  nodeId: field(int32, { until: 3 }),
  host: field(string, { until: 3 }),
  port: field(int32, { until: 3 }),
  coordinators: field(array(struct({
    key: field(string),
    nodeId: field(int32),
    host: field(string),
    port: field(int32),
    errorCode: field(int16),
    errorMessage: field(string, { nullable: true })
  })), { since: 4 })
})

export type FindCoordinatorRequest = Infer<typeof findCoordinatorRequest>
export type FindCoordinatorResponse = Infer<typeof findCoordinatorResponse>
