/** The registry on a real Redis, also one that loses everything or cannot be reached. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { openRedis } from '#cli/platform/redis.ts'
import { RedisServer } from '#infra/local/redis-server.ts'
import { RedisRegistry } from '#shared/cluster/redis-registry.ts'
import type { RenewOptions } from '#shared/cluster/registry.ts'
import { parseRedisAddress } from '#shared/journal/redis-address.ts'
import { redisSettings } from '#shared/journal/redis-config.ts'
import { silentLog } from '#shared/log/log.ts'
import type { Redis } from '#shared/runtime/redis.ts'
import { registrySuite } from '#test/conformance/registry/registry-suite.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'

let server: RedisServer
const opened: { close(): unknown }[] = []
let registries = 0

before(async () => { server = await RedisServer.start({ folder: temporaryFolder() }) })
after(async () => {
  for (const each of opened) await each.close()
  await server.stop()
})

function openOne(prefix: string): { redis: Redis; registry: RedisRegistry } {
  const redis = openRedis(parseRedisAddress(`redis://127.0.0.1:${server.port}`), { runtime: nodeRuntime, settings: redisSettings.defaults(), log: silentLog })
  const registry = new RedisRegistry({ redis, prefix, timer: nodeRuntime.timer, log: silentLog })
  opened.push(registry, redis)
  return { redis, registry }
}

registrySuite({
  name: 'redis',
  open: async (count) => {
    const prefix = `test-${++registries}`
    return Promise.all(Array.from({ length: count }, async () => {
      const { redis, registry } = openOne(prefix)
      await redis.ready()
      return registry
    }))
  },
  sleep: (ms) => sleep(ms)
})

const options: RenewOptions = { knownVersion: -1, ttlMs: 60_000, vitals: { clockMs: 1, load: 0 } }

test('redis registry: an emptied Redis is told all again, under a newer version', async () => {
  const { redis, registry } = openOne('emptied')
  await redis.ready()
  const own = { nodeId: 1, nodeEpoch: 1, content: 'x' }
  const first = await registry.renew(own, options)
  assert(first.kind === 'renewed')
  await redis.call('k', 'FLUSHALL', [])
  const again = await registry.renew(own, { ...options, knownVersion: first.version })
  assert(again.kind === 'renewed' && again.state !== null)
  assert.deepEqual(again.state.entries, [own])
  assert(again.version > first.version)
})

test('redis registry: a Redis that is away is said to be, and found again', async () => {
  const { redis, registry } = openOne('away')
  await redis.ready()
  const own = { nodeId: 1, nodeEpoch: 1, content: 'x' }
  let hints = 0
  registry.onChange(() => { hints += 1 })
  await registry.renew(own, options)
  await server.kill()
  await assert.rejects(registry.renew(own, options), { code: 'REGISTRY_UNAVAILABLE' })
  await server.start()
  await redis.ready()
  const back = await registry.renew({ ...own, content: 'y' }, options)
  assert.equal(back.kind, 'renewed')
  const before = hints
  for (let turn = 0; hints === before && turn < 100; turn++) {
    await sleep(50)
    await registry.renew({ ...own, content: `z${turn}` }, options)
  }
  assert(hints > before)
})

test('redis registry: a full Redis keeps leases, and takes those of new nodes', async () => {
  const { redis, registry } = openOne('full')
  await redis.ready()
  const own = { nodeId: 1, nodeEpoch: 1, content: 'x' }
  const first = await registry.renew(own, options)
  assert(first.kind === 'renewed')
  await redis.call('k', 'CONFIG', ['SET', 'maxmemory', '1'])
  try {
    const again = await registry.renew(own, { ...options, knownVersion: first.version })
    assert(again.kind === 'renewed' && again.state === null)
    const other = openOne('full')
    await other.redis.ready()
    const joined = await other.registry.renew({ nodeId: 2, nodeEpoch: 1, content: 'y' }, options)
    assert(joined.kind === 'renewed')
    assert.deepEqual((await registry.read()).entries.map(({ nodeId }) => nodeId), [1, 2])
    assert.equal((await registry.holder(2))?.nodeEpoch, 1)
    await registry.remove(2, 1)
    assert.deepEqual((await registry.read()).entries.map(({ nodeId }) => nodeId), [1])
  } finally {
    await redis.call('k', 'CONFIG', ['SET', 'maxmemory', '0'])
  }
})
