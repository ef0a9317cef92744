/**
 * What Redis does in one atomic step, as Lua. Those of a shard have its stream as their key and answer nothing (nil)
 * where it is missing: none ever makes one. Ids go in and out as text, because Lua prints numbers inexactly.
 * Source: https://redis.io/docs/latest/develop/programmability/lua-api/ (libraries bit and struct).
 */
import { createHash } from 'node:crypto'
import type { RedisScript } from '../runtime/redis.ts'
import { REDIS_ENTRY } from './redis-entry.ts'

const { field, headerBytes, formatVersion } = REDIS_ENTRY

const LAST = `
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not last then return false end
local function pair(id)
  local epoch, seq = string.match(id, '^(%d+)-(%d+)$')
  if epoch == '0' then seq = '0' end
  return tonumber(epoch), tonumber(seq)
end
local function isBelow(epoch, seq, otherEpoch, otherSeq)
  return epoch < otherEpoch or (epoch == otherEpoch and seq < otherSeq)
end
`

/**
 * Compare-and-append. Arguments: id of the predecessor, id, value.
 * Answers 1 if the entry is there now, also if it was before with the same bytes, else {id, header} of the last entry.
 */
export const APPEND_SCRIPT = redisScript('append', `
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not last then return false end
if last[1] == ARGV[1] then
  redis.call('XADD', KEYS[1], 'NOMKSTREAM', ARGV[2], '${field}', ARGV[3])
  return 1
end
local held = last
if last[1] ~= ARGV[2] then held = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1] end
if held and held[2][2] == ARGV[3] then return 1 end
return {last[1], string.sub(last[2][2], 1, ${headerBytes})}
`)

/**
 * Takes over. Arguments: epoch, nonce, id of the newest entry the caller knows.
 * Answers {id, header} of the entry that was last, and 1 if epoch-0 now follows it; nothing was added (0) if the epoch
 * is not above the last one, or if the last entry is below the known one. A full Redis takes it: the deletion of what
 * never is takes no memory, and behind a write it refuses none. Who leads can trim.
 */
export const LEAD_SCRIPT = redisScript('lead', `${LAST}
redis.call('XDEL', KEYS[1], '0-0')
local epoch, seq = pair(last[1])
local knownEpoch, knownSeq = pair(ARGV[3])
local header = string.sub(last[2][2], 1, ${headerBytes})
if epoch >= tonumber(ARGV[1]) or isBelow(epoch, seq, knownEpoch, knownSeq) then return {last[1], header, 0} end
local function crc32c(bytes, crc)
  crc = bit.bnot(crc)
  for at = 1, #bytes do
    crc = bit.bxor(crc, string.byte(bytes, at))
    for _ = 1, 8 do
      local low = bit.band(crc, 1)
      crc = bit.rshift(crc, 1)
      if low == 1 then crc = bit.bxor(crc, 0x82f63b78) end
    end
  end
  return bit.bnot(crc)
end
local afterCrc = struct.unpack('>I4', header, 6)
local crc = crc32c(ARGV[2], crc32c(struct.pack('>I4I8I8', afterCrc, tonumber(ARGV[1]), 0), 0))
local value = struct.pack('>I1I4I4', ${formatVersion}, afterCrc, crc) .. ARGV[2] .. struct.pack('>I8I8', epoch, seq)
redis.call('XADD', KEYS[1], 'NOMKSTREAM', ARGV[1] .. '-0', '${field}', value)
return {last[1], header, 1}
`)

/**
 * {id, header} of the last entry. The deletion of what never is changes nothing, but makes this a write: a replica,
 * which may lag, refuses it, and so does a primary that may not write.
 */
export const END_SCRIPT = redisScript('end', `
redis.call('XDEL', KEYS[1], '0-0')
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not last then return false end
return {last[1], string.sub(last[2][2], 1, ${headerBytes})}
`)

/**
 * Lets go of entries. Arguments: epoch of the caller, id that stays (the last entry stays anyway), how many at most; 0:
 * all, to the entry. Answers how many went: none where the caller's epoch is not the newest.
 */
export const TRIM_SCRIPT = redisScript('trim', `${LAST}
local epoch, seq = pair(last[1])
if epoch ~= tonumber(ARGV[1]) then return 0 end
local from = ARGV[2]
local fromEpoch, fromSeq = pair(from)
if isBelow(epoch, seq, fromEpoch, fromSeq) then from = last[1] end
if ARGV[3] == '0' then return redis.call('XTRIM', KEYS[1], 'MINID', '=', from) end
return redis.call('XTRIM', KEYS[1], 'MINID', '~', from, 'LIMIT', ARGV[3])
`)

/**
 * Describes a new journal. Its one key is the hash beside the streams; arguments: format, slot groups.
 * Answers {format, slot groups} as they are now: an old description stays.
 */
export const DESCRIBE_SCRIPT = redisScript('describe', `
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('HSET', KEYS[1], 'format', ARGV[1], 'slotGroups', ARGV[2]) end
return redis.call('HMGET', KEYS[1], 'format', 'slotGroups')
`)

/** A script and the digest that servers know it by. */
export function redisScript(name: string, lua: string): RedisScript {
  const text = lua.trim()
  return { name, lua: text, sha1: createHash('sha1').update(text).digest('hex') }
}
