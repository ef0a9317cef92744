/**
 * Goal: what keeps a node out of a cluster is one sentence, of `zonewise doctor` and of the start alike: an unsafe
 * Redis, wrong credentials, another cluster's data, another secret. Method: a cluster of two, and a third that does not
 * fit.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { join } from 'node:path'
import type { Finding } from '#cli/doctor/finding.ts'
import { RedisServer } from '#infra/local/redis-server.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { zonewise } from '#test/support/zonewise-process.ts'
import { NodeCluster } from '../tool/node-cluster.ts'

const QUICK = ['--redis-connect-timeout-ms', '300', '--redis-retry-max-ms', '200', '--http', '127.0.0.1:0']
const SECRET = 'a secret that only nodes know'

let cluster: NodeCluster
const others: RedisServer[] = []
before(async () => { cluster = await NodeCluster.start(['az1', 'az2'], ['--rpc-secret', SECRET]) })
after(async () => {
  for (const redis of others) await redis.kill()
  await cluster.end()
})

async function otherRedis(config: Readonly<Record<string, string>> = {}): Promise<RedisServer> {
  const redis = await RedisServer.start({ folder: join(temporaryFolder(), 'redis'), config })
  others.push(redis)
  return redis
}

type Given = { readonly redis?: string; readonly store?: string; readonly secret?: string; readonly nodeId?: number }

function flagsOf({ redis, store, secret = SECRET, nodeId = 3 }: Given): string[] {
  return [
    '--node-id', String(nodeId), '--listener', 'zone=az3,port=0', '--rpc-secret', secret, ...QUICK,
    '--journal', redis ?? `redis://127.0.0.1:${cluster.redis.port}`, '--store', `file:${store ?? cluster.store}`
  ]
}

async function failures(given: Given): Promise<readonly Finding[]> {
  const { code, stdout, stderr } = await zonewise(['doctor', ...flagsOf(given), '--json'])
  const { findings } = JSON.parse(stdout.toString()) as { readonly findings: readonly Finding[] }
  const failed = findings.filter(({ state }) => state === 'fail')
  assert.equal(code, failed.length === 0 ? 0 : 1, stderr)
  return failed
}

/** The one sentence that a start ends with. */
async function refusal(given: Given): Promise<string> {
  const { code, stderr } = await zonewise(['start', '--data', temporaryFolder(), ...flagsOf(given)])
  assert.equal(code, 1, stderr)
  const sentences = stderr.split('\n').filter((line) => line.startsWith('zonewise: '))
  assert.equal(sentences.length, 1, stderr)
  return sentences[0]!
}

test('doctor: a node that fits, and one that runs already', async () => {
  assert.deepEqual(await failures({}), [])
  assert.deepEqual(await failures({ nodeId: 1 }), [])
})

test('doctor: a Redis that may lose what it acknowledged is refused, by the start too', async () => {
  const redis = await otherRedis({ appendfsync: 'everysec', 'maxmemory-policy': 'allkeys-lru' })
  const address = `redis://127.0.0.1:${redis.port}`
  const failed = await failures({ redis: address, store: temporaryFolder() })
  assert.deepEqual(failed.map(({ check }) => check), ['redis', 'redis'])
  assert.match(failed[0]!.found, /drops keys when its memory is full/)
  assert.match(failed[1]!.cure, /set appendfsync always/)
  assert.match(await refusal({ redis: address, store: temporaryFolder() }), /drops keys when its memory is full/)
})

test('doctor: wrong credentials of Redis are named, by the start too', async () => {
  const redis = await otherRedis({ requirepass: 'right' })
  const [failed] = await failures({ redis: `redis://:wrong@127.0.0.1:${redis.port}`, store: temporaryFolder() })
  assert.match(failed!.found, /does not accept the credentials/)
  assert.match(failed!.cure, /user and password in --journal/)
  const none = { redis: `redis://127.0.0.1:${redis.port}`, store: temporaryFolder() }
  assert.match((await failures(none))[0]!.found, /does not accept the credentials \(.*given none/)
  assert.match(await refusal(none), /Redis does not accept the credentials/)
})

test('doctor: data of another cluster is refused, by the start too', async () => {
  const store = temporaryFolder()
  const [redisOfOthers] = await failures({ store })
  assert.match(redisOfOthers!.found, /Redis is of cluster .*, the store of none/)
  assert.match(await refusal({ store }), /the journal belongs to a cluster, the store to none/)
  const redis = `redis://127.0.0.1:${(await otherRedis()).port}`
  const [emptyRedis] = await failures({ redis })
  assert.match(emptyRedis!.found, /the store is of cluster .*, Redis has no journals of it/)
  assert.match(await refusal({ redis }), /the store is in use, but its journal is empty/)
})

test('doctor: another secret is refused by the nodes, and the start ends before it joins', async () => {
  const secret = 'another secret of that length'
  const failed = await failures({ secret })
  assert.deepEqual(failed.map(({ check }) => check), ['nodes', 'nodes'])
  for (const { found } of failed) assert.match(found, /do not share the cluster secret: --rpc-secret must be the same/)
  const sentence = await refusal({ secret })
  assert.match(sentence, /the cluster refuses this node \(by \d, reason the nodes do not share the cluster secret/)
})
