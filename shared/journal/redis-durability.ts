/**
 * Whether a Redis keeps what it acknowledges: asked at the start of a node and by `zonewise doctor`. It says what it is
 * configured for at this moment; nobody can ask a disk whether it lies.
 */
import { type Redis, type RedisPrimary, RedisRefusal, type RedisReply } from '../runtime/redis.ts'
import { type DeclaredDurability, type DurabilityFinding, judgeRedis, type RedisFacts } from './redis-durability-plan.ts'
import { textOf } from './redis-replies.ts'

/** Sentinels follow this channel of every server they watch. */
const SENTINEL_CHANNEL = '__sentinel__:hello'

/**
 * Asks every primary. No finding: it may keep journals.
 * @throws ZonewiseError REDIS_UNAVAILABLE
 */
export async function checkRedisDurability(redis: Redis, declared: DeclaredDurability): Promise<DurabilityFinding[]> {
  await redis.ready()
  const facts = await Promise.all((await redis.primaries()).map(factsOf))
  return facts.flatMap((one) => judgeRedis(one, declared))
}

/** What a server says of itself. @throws ZonewiseError REDIS_UNAVAILABLE */
export async function factsOf({ name, channel }: RedisPrimary): Promise<RedisFacts> {
  const info = infoOf(await channel.call('INFO', []))
  const configOf = async (setting: string): Promise<string | null> =>
    secondOf(await channel.call('CONFIG', ['GET', setting]))
  const logStatus = info.get('aof_last_write_status')
  return {
    server: name,
    // Valkey says in redis_version which Redis it is like.
    version: info.get('redis_version') ?? null,
    role: info.get('role') ?? null,
    replicaCount: Number(info.get('connected_slaves') ?? 0),
    isCluster: info.get('cluster_enabled') === '1',
    sentinelCount: Number(secondOf(await channel.call('PUBSUB', ['NUMSUB', SENTINEL_CHANNEL])) ?? 0),
    isLogWritten: logStatus === undefined ? null : logStatus === 'ok',
    memoryMax: info.has('maxmemory') ? Number(info.get('maxmemory')) : null,
    evictionPolicy: info.get('maxmemory_policy') ?? null,
    appendOnly: await configOf('appendonly'),
    appendFsync: await configOf('appendfsync'),
    noFsyncOnRewrite: await configOf('no-appendfsync-on-rewrite')
  }
}

/** The fields of INFO; none where it is refused. */
function infoOf(reply: RedisReply): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  if (reply instanceof RedisRefusal) return fields
  for (const line of textOf(reply).split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}

/** The value of the first pair of a list; null where the call is refused or there is none. */
function secondOf(reply: RedisReply): string | null {
  const value = Array.isArray(reply) ? (reply as readonly RedisReply[])[1] : undefined
  if (value instanceof Uint8Array) return new TextDecoder().decode(value)
  return typeof value === 'number' ? String(value) : null
}
