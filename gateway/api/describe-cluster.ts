/** DescribeCluster: the gateways of the client's zone, as Metadata names them. */
import type { DescribeClusterRequest, DescribeClusterResponse } from '#shared/wire/api/describe-cluster.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { ZoneView } from '../zone/zone-view.ts'
import { CLUSTER_OPERATIONS, ifAsked } from './authorized-operations.ts'
import { authorize, CLUSTER_RESOURCE, throttle, type Handler } from './handler.ts'

const ENDPOINT_BROKERS = 1
const ENDPOINT_CONTROLLERS = 2

export const handleDescribeCluster: Handler<DescribeClusterRequest, DescribeClusterResponse> =
  (context, _version, request, services) => {
  const refuse = (errorCode: number, errorMessage: string): DescribeClusterResponse => ({
    throttleTimeMs: throttle(context, 0), errorCode, errorMessage, endpointType: request.endpointType,
    clusterId: services.clusterId,
    controllerId: -1, brokers: [], clusterAuthorizedOperations: ifAsked(false, 0)
  })
  if (!authorize(context, 'describe', CLUSTER_RESOURCE)) {
    return refuse(KAFKA_ERROR.CLUSTER_AUTHORIZATION_FAILED, 'not authorized')
  }
  if (request.endpointType === ENDPOINT_CONTROLLERS) {
    return refuse(KAFKA_ERROR.MISMATCHED_ENDPOINT_TYPE, 'this endpoint is one of brokers')
  }
  if (request.endpointType !== ENDPOINT_BROKERS) {
    return refuse(KAFKA_ERROR.UNSUPPORTED_ENDPOINT_TYPE, 'no such type of endpoint')
  }
  const view = new ZoneView(context, services)
  return {
    throttleTimeMs: throttle(context, 0), errorCode: KAFKA_ERROR.NONE, errorMessage: null,
    endpointType: request.endpointType,
    clusterId: services.clusterId, controllerId: view.controllerId(services.nodeId),
    brokers: view.endpoints().map(
      ({ nodeId: brokerId, host, port, rack }) => ({ brokerId, host, port, rack, isFenced: false })
    ),
    clusterAuthorizedOperations: ifAsked(request.includeClusterAuthorizedOperations, CLUSTER_OPERATIONS)
  }
}
