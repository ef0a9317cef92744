/** The shape of the table of what a listener serves; `served.ts` fills it. */
import type { Cause } from '#shared/ledger/ledger.ts'
import type { AnyApi, Api } from '#shared/wire/api-registry.ts'
import type { Handler } from './handler.ts'

export type ServedApi = {
  readonly api: AnyApi
  readonly advertisedMin: number
  readonly versionMin: number
  readonly versionMax: number
  readonly cause: Extract<Cause, 'produce' | 'fetch' | 'client'>
  readonly pipelined: boolean // may be handled while earlier ones of its kind on the connection wait
  readonly handler: Handler<unknown, unknown>
}

export type ServedTable = {
  readonly byKey: readonly (ServedApi | undefined)[]
  readonly apiVersionsTooNew: ServedApi
}

/** One row, with the types of request and response forgotten: the codec of the same row restores them. */
export function serve<Request, Response>(
  api: Api<Request, Response>,
  handler: Handler<Request, Response>,
  options: { readonly cause?: ServedApi['cause']; readonly pipelined?: boolean } = {}
): ServedApi {
  const { versionMin, versionMax, advertisedMin } = api
  const { cause = 'client', pipelined = false } = options
  return {
    api: api as unknown as AnyApi, advertisedMin, versionMin, versionMax, cause, pipelined,
    handler: handler as unknown as Handler<unknown, unknown>
  }
}

export function servedTable(rows: readonly ServedApi[], apiVersionsTooNew: ServedApi): ServedTable {
  const byKey: (ServedApi | undefined)[] = []
  for (const row of rows) byKey[row.api.apiKey] = row
  return { byKey, apiVersionsTooNew }
}
