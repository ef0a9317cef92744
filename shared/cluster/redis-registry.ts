/**
 * Registry in Redis: a hash of entries, a sorted set of the times they run out (Redis's own clock), a hash of vitals and a
 * version, all under one key tag. One short script a renewal; a renewal without news carries no entry and gets none back,
 * so that an idle node costs about a hundred bytes a second. Changes are published as hints.
 * Redis may lose all of it: whoever renews announces itself again.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { NodeEntry, Registry, RegistryState, Renewal, RenewOptions, Vitals } from './registry.ts'

/** What the registry needs of a Redis client. Replies: integers as numbers, strings as text, arrays, null. */
export type RegistryRedis = {
  /** Runs a script by its text, cached by the server. @throws what the client throws */
  script(text: string, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>
  /** Calls `fn` for each message; subscribes again after a reconnect. Returns the way to stop. */
  subscribe(channel: string, fn: () => void): () => void
}

// KEYS: entries, expiries, vitals, version. ARGV: channel, then nodeId, nodeEpoch, ttlMs, knownVersion, vitals and content
// ('': as before), as many as a script needs. The version begins at Redis's clock: it does not go back if Redis loses all.
const HEAD = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local changed = false
local function gone(id)
  redis.call('ZREM', KEYS[2], id)
  redis.call('HDEL', KEYS[1], id)
  redis.call('HDEL', KEYS[3], id)
  changed = true
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do gone(id) end
local function epochOf(id)
  local held = redis.call('HGET', KEYS[1], id)
  return held and tonumber(string.match(held, '^%d+')) or nil
end
local function version()
  if not changed then
    local known = redis.call('GET', KEYS[4])
    if known then return tonumber(known) end
  end
  redis.call('SET', KEYS[4], now, 'NX')
  local next = redis.call('INCR', KEYS[4])
  redis.call('PUBLISH', ARGV[1], next)
  return next
end
`
const RENEW = `${HEAD}
local id, epoch, content = ARGV[2], tonumber(ARGV[3]), ARGV[7]
local held = epochOf(id)
if held and held > epoch then return {-1, held} end
if content == '' then
  if held ~= epoch then return {-2, version()} end
else
  local entry = ARGV[3] .. ' ' .. content
  if redis.call('HGET', KEYS[1], id) ~= entry then
    redis.call('HSET', KEYS[1], id, entry)
    changed = true
  end
end
redis.call('ZADD', KEYS[2], now + ARGV[4], id)
redis.call('HSET', KEYS[3], id, ARGV[6])
local current = version()
if current == tonumber(ARGV[5]) then return {current} end
return {current, redis.call('HGETALL', KEYS[1])}
`
const REMOVE = `${HEAD}
local held = epochOf(ARGV[2])
if held and held <= tonumber(ARGV[3]) then gone(ARGV[2]) end
return {version()}
`
const HOLDER = `${HEAD}
local held = epochOf(ARGV[2])
version()
if not held then return {} end
return {held, redis.call('ZSCORE', KEYS[2], ARGV[2]) - now}
`
const READ = `${HEAD}
local current = version()
return {current, redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[3])}
`
const SUPERSEDED = -1
const UNKNOWN_HERE = -2

export class RedisRegistry implements Registry {
  readonly #redis: RegistryRedis
  readonly #keys: readonly string[]
  readonly #channel: string
  #known: NodeEntry | null = null // what Redis holds of this node, as far as it said

  /** @param prefix with a key tag, so that all keys are in one slot */
  constructor(redis: RegistryRedis, prefix: string) {
    this.#redis = redis
    this.#keys = ['nodes', 'expiries', 'vitals', 'version'].map((name) => `${prefix}registry:${name}`)
    this.#channel = `${prefix}registry:changes`
  }

  async renew(own: NodeEntry, options: RenewOptions): Promise<Renewal> {
    const isKnown = this.#known?.content === own.content && this.#known.nodeEpoch === own.nodeEpoch
    const reply = await this.#renew(own, isKnown ? '' : own.content, options)
    const [first, second] = reply
    if (first === UNKNOWN_HERE) { // Redis lost it, or it ran out
      this.#known = null
      return this.renew(own, options)
    }
    if (first === SUPERSEDED) return { kind: 'superseded', nodeEpoch: Number(second) }
    this.#known = own
    const version = Number(first)
    return { kind: 'renewed', version, state: second === undefined ? null : { version, entries: toEntries(second) } }
  }

  async remove(nodeId: number, nodeEpoch: number): Promise<void> {
    this.#known = null
    await this.#call(REMOVE, [nodeId, nodeEpoch])
  }

  async holder(nodeId: number): Promise<{ nodeEpoch: number; expiresInMs: number } | null> {
    const [nodeEpoch, expiresInMs] = await this.#call(HOLDER, [nodeId])
    return nodeEpoch === undefined ? null : { nodeEpoch: Number(nodeEpoch), expiresInMs: Number(expiresInMs) }
  }

  async read(): Promise<RegistryState & { readonly vitals: ReadonlyMap<number, Vitals> }> {
    const [version, entries, vitals] = await this.#call(READ, [])
    return { version: Number(version), entries: toEntries(entries), vitals: new Map(toPairs(vitals).map(([id, text]) => [id, toVitals(text)])) }
  }

  onChange(fn: () => void): () => void {
    return this.#redis.subscribe(this.#channel, fn)
  }

  #renew({ nodeId, nodeEpoch }: NodeEntry, content: string, { knownVersion, ttlMs, vitals }: RenewOptions): Promise<unknown[]> {
    return this.#call(RENEW, [nodeId, nodeEpoch, ttlMs, knownVersion, `${vitals.clockMs} ${vitals.load}`, content])
  }

  async #call(script: string, args: readonly (string | number)[]): Promise<unknown[]> {
    try {
      return await this.#redis.script(script, this.#keys, [this.#channel, ...args]) as unknown[]
    } catch (error) {
      throw new ZonewiseError('REGISTRY_UNAVAILABLE', 'the registry does not answer', {}, error)
    }
  }
}

function toPairs(reply: unknown): [number, string][] {
  const flat = reply as string[]
  return Array.from({ length: flat.length / 2 }, (_, i) => [Number(flat[2 * i]), flat[2 * i + 1]!])
}

function toEntries(reply: unknown): NodeEntry[] {
  return toPairs(reply).map(([nodeId, text]) => {
    const space = text.indexOf(' ')
    return { nodeId, nodeEpoch: Number(text.slice(0, space)), content: text.slice(space + 1) }
  }).sort((a, b) => a.nodeId - b.nodeId)
}

function toVitals(text: string): Vitals {
  const [clockMs, load] = text.split(' ').map(Number)
  return { clockMs: clockMs ?? 0, load: load ?? 0 }
}
