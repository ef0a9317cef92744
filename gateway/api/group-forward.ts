/**
 * Forwards a call about one group to the leader of the group's shard, in the newest version of its API; the answer
 * comes back in it. What the way there does is told in codes that make every client ask again.
 */
import { decodeMessage, encodeMessage } from '#shared/binary/message.ts'
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import { leaderOf, shardOfGroup } from '#shared/cluster/placement.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { groupCall } from '#shared/rpc/group.ts'
import type { Api } from '#shared/wire/api-registry.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { GatewayServices, RequestContext } from './handler.ts'

export type Forwarded<Response> =
  | { readonly errorCode: 0; readonly response: Response }
  | { readonly errorCode: number; readonly response: null }

export type ForwardOptions = {
  readonly clientVersion: number
  readonly waitMs?: number // how long the call itself may wait at the coordinator
  readonly drawsMemberId?: boolean
  /** It keeps a member in its group, so that it shows a client that is to move where its coordinator is now. */
  readonly moves?: boolean
}

export function forwardToGroup<Request, Response>(
  context: RequestContext, services: GatewayServices, api: Api<Request, Response>, groupId: string, request: Request,
  options: ForwardOptions
): Promise<Forwarded<Response>> {
  if (options.moves === true && context.mustMove) {
    return Promise.resolve({ errorCode: KAFKA_ERROR.NOT_COORDINATOR, response: null })
  }
  const shard = shardOfGroup(groupId, services.membership.current().shardCount)
  return forwardToShard(context, services, api, shard, request, options)
}

export async function forwardToShard<Request, Response>(
  context: RequestContext, services: GatewayServices, api: Api<Request, Response>, shard: number, request: Request,
  options: ForwardOptions
): Promise<Forwarded<Response>> {
  const node = leaderOf(services.membership.current(), shard)
  const { clientVersion, waitMs = 0, drawsMemberId = false, moves = false } = options
  const { clientId, clientHost, requestId } = context
  const signal = moves && waitMs > 0 ? AbortSignal.any([context.signal, services.clientZones.leaving]) : context.signal
  // Drawn here, so that the same call sent again means the same member (Kafka's form: client id and a uuid).
  const memberId = drawsMemberId ? `${clientId ?? ''}-${services.runtime.chance.uuid()}` : ''
  const body = encodeBody(api, request)
  const call = { shard, apiKey: api.apiKey, clientVersion, clientId, clientHost, requestId, memberId, body }
  try {
    const deadlineMs = Math.max(0, waitMs) + services.settings.groupForwardTimeoutMs
    const { response } = await services.transport.call(node, groupCall, call, { deadlineMs, signal })
    if (response.errorCode !== KAFKA_ERROR.NONE) return { errorCode: response.errorCode, response: null }
    return { errorCode: 0, response: decodeMessage(api.response, api.versionMax, new Reader(response.body)) }
  } catch (error) {
    if (!(error instanceof ZonewiseError)) throw error
    services.log.debug('group call failed', { api: api.name, shard, node, code: error.code })
    return { errorCode: errorCodeOf(error), response: null }
  }
}

/** A copy: the frame it came in is not kept alive by what a coordinator keeps of it. */
function encodeBody<Request, Response>(api: Api<Request, Response>, request: Request): Uint8Array {
  const writer = new Writer()
  encodeMessage(api.request, api.versionMax, request, writer)
  return Buffer.concat(writer.finish())
}

function errorCodeOf(error: ZonewiseError): number {
  switch (error.code) {
    case 'NOT_LEADER': case 'STOPPING': case 'RPC_UNAVAILABLE': case 'RPC_TIMED_OUT': return KAFKA_ERROR.NOT_COORDINATOR
    default: return error.retriable ? KAFKA_ERROR.COORDINATOR_LOAD_IN_PROGRESS : error.kafkaCode
  }
}
