/**
 * ApiVersions (API key 18), versions 0-4: v3 is flexible, though the header of its response never is (KIP-511).
 * Source: https://kafka.apache.org/protocol.html#The_Messages_ApiVersions
 */
import { array, bool, field, int16, int32, int64, message, string, struct, type Infer } from '../../binary/message.ts'

const versions = { versions: [0, 4], flexibleSince: 3 } as const

export const apiVersionsRequest = message('ApiVersionsRequest', versions, {
  clientSoftwareName: field(string, { since: 3 }),
  clientSoftwareVersion: field(string, { since: 3 })
})

export const apiVersionsResponse = message('ApiVersionsResponse', versions, {
  errorCode: field(int16),
  apiKeys: field(array(struct({
    apiKey: field(int16),
    minVersion: field(int16),
    maxVersion: field(int16)
  }))),
  throttleTimeMs: field(int32, { since: 1 }),
  supportedFeatures: field(array(struct({
    name: field(string),
    minVersion: field(int16),
    maxVersion: field(int16)
  })), { since: 3, tag: 0 }),
  finalizedFeaturesEpoch: field(int64, { since: 3, default: -1, tag: 1 }),
  finalizedFeatures: field(array(struct({
    name: field(string),
    maxVersionLevel: field(int16),
    minVersionLevel: field(int16)
  })), { since: 3, tag: 2 }),
  zkMigrationReady: field(bool, { since: 3, tag: 3 })
})

export type ApiVersionsRequest = Infer<typeof apiVersionsRequest>
export type ApiVersionsResponse = Infer<typeof apiVersionsResponse>
