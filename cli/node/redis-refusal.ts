/** A Redis that answers and does not accept the credentials, or is not trusted: that does not pass by itself. */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { RedisAddress } from '#shared/journal/redis-address.ts'

const REFUSED = /WRONGPASS|NOAUTH|NOPERM|invalid username|invalid password|without any password/i

const UNTRUSTED = /certificate/i
const CURE = 'name who signed it with ca=FILE in --journal, or correct the host there'

/** The error in words of its own where it is about credentials or certificates; else as it is. */
export function aboutRefusal(error: unknown, { credentials: { user, password } }: RedisAddress): unknown {
  if (!(error instanceof ZonewiseError) || error.code !== 'REDIS_UNAVAILABLE') return error
  const { redis, reason } = error.context
  if (UNTRUSTED.test(String(reason))) {
    const context = { redis, reason, cure: CURE }
    return new ZonewiseError('REDIS_REFUSED', 'the certificate of Redis is not trusted', context, error)
  }
  if (!REFUSED.test(String(reason))) return error
  const given = password === null ? 'none' : user === null ? 'of the default user' : `of user ${user}`
  return new ZonewiseError('REDIS_REFUSED', 'Redis does not accept the credentials', { redis, given, reason }, error)
}
