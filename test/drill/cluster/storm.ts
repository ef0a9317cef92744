/** Faults drawn by chance, one after the other and sometimes two at a time, for a minute. */
import type { Rng } from '#shared/runtime/rng.ts'
import { pause } from '../kill-moments.ts'
import { type DrillCluster, REDIS, REGION, ZONES } from './drill-cluster.ts'

const STORM_MS = 60_000
const FAULT_MS_MAX = 8_000
const BETWEEN_MS_MAX = 3_000
const TWO_AT_A_TIME_PER_MILLE = 250

type Fault = (cluster: DrillCluster, rng: Rng) => Promise<void>

const FAULTS: Readonly<Record<string, Fault>> = {
  kill: async ({ nodes }, rng) => {
    const node = rng.pick(nodes)
    await node.kill()
    await pause(rng.below(FAULT_MS_MAX))
    node.launch()
  },
  restart: async ({ nodes }, rng) => {
    const node = rng.pick(nodes)
    await node.stop()
    node.launch()
  },
  pause: async ({ nodes }, rng) => {
    const node = rng.pick(nodes)
    node.pause()
    await pause(rng.below(FAULT_MS_MAX))
    node.resume()
  },
  'cut from Redis': (cluster, rng) => cut(cluster, rng, [REDIS]),
  'cut from S3': (cluster, rng) => cut(cluster, rng, [REGION]),
  'cut from a zone': (cluster, rng) => cut(cluster, rng, [rng.pick(ZONES)]),
  'cut from all zones': (cluster, rng) => cut(cluster, rng, ZONES),
  'kill Redis': async ({ redis }, rng) => {
    await redis.kill()
    await pause(rng.below(FAULT_MS_MAX))
    await redis.start()
  },
  'kill S3': async ({ s3 }, rng) => {
    await s3.kill()
    await pause(rng.below(FAULT_MS_MAX))
    await s3.restart()
  }
}

/** Resolves when no fault lasts any more and every node serves. */
export async function storm(cluster: DrillCluster, rng: Rng, echo: (line: string) => void): Promise<void> {
  const busy = new Map<string, Promise<void>>() // by name: none is doubled
  const names = Object.keys(FAULTS)
  for (const untilMs = performance.now() + STORM_MS; performance.now() < untilMs;) {
    const name = rng.pick(names.filter((one) => !busy.has(one)))
    echo(`storm: ${name}`)
    busy.set(name, FAULTS[name]!(cluster, rng).finally(() => { busy.delete(name) }))
    if (busy.size > 1 || rng.below(1_000) >= TWO_AT_A_TIME_PER_MILLE) await Promise.all(busy.values())
    await pause(rng.below(BETWEEN_MS_MAX))
  }
  await Promise.all(busy.values())
  cluster.net.heal()
  await Promise.all(cluster.nodes.map((node) => node.ready()))
}

/** One zone, both ways or one way; the first fault that ends heals all cuts. */
async function cut(cluster: DrillCluster, rng: Rng, others: readonly string[]): Promise<void> {
  const zone = rng.pick(ZONES)
  const ways = rng.below(3) // both, there, back
  for (const other of others) {
    if (other === zone) continue
    if (ways !== 1) cluster.net.cut(other, zone)
    if (ways !== 2) cluster.net.cut(zone, other)
  }
  await pause(rng.below(FAULT_MS_MAX))
  cluster.net.heal()
}
