/**
 * DescribeCluster (API key 60), versions 0-2: always flexible; v1 adds the type of endpoint, v2 fenced brokers.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_DescribeCluster
 */
import { array, bool, field, int16, int32, int8, message, string, struct, type Infer } from '../../binary/message.ts'
import { AUTHORIZED_OPERATIONS_UNKNOWN } from '../authorized-operations.ts'

const versions = { versions: [0, 2], flexibleSince: 0 } as const

export const describeClusterRequest = message('DescribeClusterRequest', versions, {
  includeClusterAuthorizedOperations: field(bool),
  endpointType: field(int8, { since: 1, default: 1 }),
  includeFencedBrokers: field(bool, { since: 2 })
})

export const describeClusterResponse = message('DescribeClusterResponse', versions, {
  throttleTimeMs: field(int32),
  errorCode: field(int16),
  errorMessage: field(string, { nullable: true }),
  endpointType: field(int8, { since: 1, default: 1 }),
  clusterId: field(string),
  controllerId: field(int32, { default: -1 }),
  brokers: field(array(struct({
    brokerId: field(int32),
    host: field(string),
    port: field(int32),
    rack: field(string, { nullable: true }),
    isFenced: field(bool, { since: 2 })
  }))),
  clusterAuthorizedOperations: field(int32, { default: AUTHORIZED_OPERATIONS_UNKNOWN })
})

export type DescribeClusterRequest = Infer<typeof describeClusterRequest>
export type DescribeClusterResponse = Infer<typeof describeClusterResponse>
