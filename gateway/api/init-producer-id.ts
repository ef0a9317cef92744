/** InitProducerId for idempotent producers: a fresh id with epoch 0, whatever id the producer had. */
import type { InitProducerIdRequest, InitProducerIdResponse } from '#shared/wire/api/init-producer-id.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { authorize, CLUSTER_RESOURCE, throttle, type Handler } from './handler.ts'

export const handleInitProducerId: Handler<InitProducerIdRequest, InitProducerIdResponse> = async (
  context, _version, request, services
) => {
  const refuse = (errorCode: number): InitProducerIdResponse =>
    ({ throttleTimeMs: throttle(context, 0), errorCode, producerId: -1, producerEpoch: -1 })
  if (request.transactionalId === '') return refuse(KAFKA_ERROR.INVALID_REQUEST)
  if ((request.producerId === -1) !== (request.producerEpoch === -1)) return refuse(KAFKA_ERROR.INVALID_REQUEST)
  // There are no transactions yet: with this code every client gives up at once.
  if (request.transactionalId !== null) return refuse(KAFKA_ERROR.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
  if (!authorize(context, 'idempotent-write', CLUSTER_RESOURCE)) return refuse(KAFKA_ERROR.CLUSTER_AUTHORIZATION_FAILED)
  const producerId = await services.producerIds.next()
  if (producerId === null) return refuse(KAFKA_ERROR.COORDINATOR_LOAD_IN_PROGRESS)
  return { throttleTimeMs: throttle(context, 0), errorCode: KAFKA_ERROR.NONE, producerId, producerEpoch: 0 }
}
