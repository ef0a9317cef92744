/**
 * Opens the Redis that an address names: one primary, the primary that Sentinels name, or a Redis Cluster
 * (redis-cluster.ts). Calls share one connection a server; those that block have one of their own.
 */
import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { type RedisAddress, redisName } from '#shared/journal/redis-address.ts'
import type { RedisSettings } from '#shared/journal/redis-config.ts'
import { type Log, silentLog } from '#shared/log/log.ts'
import type {
  Redis, RedisArgument, RedisChannel, RedisPrimary, RedisReply, RedisScript, RedisTraffic
} from '#shared/runtime/redis.ts'
import { type Runtime, sleep } from '#shared/runtime/runtime.ts'
import { ClusterRedis } from './redis-cluster.ts'
import { RedisConnection, sumOfTraffic, type Target } from './redis-connection.ts'
import { endpointName } from './redis-slots.ts'

export type RedisParts = { readonly runtime: Runtime; readonly settings: RedisSettings; readonly log: Log }

const READY_POLL_MS = 5
const BLOCK_GRACE_MS = 3_000 // of the reply to a call that blocked

/** @throws ZonewiseError SETTING_INVALID: the file of certificates cannot be read */
export function openRedis(address: RedisAddress, parts: RedisParts): Redis {
  const target = targetOf(address)
  const { runtime, settings } = parts
  const dial = (to: Target, name: string): RedisConnection =>
    new RedisConnection({ target: to, name, quietMs: settings.redisCallTimeoutMs, ...parts })
  // The connection beside it tells the same: this one is silent.
  const dialBlocking = (to: Target, name: string, blockMs: number): RedisConnection =>
    new RedisConnection({ target: to, name, quietMs: blockMs + BLOCK_GRACE_MS, runtime, settings, log: silentLog })
  const name = redisName(address)
  if (address.kind !== 'cluster') return new SingleRedis(name, target, { dial, dialBlocking, runtime, settings })
  return new ClusterRedis({
    name, seeds: address.endpoints, runtime, readyMs: readyMsOf(settings),
    dial: (endpoint) => dial({ ...target, ...endpoint }, endpointName(endpoint)),
    dialBlocking: (endpoint, blockMs) => dialBlocking({ ...target, ...endpoint }, endpointName(endpoint), blockMs)
  })
}

type SingleParts = {
  readonly dial: (to: Target, name: string) => RedisConnection
  readonly dialBlocking: (to: Target, name: string, blockMs: number) => RedisConnection
  readonly runtime: Runtime
  readonly settings: RedisSettings
}

class SingleRedis implements Redis {
  readonly name: string
  readonly #target: Target
  readonly #parts: SingleParts
  readonly #main: RedisConnection
  readonly #blocking: RedisConnection[] = []

  constructor(name: string, target: Target, parts: SingleParts) {
    this.name = name
    this.#target = target
    this.#parts = parts
    this.#main = parts.dial(target, name)
  }

  async ready(): Promise<void> {
    const { runtime: { clock, timer }, settings } = this.#parts
    const endMs = clock.monotonicMs() + readyMsOf(settings)
    for (; !this.#main.isReady; await sleep(timer, READY_POLL_MS)) {
      const facts = { redis: this.name, reason: this.#main.reason }
      if (clock.monotonicMs() >= endMs) throw new ZonewiseError('REDIS_UNAVAILABLE', 'Redis cannot be reached', facts)
    }
  }

  call(_key: string, command: string, args: readonly RedisArgument[]): Promise<RedisReply> {
    return this.#main.call(command, args)
  }

  run(script: RedisScript, key: string, args: readonly RedisArgument[]): Promise<RedisReply> {
    return this.#main.run(script, key, args)
  }

  blocking(_key: string, blockMs: number): RedisChannel {
    const connection = this.#parts.dialBlocking(this.#target, this.name, blockMs)
    this.#blocking.push(connection)
    return connection
  }

  async primaries(): Promise<readonly RedisPrimary[]> {
    return [{ name: this.name, channel: this.#main }]
  }

  traffic(): RedisTraffic {
    return sumOfTraffic([this.#main, ...this.#blocking].map(({ traffic }) => traffic))
  }

  async close(): Promise<void> {
    for (const connection of [this.#main, ...this.#blocking]) connection.close()
  }
}

/** A first try and one more. */
function readyMsOf({ redisConnectTimeoutMs, redisRetryMaxMs }: RedisSettings): number {
  return 2 * redisConnectTimeoutMs + redisRetryMaxMs
}

function targetOf(address: RedisAddress): Target {
  const { kind, credentials: { user, password }, endpoints, sentinelCredentials, sentinelName, database } = address
  const tls = address.tls ? { ca: certificatesOf(address.caFile) } : undefined
  return {
    ...(kind === 'single' ? endpoints[0]! : {}),
    ...(kind === 'sentinel' ? { sentinels: [...endpoints], name: sentinelName! } : {}),
    ...(password === null ? {} : { password, ...(user === null ? {} : { username: user }) }),
    ...(sentinelCredentials.password === null ? {} : { sentinelPassword: sentinelCredentials.password }),
    ...(sentinelCredentials.user === null ? {} : { sentinelUsername: sentinelCredentials.user }),
    ...(tls === undefined ? {} : { tls }),
    ...(tls === undefined || kind !== 'sentinel' ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    db: database
  }
}

/** The file's beside those that the system trusts. */
function certificatesOf(caFile: string | null): string[] {
  if (caFile === null) return [...rootCertificates]
  try {
    return [...rootCertificates, readFileSync(caFile, 'utf8')]
  } catch (cause) {
    throw new ZonewiseError('SETTING_INVALID', 'the certificates for Redis cannot be read', { file: caFile }, cause)
  }
}
