/**
 * DescribeConfigs (API key 32), versions 1-4: v3 adds types and documentation, v4 is flexible.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_DescribeConfigs
 */
import { array, bool, field, int16, int32, int8, message, string, struct, type Infer } from '../../binary/message.ts'

const versions = { versions: [1, 4], flexibleSince: 4 } as const

export const describeConfigsRequest = message('DescribeConfigsRequest', versions, {
  resources: field(array(struct({
    resourceType: field(int8),
    resourceName: field(string),
    configurationKeys: field(array(string), { nullable: true })
  }))),
  includeSynonyms: field(bool),
  includeDocumentation: field(bool, { since: 3 })
})

export const describeConfigsResponse = message('DescribeConfigsResponse', versions, {
  throttleTimeMs: field(int32),
  results: field(array(struct({
    errorCode: field(int16),
    errorMessage: field(string, { nullable: true }),
    resourceType: field(int8),
    resourceName: field(string),
    configs: field(array(struct({
      name: field(string),
      value: field(string, { nullable: true }),
      readOnly: field(bool),
      configSource: field(int8, { default: -1 }),
      isSensitive: field(bool),
      synonyms: field(array(struct({
        name: field(string),
        value: field(string, { nullable: true }),
        source: field(int8)
      }))),
      configType: field(int8, { since: 3 }),
      documentation: field(string, { since: 3, nullable: true })
    })))
  })))
})

export type DescribeConfigsRequest = Infer<typeof describeConfigsRequest>
export type DescribeConfigsResponse = Infer<typeof describeConfigsResponse>
