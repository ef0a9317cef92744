import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RedisRegistry } from '#shared/cluster/redis-registry.ts'
import { silentLog } from '#shared/log/log.ts'
import type { Redis } from '#shared/runtime/redis.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'
import { RedisMedium, RedisTwin } from '#test/support/redis-twin.ts'

const OWN = { nodeId: 1, nodeEpoch: 1, content: 'node 1' }
const OPTIONS = { knownVersion: -1, ttlMs: 3_000, vitals: { clockMs: 0, load: 0 } }

test('redis-registry: a Redis that was emptied is told even if it is lost again before the node is back in it', async () => {
  const { chance, timer, clock } = new ManualRuntime()
  let twin = new RedisTwin(new RedisMedium(), { chance, timer, clock })
  let callsLeft = Infinity
  const run: Redis['run'] = async (...args) => {
    if (callsLeft-- > 0) return twin.run(...args)
    throw new Error('the connection broke')
  }
  const redis = { run } as Redis
  const registry = new RedisRegistry({ redis, prefix: 'zw', timer, log: silentLog })
  await registry.renew(OWN, OPTIONS)
  twin = new RedisTwin(new RedisMedium(), { chance, timer, clock })
  callsLeft = 1
  await assert.rejects(registry.renew(OWN, OPTIONS), { code: 'REGISTRY_UNAVAILABLE' })
  callsLeft = Infinity
  const told = []
  for (let i = 0; i < 2; i++) told.push(await registry.renew(OWN, OPTIONS))
  assert.deepEqual(told.map((renewal) => renewal.kind === 'renewed' && renewal.wasGone), [true, false])
})
