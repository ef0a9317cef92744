/**
 * IncrementalAlterConfigs (API key 44), versions 0-1: v1 is flexible (KIP-339).
 * Source: https://kafka.apache.org/protocol.html#The_Messages_IncrementalAlterConfigs
 */
import { array, bool, field, int16, int32, int8, message, string, struct, type Infer } from '../../binary/message.ts'

const versions = { versions: [0, 1], flexibleSince: 1 } as const

export const incrementalAlterConfigsRequest = message('IncrementalAlterConfigsRequest', versions, {
  resources: field(array(struct({
    resourceType: field(int8),
    resourceName: field(string),
    configs: field(array(struct({
      name: field(string),
      configOperation: field(int8),
      value: field(string, { nullable: true })
    })))
  }))),
  validateOnly: field(bool)
})

export const incrementalAlterConfigsResponse = message('IncrementalAlterConfigsResponse', versions, {
  throttleTimeMs: field(int32),
  responses: field(array(struct({
    errorCode: field(int16),
    errorMessage: field(string, { nullable: true }),
    resourceType: field(int8),
    resourceName: field(string)
  })))
})

export type IncrementalAlterConfigsRequest = Infer<typeof incrementalAlterConfigsRequest>
export type IncrementalAlterConfigsResponse = Infer<typeof incrementalAlterConfigsResponse>
