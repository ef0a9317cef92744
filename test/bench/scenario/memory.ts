/** Resident memory at full rate, with idle connections, with readers that hang, and at a modest rate for long. */
import { newBatch, newFetchFrame, newProduceFrame } from '../tool/batch.ts'
import { createTopic, openClients, startCluster, type Cluster } from '../tool/cluster.ts'
import { figure } from '../tool/figure.ts'
import { residentBytes } from '../tool/process-stats.ts'
import { produce, type ProduceOptions } from '../tool/produce-load.ts'
import type { Figure, Scenario } from './scenario.ts'

const PARTITIONS = 6
const IDLE_CONNECTIONS = 1_000
const DEAD_READERS = 6
const DEAD_FETCHES = 20 // each sends so many and never reads
const FETCH_BYTES = 8 * 2 ** 20
const SAMPLE_MS = 250
const MIB = 2 ** 20
const MODEST_RATE = 25e6

export const memoryScenario: Scenario = {
  name: 'memory',
  doc: 'largest RSS of the server under loads of one gateway',
  async run({ full }) {
    const cluster = await startCluster()
    try {
      await createTopic(cluster.place(0), 'bench', PARTITIONS)
      const clients = await openClients(cluster.place(0))
      const batch = newBatch(63, 1_024)
      const frames = Array.from({ length: PARTITIONS }, (_, partition) => newProduceFrame('bench', [partition], batch))
      const load = { clients, frames, payloadBytes: batch.length, inFlight: 80 }
      const figures: Figure[] = [figure('at rest', residentBytes(cluster.pid) / MIB, 'MiB')]
      const fullRate = await largest(cluster, { ...load, seconds: full ? 60 : 10 })
      figures.push(figure(`at full rate (${(fullRate.mbPerSecond).toFixed(0)} MB/s)`, fullRate.rss, 'MiB', { max: 400 }))
      if (full) {
        const early = await largest(cluster, { ...load, seconds: 60, bytesPerSecond: MODEST_RATE })
        const late = await largest(cluster, { ...load, seconds: 540, bytesPerSecond: MODEST_RATE })
        figures.push(figure('first minute of 25 MB/s', early.rss, 'MiB', { max: 400 }))
        figures.push(figure('nine minutes more', late.rss, 'MiB', { max: early.rss * 1.1 }))
      }
      const idle = await openClients(cluster.place(0), IDLE_CONNECTIONS)
      const withIdle = await largest(cluster, { ...load, seconds: 3, bytesPerSecond: MODEST_RATE })
      figures.push(figure('25 MB/s and 1,000 idle connections', withIdle.rss, 'MiB', { max: 400 }))
      idle.forEach((client) => { client.close() })
      const dead = await openClients(cluster.place(0), DEAD_READERS)
      dead.forEach((client, i) => {
        client.freeze()
        for (let n = 0; n < DEAD_FETCHES; n++) client.send(newFetchFrame('bench', i % PARTITIONS, 0, FETCH_BYTES), () => {})
      })
      const withDead = await largest(cluster, { ...load, seconds: 5, bytesPerSecond: MODEST_RATE })
      figures.push(figure('25 MB/s and 6 readers that never read', withDead.rss, 'MiB'))
      ;[...clients, ...dead].forEach((client) => { client.close() })
      return figures
    } finally {
      await cluster.end()
    }
  }
}

async function largest(cluster: Cluster, options: ProduceOptions): Promise<{ readonly rss: number; readonly mbPerSecond: number }> {
  let rss = 0
  const sample = setInterval(() => { rss = Math.max(rss, residentBytes(cluster.pid) / MIB) }, SAMPLE_MS)
  const { bytes, seconds } = await produce(options)
  clearInterval(sample)
  return { rss, mbPerSecond: bytes / 1e6 / seconds }
}
