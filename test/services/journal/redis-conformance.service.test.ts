/** The contract of journals on real Redis servers: one primary, a user of its own over TLS, a Redis Cluster, Sentinels. */
import { before } from 'node:test'
import { journalSuite } from '#test/conformance/journal/journal-suite.ts'
import { startRedis, underTest, urlOf } from '../tool/redis-journals.ts'
import { operatorOf, startRedisCluster, startSentinels, startTlsRedis } from '../tool/redis-topologies.ts'

const urls = { single: '', user: '', cluster: '', sentinel: '' }

before(async () => {
  const single = await startRedis()
  urls.single = urlOf(single)
  // The permissions that docs/redis.md names, and no more.
  await (await operatorOf(single))('ACL', 'SETUSER', 'zonewise', 'on', '>pass:word@1', '~u*', '-@all', '+@read', '+@write', '+@scripting', '+info', '+select')
  urls.user = `redis://zonewise:${encodeURIComponent('pass:word@1')}@${single.host}:${single.port}/3`
  urls.cluster = (await startRedisCluster()).url
  urls.sentinel = (await startSentinels({ withReplica: false })).url
})

const { url: tlsUrl, caFile } = await startTlsRedis()

journalSuite(underTest('redis', () => urls.single))
journalSuite(underTest('redis, a user with few permissions, database 3', () => urls.user, 'u'))
journalSuite(underTest('redis over TLS', () => `${tlsUrl}?ca=${caFile}`))
journalSuite(underTest('redis cluster of three', () => urls.cluster))
journalSuite(underTest('redis behind a sentinel', () => urls.sentinel))
