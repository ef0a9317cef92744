/**
 * What the registry does in Redis in one atomic step, as Lua. The key is the hash of entries (`<nodeEpoch> <content>` by
 * node id); the others are named after it, and share its hash slot. Every script first lets go of what ran out. The
 * version begins at Redis's clock, so that it does not go back if Redis loses all. A full Redis refuses the first write of
 * a script that may take memory, and none behind a write: each begins with one that takes none, so that leases, which are
 * small and as many as there are nodes, are held also then.
 */
import { redisScript } from '../journal/redis-scripts.ts'

/** First field of what a renewal answers, where it is no version. */
export const RENEWAL = { superseded: -1, unknown: -2 } as const

const HEAD = `
local expiries, vitals, counter = KEYS[1] .. ':expiries', KEYS[1] .. ':vitals', KEYS[1] .. ':version'
redis.call('HDEL', vitals, '')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local changed = false
local function gone(id)
  redis.call('ZREM', expiries, id)
  redis.call('HDEL', KEYS[1], id)
  redis.call('HDEL', vitals, id)
  changed = true
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', expiries, '-inf', now)) do gone(id) end
local function epochOf(id)
  local held = redis.call('HGET', KEYS[1], id)
  return held and tonumber(string.match(held, '^%d+')) or nil
end
local function version()
  if not changed then
    local known = redis.call('GET', counter)
    if known then return tonumber(known) end
  end
  redis.call('SET', counter, now, 'NX')
  local next = redis.call('INCR', counter)
  redis.call('XADD', KEYS[1] .. ':changes', 'MAXLEN', 1, '*', 'v', next)
  return next
end
`

/** Arguments: nodeId, nodeEpoch, ttlMs, known version, vitals, content ('': as before). */
export const RENEW_SCRIPT = redisScript('renew', `${HEAD}
local id, epoch, content = ARGV[1], tonumber(ARGV[2]), ARGV[6]
local held = epochOf(id)
if held and held > epoch then return {${RENEWAL.superseded}, held} end
if content == '' then
  if held ~= epoch then return {${RENEWAL.unknown}} end
else
  local entry = ARGV[2] .. ' ' .. content
  if redis.call('HGET', KEYS[1], id) ~= entry then
    redis.call('HSET', KEYS[1], id, entry)
    changed = true
  end
end
redis.call('ZADD', expiries, now + ARGV[3], id)
redis.call('HSET', vitals, id, ARGV[5])
local current = version()
if current == tonumber(ARGV[4]) then return {current} end
return {current, redis.call('HGETALL', KEYS[1])}
`)

/** Arguments: nodeId, nodeEpoch. */
export const REMOVE_SCRIPT = redisScript('remove', `${HEAD}
local held = epochOf(ARGV[1])
if held and held <= tonumber(ARGV[2]) then gone(ARGV[1]) end
return {version()}
`)

/** Argument: nodeId. Answers nodeEpoch and ms until it runs out, or nothing. */
export const HOLDER_SCRIPT = redisScript('holder', `${HEAD}
local held = epochOf(ARGV[1])
version()
if not held then return {} end
return {held, math.ceil(redis.call('ZSCORE', expiries, ARGV[1]) - now)}
`)

/** Answers version, entries and vitals. */
export const READ_SCRIPT = redisScript('read', `${HEAD}
local current = version()
return {current, redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', vitals)}
`)
