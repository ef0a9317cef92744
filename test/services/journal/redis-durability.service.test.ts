/** Goal: a real Redis that could lose what it acknowledged is recognised by what it says of itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRedisDurability } from '#shared/journal/redis-durability.ts'
import type { DeclaredDurability } from '#shared/journal/redis-durability-plan.ts'
import { connect, startRedis, urlOf } from '../tool/redis-journals.ts'
import { operatorOf, replicaFollows, startRedisCluster, startSentinels } from '../tool/redis-topologies.ts'

const BOUNDED = { maxmemory: '1gb' }

async function found(url: string, declared: DeclaredDurability = 'checked'): Promise<string[]> {
  const { redis } = connect(url)
  return (await checkRedisDurability(redis, declared)).map(({ kind, setting }) => `${kind} ${setting}`)
}

test('redis durability: the server that infra/local starts keeps what it acknowledges', async () => {
  const server = await startRedis({ config: BOUNDED })
  assert.deepEqual(await found(urlOf(server)), [])
  assert.deepEqual(await found(urlOf(await startRedis())), ['advise maxmemory'])
})

test('redis durability: settings of a real server are read', async () => {
  for (const [config, findings] of [
    [{ appendonly: 'no' }, ['refuse appendonly']],
    [{ appendfsync: 'everysec' }, ['refuse appendfsync']],
    [{ 'no-appendfsync-on-rewrite': 'yes' }, ['refuse no-appendfsync-on-rewrite']],
    [{ 'maxmemory-policy': 'allkeys-lru' }, ['refuse maxmemory-policy']]
  ] as const) assert.deepEqual(await found(urlOf(await startRedis({ config: { ...BOUNDED, ...config } }))), findings)
})

test('redis durability: a replica is refused; its primary only with somebody who would promote it', async () => {
  const primary = await startRedis({ config: BOUNDED })
  const replica = await startRedis({ config: { ...BOUNDED, replicaof: `${primary.host} ${primary.port}` } })
  await replicaFollows(await operatorOf(primary))
  assert.deepEqual(await found(urlOf(replica)), ['refuse role'])
  assert.deepEqual(await found(urlOf(primary)), [])
  const watched = await startSentinels({ withReplica: true })
  await (await operatorOf(watched.primary))('CONFIG', 'SET', 'maxmemory', '1gb')
  assert.deepEqual(await found(urlOf(watched.primary)), ['refuse failover'])
  assert.deepEqual(await found(watched.url), ['refuse failover'])
  assert.deepEqual(await found(watched.url, 'managed'), [])
})

test('redis durability: every primary of a Redis Cluster is asked', async () => {
  const cluster = await startRedisCluster()
  for (const operator of cluster.operators) await operator('CONFIG', 'SET', 'maxmemory', '1gb')
  assert.deepEqual(await found(cluster.url), [])
  await cluster.operators[1]!('CONFIG', 'SET', 'appendfsync', 'everysec')
  assert.deepEqual(await found(cluster.url), ['refuse appendfsync'])
})

test('redis durability: a user who may not ask is told to declare', async () => {
  const server = await startRedis({ config: BOUNDED })
  const operator = await operatorOf(server)
  await operator('ACL', 'SETUSER', 'zonewise', 'on', '>pw', '~*', '-@all', '+@read', '+@write', '+@scripting', '+info')
  const url = `redis://zonewise:pw@${server.host}:${server.port}`
  assert.deepEqual(await found(url), ['refuse CONFIG'])
  assert.deepEqual(await found(url, 'managed'), [])
  await operator('CONFIG', 'SET', 'maxmemory-policy', 'volatile-lru')
  assert.deepEqual(await found(url, 'managed'), ['refuse maxmemory-policy'])
})
