/**
 * Addresses of a Redis, as --journal takes them. Credentials are URL-encoded; TLS where the scheme says rediss.
 *   redis://[user[:password]@]host[:6379][/database]                one primary; also rediss://
 *   redis+cluster://[user[:password]@]host[:6379],host,...          a Redis Cluster; also rediss+cluster://
 *   redis+sentinel://[user[:password]@]host[:26379],.../name[/db]   what Sentinels call name; also rediss+sentinel://
 * `redis://:password@host` is the default user. After a question mark:
 *   prefix=NAME          of every key, by default "zonewise": clusters with prefixes of their own share a Redis
 *   slotGroups=N         hash slots that the shards of a new cluster spread over: 1, in a Redis Cluster 16
 *   ca=FILE              certificates (PEM) that sign the server's, beside the system's
 *   sentinelUser=, sentinelPassword=   credentials of the Sentinels, where they have any
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'

export type RedisEndpoint = { readonly host: string; readonly port: number }

export type RedisCredentials = { readonly user: string | null; readonly password: string | null }

export type RedisAddress = {
  readonly kind: 'single' | 'cluster' | 'sentinel'
  readonly tls: boolean
  readonly caFile: string | null
  readonly endpoints: readonly RedisEndpoint[] // at least one; of Sentinels where kind says so
  readonly credentials: RedisCredentials
  readonly sentinelName: string | null // what the Sentinels call the primary
  readonly sentinelCredentials: RedisCredentials
  readonly database: number
  readonly prefix: string
  readonly slotGroups: number
}

type Scheme = Pick<RedisAddress, 'kind' | 'tls'> & { readonly port: number }

const SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  ['redis:', { kind: 'single', tls: false, port: 6_379 }],
  ['rediss:', { kind: 'single', tls: true, port: 6_379 }],
  ['redis+cluster:', { kind: 'cluster', tls: false, port: 6_379 }],
  ['rediss+cluster:', { kind: 'cluster', tls: true, port: 6_379 }],
  ['redis+sentinel:', { kind: 'sentinel', tls: false, port: 26_379 }],
  ['rediss+sentinel:', { kind: 'sentinel', tls: true, port: 26_379 }]
])

const NO_SCHEME = 'it is none of redis://, redis+cluster:// and redis+sentinel://, or those with rediss'
const NO_NAME = 'the name of the primary is missing: redis+sentinel://host/NAME'
const TOO_MANY = 'redis:// names one host; several make redis+cluster:// or redis+sentinel://'
const PARAMETERS = new Set(['prefix', 'slotGroups', 'ca', 'sentinelUser', 'sentinelPassword'])
const ENDPOINTS_MAX = 64
const SLOT_GROUPS = { single: '1', sentinel: '1', cluster: '16' } as const
const SLOT_GROUPS_MAX = 1_024
const DATABASE_MAX = 65_535

/** Whether `text` is an address of Redis at all. */
export function isRedisAddress(text: string): boolean {
  return /^rediss?(\+[a-z]+)?:\/\//.test(text)
}

/** @throws ZonewiseError SETTING_INVALID: a sentence that never holds a secret */
export function parseRedisAddress(text: string): RedisAddress {
  const parts = /^([a-z+]+:)\/\/(?:([^@/?]*)@)?([^/?@]*)(\/[^?]*)?(?:\?(.*))?$/.exec(text)
  const scheme = SCHEMES.get(parts?.[1] ?? '')
  if (parts === null || scheme === undefined) throw invalid(NO_SCHEME)
  const { kind, tls, port } = scheme
  const parameters = new URLSearchParams(parts[5] ?? '')
  for (const name of parameters.keys()) if (!PARAMETERS.has(name)) throw invalid(`there is no parameter ${name}`)
  const path = (parts[4] ?? '').split('/').slice(1).filter((part) => part !== '').map(decoded)
  const sentinelName = kind === 'sentinel' ? path.shift() ?? null : null
  if (kind === 'sentinel' && sentinelName === null) throw invalid(NO_NAME)
  const database = whole(path.shift() ?? '0', 0, DATABASE_MAX, 'the database')
  if (path.length > 0) throw invalid('there is too much behind the host')
  if (kind === 'cluster' && database !== 0) throw invalid('a Redis Cluster has database 0 only')
  const caFile = parameters.get('ca')
  if (caFile !== null && !tls) throw invalid('ca is of use with rediss only')
  return {
    kind, tls, caFile, sentinelName, database,
    endpoints: endpointsOf(parts[3]!, port, kind),
    credentials: credentialsOf(parts[2]),
    sentinelCredentials: { user: parameters.get('sentinelUser'), password: parameters.get('sentinelPassword') },
    prefix: prefixOf(parameters.get('prefix') ?? 'zonewise'),
    slotGroups: whole(parameters.get('slotGroups') ?? SLOT_GROUPS[kind], 1, SLOT_GROUPS_MAX, 'slotGroups')
  }
}

/** The address without credentials, for log lines. */
export function redisName({ kind, tls, endpoints, sentinelName, database }: RedisAddress): string {
  const hosts = endpoints.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',')
  const scheme = `redis${tls ? 's' : ''}${kind === 'single' ? '' : `+${kind}`}`
  return `${scheme}://${hosts}${sentinelName === null ? '' : `/${sentinelName}`}${database === 0 ? '' : `/${database}`}`
}

function endpointsOf(list: string, defaultPort: number, kind: RedisAddress['kind']): RedisEndpoint[] {
  const endpoints = list.split(',').map((one) => {
    const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(one)
    if (found === null) throw invalid(one === '' ? 'the host is missing' : `"${one}" is no host with an optional port`)
    return { host: (found[1] ?? found[2])!, port: whole(found[3] ?? String(defaultPort), 1, 65_535, 'the port') }
  })
  if (endpoints.length > ENDPOINTS_MAX) throw invalid(`there are more than ${ENDPOINTS_MAX} hosts`)
  if (kind === 'single' && endpoints.length > 1) throw invalid(TOO_MANY)
  return endpoints
}

function credentialsOf(text: string | undefined): RedisCredentials {
  if (text === undefined || text === '') return { user: null, password: null }
  const colon = text.indexOf(':')
  if (colon < 0) throw invalid('there is a user without a password: user:password@host')
  const user = decoded(text.slice(0, colon))
  return { user: user === '' ? null : user, password: decoded(text.slice(colon + 1)) }
}

function prefixOf(text: string): string {
  if (!/^[A-Za-z0-9_.:-]{1,64}$/.test(text)) throw invalid('a prefix is 1 to 64 letters, digits and _ . : -')
  return text
}

function whole(text: string, min: number, max: number, what: string): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN
  if (!(number >= min && number <= max)) throw invalid(`${what} is not a whole number from ${min} to ${max}`)
  return number
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid('a % is not followed by two hexadecimal digits')
  }
}

function invalid(why: string): ZonewiseError {
  return new ZonewiseError('SETTING_INVALID', 'the address of Redis cannot be used', { why })
}
