/** ApiVersions: what we serve, as the table of served APIs says it (PROTOCOL 3, 5, 6). */
import { API } from '#shared/wire/api-registry.ts'
import type { ApiVersionsRequest, ApiVersionsResponse } from '#shared/wire/api/api-versions.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { throttle, type Handler } from './handler.ts'
import type { ServedApi } from './served-table.ts'

const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/ // Kafka's rule for name and version (PROTOCOL 5)
const SOFTWARE_SINCE = 3
const NO_FEATURES =
  { supportedFeatures: [], finalizedFeaturesEpoch: -1, finalizedFeatures: [], zkMigrationReady: false } as const

type ApiKeyRow = ApiVersionsResponse['apiKeys'][number]

function keyRow({ api, advertisedMin, versionMax }: ServedApi): ApiKeyRow {
  return { apiKey: api.apiKey, minVersion: advertisedMin, maxVersion: versionMax }
}

export function apiVersionsHandler(rows: () => readonly ServedApi[]): Handler<ApiVersionsRequest, ApiVersionsResponse> {
  let apiKeys: readonly ApiKeyRow[] | null = null
  return (context, version, request) => {
    const throttleTimeMs = throttle(context, 0)
    const named = version < SOFTWARE_SINCE ||
      (SOFTWARE.test(request.clientSoftwareName) && SOFTWARE.test(request.clientSoftwareVersion))
    if (!named) return { errorCode: KAFKA_ERROR.INVALID_REQUEST, apiKeys: [], throttleTimeMs, ...NO_FEATURES }
    apiKeys ??= rows().map(keyRow).sort((a, b) => a.apiKey - b.apiKey)
    return { errorCode: KAFKA_ERROR.NONE, apiKeys, throttleTimeMs, ...NO_FEATURES }
  }
}

/** The answer to a version that we do not know, whose body was not read: our range of ApiVersions alone (KIP-511). */
export const apiVersionsTooNewHandler: Handler<ApiVersionsRequest, ApiVersionsResponse> = (context) => {
  const { apiKey, versionMin: minVersion, versionMax: maxVersion } = API.apiVersions
  return {
    errorCode: KAFKA_ERROR.UNSUPPORTED_VERSION, apiKeys: [{ apiKey, minVersion, maxVersion }],
    throttleTimeMs: throttle(context, 0),
    ...NO_FEATURES
  }
}
