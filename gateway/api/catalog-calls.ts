/** Calls to the leader of the catalog. What the way there does is told to clients in codes that make them ask again. */
import { leaderOf } from '#shared/cluster/placement.ts'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { RpcCall } from '#shared/rpc/call.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { GatewayServices } from './handler.ts'

/** What a call to the catalog's leader needs. */
export type CatalogCaller = Pick<GatewayServices, 'membership' | 'transport' | 'settings' | 'log'>

export type CatalogOutcome<Response> =
  | { readonly response: Response; readonly errorCode: 0; readonly errorMessage: null }
  | { readonly response: null; readonly errorCode: number; readonly errorMessage: string }

/**
 * `waitMs` is what the request itself may take at the leader. The call is not tied to the client: it changes
 * things for all.
 */
export async function callCatalog<Request, Response>(
  services: CatalogCaller, call: RpcCall<Request, Response>, request: Request, waitMs: number
): Promise<CatalogOutcome<Response>> {
  const node = leaderOf(services.membership.current(), CATALOG_SHARD)
  const deadlineMs = Math.max(0, waitMs) + services.settings.adminForwardTimeoutMs
  try {
    const { response } = await services.transport.call(node, call, request, { deadlineMs })
    return { response, errorCode: 0, errorMessage: null }
  } catch (error) {
    if (!(error instanceof ZonewiseError)) throw error
    services.log.debug('catalog call failed', { call: call.name, node, code: error.code })
    return { response: null, errorCode: errorCodeOf(error), errorMessage: error.message }
  }
}

function errorCodeOf(error: ZonewiseError): number {
  switch (error.code) {
    case 'NOT_LEADER': case 'STOPPING': return KAFKA_ERROR.NOT_CONTROLLER
    case 'RPC_UNAVAILABLE': case 'RPC_TIMED_OUT': return KAFKA_ERROR.REQUEST_TIMED_OUT // the outcome is unknown
    default: return error.kafkaCode
  }
}
