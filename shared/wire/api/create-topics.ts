/**
 * CreateTopics (API key 19), versions 2-7: v4 takes -1 for the defaults, v5 is flexible and says what was created,
 * v7 adds topic ids.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_CreateTopics
 */
import {
  array, bool, field, int16, int32, int8, message, string, struct, uuid, type Infer
} from '../../binary/message.ts'

const versions = { versions: [2, 7], flexibleSince: 5 } as const

export const createTopicsRequest = message('CreateTopicsRequest', versions, {
  topics: field(array(struct({
    name: field(string),
    numPartitions: field(int32),
    replicationFactor: field(int16),
    assignments: field(array(struct({
      partitionIndex: field(int32),
      brokerIds: field(array(int32))
    }))),
    configs: field(array(struct({
      name: field(string),
      value: field(string, { nullable: true })
    })))
  }))),
  timeoutMs: field(int32, { default: 60000 }),
  validateOnly: field(bool)
})

export const createTopicsResponse = message('CreateTopicsResponse', versions, {
  throttleTimeMs: field(int32),
  topics: field(array(struct({
    name: field(string),
    topicId: field(uuid, { since: 7 }),
    errorCode: field(int16),
    errorMessage: field(string, { nullable: true }),
    topicConfigErrorCode: field(int16, { since: 5, tag: 0 }),
    numPartitions: field(int32, { since: 5, default: -1 }),
    replicationFactor: field(int16, { since: 5, default: -1 }),
    configs: field(array(struct({
      name: field(string),
      value: field(string, { nullable: true }),
      readOnly: field(bool),
      configSource: field(int8, { default: -1 }),
      isSensitive: field(bool)
    })), { since: 5, nullable: true })
  })))
})

export type CreateTopicsRequest = Infer<typeof createTopicsRequest>
export type CreateTopicsResponse = Infer<typeof createTopicsResponse>
