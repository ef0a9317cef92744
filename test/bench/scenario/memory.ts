/** Resident memory under producers: at full rate, at a modest rate for long, and with what should cost nothing. */
import { newBatch, newProduceFrame } from '#cli/load/batch.ts'
import { createTopic, openClients } from '#cli/load/ask.ts'
import { RSS_GOAL_MIB, rssFigure, withCluster, type Cluster } from '../tool/cluster.ts'
import { figure } from '../tool/figure.ts'
import { produce, type ProduceOptions } from '#cli/load/produce-load.ts'
import { SLOW_STORE } from '../tool/slow-store.ts'
import type { Figure, Scenario } from './scenario.ts'

const PARTITIONS = 6
const IDLE_CONNECTIONS = 1_000
const MODEST_RATE = 25e6
const FLAT = 1.1 // times what the first minute took

export const memoryScenario: Scenario = {
  name: 'memory',
  doc: 'largest RSS of the server: at rest, at full rate (60 s with --full), at 25 MB/s (ten minutes with --full), with 1,000 idle connections, with a store that answers after a second',
  async run({ full }) {
    const steady = await withCluster(async (cluster) => {
      const load = await loadOf(cluster)
      const figures = [rssFigure('RSS at rest', cluster)]
      figures.push(...await under('full rate', cluster, { ...load, seconds: full ? 60 : 10 }))
      if (full) {
        figures.push(...await under('25 MB/s, first minute', cluster, { ...load, seconds: 60, bytesPerSecond: MODEST_RATE }))
        const first = figures.at(-1)!.value
        figures.push(...await under('25 MB/s, nine minutes more', cluster, { ...load, seconds: 540, bytesPerSecond: MODEST_RATE }, first * FLAT))
      }
      const idle = await openClients(cluster.place(0), IDLE_CONNECTIONS)
      figures.push(...await under('25 MB/s and 1,000 idle connections', cluster, { ...load, seconds: 5, bytesPerSecond: MODEST_RATE }))
      ;[...idle, ...load.clients].forEach((client) => { client.close() })
      return figures
    })
    const slow = await withCluster(async (cluster) => {
      const load = await loadOf(cluster)
      const figures = await under('full rate, slow store', cluster, { ...load, seconds: full ? 30 : 8 })
      load.clients.forEach((client) => { client.close() })
      return figures
    }, { nodeOptions: SLOW_STORE })
    return [...steady.slice(0, -1), ...slow.slice(0, -1)]
  }
}

async function loadOf(cluster: Cluster): Promise<Omit<ProduceOptions, 'seconds'>> {
  await createTopic(cluster.place(0), 'bench', PARTITIONS)
  const clients = await openClients(cluster.place(0))
  const batch = newBatch(63, 1_024)
  const frames = Array.from({ length: PARTITIONS }, (_, partition) => newProduceFrame('bench', [partition], batch))
  return { clients, frames, payloadBytes: batch.length, inFlight: 80 }
}

async function under(what: string, cluster: Cluster, options: ProduceOptions, max = RSS_GOAL_MIB): Promise<Figure[]> {
  cluster.memory.takeMost()
  const { bytes, seconds } = await produce(options)
  return [figure(`${what}, acked`, bytes / 1e6 / seconds, 'MB/s'), rssFigure(`${what}, RSS`, cluster, Math.min(RSS_GOAL_MIB, max))]
}
