/**
 * What `zonewise start` does more for a node of a cluster: it waits for what is missing, and tells others where it is.
 */
import type { NodeAddress } from '#shared/cluster/membership.ts'
import type { SettingSources } from '#shared/config/settings.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { redisSettings } from '#shared/journal/redis-config.ts'
import { transportSettings } from '#shared/transport/config.ts'
import { clusterSettings, type ClusterSettings } from '../cluster-config.ts'
import type { HttpServer } from '../http/http-server.ts'
import type { Running, StartOptions } from '../node/types.ts'
import { Waiting } from '../node/waiting.ts'
import { nodeRuntime } from '../platform/node-runtime.ts'
import { ANY_HOST } from './listener-spec.ts'
import { splitHostPort } from './arguments.ts'

export type ClusterStart = {
  readonly sources: SettingSources
  readonly http: HttpServer
  readonly httpAddress: NodeAddress
  readonly stopping: AbortSignal
}

/** What only nodes of a cluster need is loaded by them only: the clients of Redis and of the store take 0.3 s. */
export async function startInCluster(
  options: StartOptions & { readonly journal: string }, { sources, http, httpAddress, stopping }: ClusterStart
): Promise<Running> {
  const { startClustered } = await import('../node/clustered.ts')
  const { log } = options
  const waiting = new Waiting({ runtime: nodeRuntime, log, signal: stopping })
  http.attachWaiting(() => waiting.missing)
  const settings = clusterSettings.load(sources)
  return startClustered({
    ...options, clusterSettings: settings, redisSettings: redisSettings.load(sources),
    transportSettings: transportSettings.load(sources),
    rpc: advertisedHttp(settings, { ...httpAddress, port: http.port }),
    attachRpc: (accept) => { http.attachRpc(accept) }, waiting
  })
}

function advertisedHttp({ httpAdvertised }: ClusterSettings, bound: NodeAddress): NodeAddress {
  if (httpAdvertised === '') {
    if (!ANY_HOST.has(bound.host)) return bound
    throw new ZonewiseError('SETTING_INVALID', 'other nodes need an address of this one', {
      why: `--http ${bound.host} needs --http-advertised HOST:PORT, what other nodes connect to`
    })
  }
  const address = splitHostPort(httpAdvertised)
  if (address !== null) return { host: address.host, port: address.port === 0 ? bound.port : address.port }
  throw new ZonewiseError('SETTING_INVALID', 'the advertised http address is not HOST:PORT', { httpAdvertised })
}
