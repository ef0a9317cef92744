/**
 * CreatePartitions (API key 37), versions 0-3: v2 is flexible.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_CreatePartitions
 */
import { array, bool, field, int16, int32, message, string, struct, type Infer } from '../../binary/message.ts'

const versions = { versions: [0, 3], flexibleSince: 2 } as const

export const createPartitionsRequest = message('CreatePartitionsRequest', versions, {
  topics: field(array(struct({
    name: field(string),
    count: field(int32),
    assignments: field(array(struct({
      brokerIds: field(array(int32))
    })), { nullable: true })
  }))),
  timeoutMs: field(int32),
  validateOnly: field(bool)
})

export const createPartitionsResponse = message('CreatePartitionsResponse', versions, {
  throttleTimeMs: field(int32),
  results: field(array(struct({
    name: field(string),
    errorCode: field(int16),
    errorMessage: field(string, { nullable: true })
  })))
})

export type CreatePartitionsRequest = Infer<typeof createPartitionsRequest>
export type CreatePartitionsResponse = Infer<typeof createPartitionsResponse>
