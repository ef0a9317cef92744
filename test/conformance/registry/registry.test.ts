import { setTimeout as sleep } from 'node:timers/promises'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { MemoryRegistry, MemoryRegistryMedium } from '#shared/cluster/memory-registry.ts'
import { RedisRegistry } from '#shared/cluster/redis-registry.ts'
import { silentLog } from '#shared/log/log.ts'
import { RedisMedium, RedisTwin } from '#test/support/redis-twin.ts'
import { registrySuite } from './registry-suite.ts'

registrySuite({
  name: 'memory',
  open: async (count) => {
    const medium = new MemoryRegistryMedium(nodeRuntime.clock)
    return Array.from({ length: count }, () => new MemoryRegistry(medium, nodeRuntime.timer))
  },
  sleep: (ms) => sleep(ms)
})

const { clock, timer, chance } = nodeRuntime
registrySuite({
  name: 'redis (twin)',
  open: async (count) => {
    const medium = new RedisMedium()
    return Array.from({ length: count }, () => {
      const redis = new RedisTwin(medium, { chance, timer, clock })
      return new RedisRegistry({ redis, prefix: 'zw', timer, log: silentLog })
    })
  },
  sleep: (ms) => sleep(ms)
})
