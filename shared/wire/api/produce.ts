/**
 * Produce (API key 0), versions 3-9: the payload of a producer: v5 adds logStartOffset, v8 the records refused
 * (KIP-467), v9 is flexible.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_Produce
 */
import {
  array, field, int16, int32, int64, message, records, string, struct, type Infer
} from '../../binary/message.ts'

const versions = { versions: [3, 9], flexibleSince: 9 } as const

export const produceRequest = message('ProduceRequest', versions, {
  transactionalId: field(string, { nullable: true }),
  acks: field(int16),
  timeoutMs: field(int32),
  topicData: field(array(struct({
    name: field(string),
    partitionData: field(array(struct({
      index: field(int32),
      records: field(records)
    })))
  })))
})

export const produceResponse = message('ProduceResponse', versions, {
  responses: field(array(struct({
    name: field(string),
    partitionResponses: field(array(struct({
      index: field(int32),
      errorCode: field(int16),
      baseOffset: field(int64),
      logAppendTimeMs: field(int64, { default: -1 }),
      logStartOffset: field(int64, { since: 5, default: -1 }),
      recordErrors: field(array(struct({
        batchIndex: field(int32),
        batchIndexErrorMessage: field(string, { nullable: true })
      })), { since: 8 }),
      errorMessage: field(string, { since: 8, nullable: true })
    })))
  }))),
  throttleTimeMs: field(int32)
})

export type ProduceRequest = Infer<typeof produceRequest>
export type ProduceResponse = Infer<typeof produceResponse>
