import { setTimeout as sleep } from 'node:timers/promises'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { MemoryRegistry, MemoryRegistryMedium } from '#shared/cluster/memory-registry.ts'
import { registrySuite } from './registry-suite.ts'

registrySuite({
  name: 'memory',
  open: async (count) => {
    const medium = new MemoryRegistryMedium(nodeRuntime.clock)
    return Array.from({ length: count }, () => new MemoryRegistry(medium, nodeRuntime.timer))
  },
  sleep: (ms) => sleep(ms)
})
