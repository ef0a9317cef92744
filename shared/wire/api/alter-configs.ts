/**
 * AlterConfigs (API key 33), versions 0-2: replaces all settings of a resource; v2 is flexible.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_AlterConfigs
 */
import { array, bool, field, int16, int32, int8, message, string, struct, type Infer } from '../../binary/message.ts'

const versions = { versions: [0, 2], flexibleSince: 2 } as const

export const alterConfigsRequest = message('AlterConfigsRequest', versions, {
  resources: field(array(struct({
    resourceType: field(int8),
    resourceName: field(string),
    configs: field(array(struct({
      name: field(string),
      value: field(string, { nullable: true })
    })))
  }))),
  validateOnly: field(bool)
})

export const alterConfigsResponse = message('AlterConfigsResponse', versions, {
  throttleTimeMs: field(int32),
  responses: field(array(struct({
    errorCode: field(int16),
    errorMessage: field(string, { nullable: true }),
    resourceType: field(int8),
    resourceName: field(string)
  })))
})

export type AlterConfigsRequest = Infer<typeof alterConfigsRequest>
export type AlterConfigsResponse = Infer<typeof alterConfigsResponse>
