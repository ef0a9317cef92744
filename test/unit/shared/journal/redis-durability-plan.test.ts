import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DeclaredDurability, judgeRedis, type RedisFacts } from '#shared/journal/redis-durability-plan.ts'

const GOOD: RedisFacts = {
  server: 'redis.example:6379', version: '7.0.15', role: 'master', replicaCount: 0, isCluster: false, sentinelCount: 0, isLogWritten: true,
  memoryMax: 2 ** 30, evictionPolicy: 'noeviction', appendOnly: 'yes', appendFsync: 'always', noFsyncOnRewrite: 'no'
}

const judged = (facts: Partial<RedisFacts>, declared: DeclaredDurability = 'checked'): string[] =>
  judgeRedis({ ...GOOD, ...facts }, declared).map(({ kind, setting }) => `${kind} ${setting}`)

test('redis-durability: a Redis that keeps what it acknowledges is not found fault with', () => {
  assert.deepEqual(judged({}), [])
  assert.deepEqual(judged({ version: '6.2.0' }), [])
  assert.deepEqual(judged({ version: '10.1.0' }), [])
  assert.deepEqual(judged({ replicaCount: 2 }), []) // replicas that nobody promotes are fine
  assert.deepEqual(judged({ sentinelCount: 3 }), [])
})

test('redis-durability: each way to lose what was acknowledged is refused', () => {
  assert.deepEqual(judged({ version: '6.0.16' }), ['refuse version'])
  assert.deepEqual(judged({ version: '5.0.7' }), ['refuse version'])
  assert.deepEqual(judged({ version: null }), ['refuse INFO'])
  assert.deepEqual(judged({ role: 'slave' }), ['refuse role'])
  assert.deepEqual(judged({ evictionPolicy: 'allkeys-lru' }), ['refuse maxmemory-policy'])
  assert.deepEqual(judged({ evictionPolicy: 'volatile-ttl' }), ['refuse maxmemory-policy']) // leases have a time to live
  assert.deepEqual(judged({ appendOnly: 'no', appendFsync: 'everysec' }), ['refuse appendonly'])
  assert.deepEqual(judged({ appendFsync: 'everysec' }), ['refuse appendfsync'])
  assert.deepEqual(judged({ appendFsync: 'no', noFsyncOnRewrite: 'yes' }), ['refuse appendfsync', 'refuse no-appendfsync-on-rewrite'])
  assert.deepEqual(judged({ isLogWritten: false }), ['refuse aof_last_write_status'])
  assert.deepEqual(judged({ replicaCount: 1, sentinelCount: 1 }), ['refuse failover'])
  assert.deepEqual(judged({ replicaCount: 1, isCluster: true }), ['refuse failover'])
})

test('redis-durability: memory without a bound is advised against, not refused', () => {
  assert.deepEqual(judged({ memoryMax: 0 }), ['advise maxmemory'])
  assert.deepEqual(judged({ memoryMax: null }), [])
})

test('redis-durability: what a managed service does not say, its operator does', () => {
  const silent = { appendOnly: null, appendFsync: null, noFsyncOnRewrite: null, isLogWritten: null }
  assert.deepEqual(judged(silent), ['refuse CONFIG'])
  assert.deepEqual(judged(silent, 'managed'), [])
  assert.deepEqual(judged({ ...silent, replicaCount: 2, isCluster: true }, 'managed'), [])
  assert.deepEqual(judged({ ...silent, role: 'slave', evictionPolicy: 'volatile-lru' }, 'managed'), ['refuse role', 'refuse maxmemory-policy'])
})

test('redis-durability: each finding is one sentence that names server, cause and cure', () => {
  const bad: RedisFacts = {
    ...GOOD, version: '6.0.9', role: 'slave', replicaCount: 1, sentinelCount: 3, memoryMax: 0, evictionPolicy: 'allkeys-lfu', appendFsync: 'everysec',
    noFsyncOnRewrite: 'yes', isLogWritten: false
  }
  const findings = judgeRedis(bad, 'checked')
  assert.equal(findings.length, 8)
  for (const { sentence } of findings) assert.match(sentence, /^redis\.example:6379 [a-z].+: [a-z].+\.$/)
  assert.equal(findings.find(({ setting }) => setting === 'appendfsync')!.sentence, 'redis.example:6379 acknowledges before its log is on the disk ' +
    '(appendfsync everysec), so a crash of the machine loses the last two seconds of acknowledged records: set appendfsync always.')
})
