import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { isRedisAddress, parseRedisAddress, redisName } from '#shared/journal/redis-address.ts'

const NOBODY = { user: null, password: null }
const PLAIN = {
  kind: 'single', tls: false, caFile: null, endpoints: [{ host: 'h', port: 6_379 }], credentials: NOBODY, sentinelName: null,
  sentinelCredentials: NOBODY, database: 0, prefix: 'zonewise', slotGroups: 1
}

test('redis-address: one primary', () => {
  assert.deepEqual(parseRedisAddress('redis://h'), PLAIN)
  assert.deepEqual(parseRedisAddress('redis://h/'), PLAIN)
  assert.deepEqual(parseRedisAddress('redis://h:7000/3?prefix=zw.1:a-b_c&slotGroups=4'),
    { ...PLAIN, endpoints: [{ host: 'h', port: 7_000 }], database: 3, prefix: 'zw.1:a-b_c', slotGroups: 4 })
  assert.deepEqual(parseRedisAddress('redis://[::1]:7000').endpoints, [{ host: '::1', port: 7_000 }])
  assert.deepEqual(parseRedisAddress('rediss://h?ca=/etc/ssl/own.pem'), { ...PLAIN, tls: true, caFile: '/etc/ssl/own.pem' })
})

test('redis-address: credentials are decoded, the user may be the default one', () => {
  const of = (text: string): unknown => parseRedisAddress(text).credentials
  assert.deepEqual(of('redis://:p%40ss%3Aw%2Frd@h'), { user: null, password: 'p@ss:w/rd' })
  assert.deepEqual(of('redis://zone%20wise:secret@h'), { user: 'zone wise', password: 'secret' })
  assert.deepEqual(of('redis://u:a:b@h'), { user: 'u', password: 'a:b' })
  assert.deepEqual(of('redis://u:@h'), { user: 'u', password: '' })
})

test('redis-address: a Redis Cluster, and Sentinels', () => {
  const cluster = parseRedisAddress('rediss+cluster://u:p@a,b:7001,[fe80::2]:7002')
  assert.deepEqual([cluster.kind, cluster.tls, cluster.slotGroups], ['cluster', true, 16])
  assert.deepEqual(cluster.endpoints, [{ host: 'a', port: 6_379 }, { host: 'b', port: 7_001 }, { host: 'fe80::2', port: 7_002 }])
  const sentinel = parseRedisAddress('redis+sentinel://:p@s1,s2:1/main/2?sentinelUser=w&sentinelPassword=q%26')
  assert.deepEqual([sentinel.kind, sentinel.sentinelName, sentinel.database, sentinel.sentinelCredentials], ['sentinel', 'main', 2, { user: 'w', password: 'q&' }])
  assert.deepEqual(sentinel.endpoints, [{ host: 's1', port: 26_379 }, { host: 's2', port: 1 }])
})

test('redis-address: the name of log lines holds no secret', () => {
  for (const [text, name] of [
    ['redis://u:hunter2@h/3?prefix=x', 'redis://h:6379/3'],
    ['rediss+cluster://:hunter2@a,[::1]:7', 'rediss+cluster://a:6379,[::1]:7'],
    ['redis+sentinel://u:hunter2@s/main?sentinelPassword=hunter2', 'redis+sentinel://s:26379/main']
  ] as const) assert.equal(redisName(parseRedisAddress(text)), name)
})

test('redis-address: what cannot be used is refused in a sentence without secrets', () => {
  for (const [text, why] of [
    ['http://h', /none of redis:\/\//], ['redis+tls://h', /none of redis:\/\//], ['redis:h', /none of redis:\/\//], ['redis://', /host is missing/],
    ['redis://:hunter2@', /host is missing/], ['redis://h:0', /port is not/], ['redis://h:65536', /port is not/], ['redis://h:x', /no host/],
    ['redis://a,b', /names one host/], ['redis+cluster://a,,b', /host is missing/], ['redis+cluster://a/1', /database 0 only/],
    ['redis://h/x', /database is not/], ['redis://h/1/2', /too much/], ['redis://hunter2@h', /user without a password/], ['redis://u:%zz@h', /hexadecimal/],
    ['redis+sentinel://s', /name of the primary is missing/], ['redis+sentinel://s/main/x', /database is not/], ['redis://h?prefix={x}', /a prefix is/],
    ['redis://h?prefix=', /a prefix is/], ['redis://h?slotGroups=0', /slotGroups is not/], ['redis://h?slots=4', /no parameter slots/],
    ['redis://h?ca=/x.pem', /rediss only/], ['redis://u:hunter2@a@b', /none of redis|no host/]
  ] as const) {
    assert.throws(() => parseRedisAddress(text), (error: unknown) => {
      assert.ok(error instanceof ZonewiseError)
      assert.equal(error.code, 'SETTING_INVALID')
      assert.match(String(error.context['why']), why, text)
      assert.ok(!JSON.stringify([error.message, error.context]).includes('hunter2'), text)
      return true
    })
  }
})

test('redis-address: addresses of Redis are told from folders', () => {
  for (const text of ['redis://h', 'rediss://h', 'redis+cluster://h', 'rediss+sentinel://h/m', 'redis+odd://h']) assert.ok(isRedisAddress(text), text)
  for (const text of ['file:/redis://x', 'memory:', 'redis', 'redis:h', 'https://redis']) assert.ok(!isRedisAddress(text), text)
})
