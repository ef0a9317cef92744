/**
 * DeleteTopics (API key 20), versions 1-6: v4 is flexible, v5 adds error messages, v6 takes topic ids.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_DeleteTopics
 */
import { array, field, int16, int32, message, string, struct, uuid, type Infer } from '../../binary/message.ts'

const versions = { versions: [1, 6], flexibleSince: 4 } as const

export const deleteTopicsRequest = message('DeleteTopicsRequest', versions, {
  topics: field(array(struct({
    name: field(string, { nullable: true }),
    topicId: field(uuid)
  })), { since: 6 }),
  topicNames: field(array(string), { until: 5 }),
  timeoutMs: field(int32)
})

export const deleteTopicsResponse = message('DeleteTopicsResponse', versions, {
  throttleTimeMs: field(int32),
  responses: field(array(struct({
    name: field(string, { nullableSince: 6 }),
    topicId: field(uuid, { since: 6 }),
    errorCode: field(int16),
    errorMessage: field(string, { since: 5, nullable: true })
  })))
})

export type DeleteTopicsRequest = Infer<typeof deleteTopicsRequest>
export type DeleteTopicsResponse = Infer<typeof deleteTopicsResponse>
