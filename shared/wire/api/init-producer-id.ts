/**
 * InitProducerId (API key 22), versions 0-5: v2 is flexible, v3 lets a producer resume its id (KIP-360).
 * Source: https://kafka.apache.org/protocol.html#The_Messages_InitProducerId
 */
import { field, int16, int32, int64, message, string, type Infer } from '../../binary/message.ts'

const versions = { versions: [0, 5], flexibleSince: 2 } as const

export const initProducerIdRequest = message('InitProducerIdRequest', versions, {
  transactionalId: field(string, { nullable: true }),
  transactionTimeoutMs: field(int32),
  producerId: field(int64, { since: 3, default: -1 }),
  producerEpoch: field(int16, { since: 3, default: -1 })
})

export const initProducerIdResponse = message('InitProducerIdResponse', versions, {
  throttleTimeMs: field(int32),
  errorCode: field(int16),
  producerId: field(int64, { default: -1 }),
  producerEpoch: field(int16)
})

export type InitProducerIdRequest = Infer<typeof initProducerIdRequest>
export type InitProducerIdResponse = Infer<typeof initProducerIdResponse>
