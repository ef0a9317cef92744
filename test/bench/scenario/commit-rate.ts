/** Small batches: what one decision costs. */
import { newBatch, newProduceFrame } from '../tool/batch.ts'
import { createTopic, openClients, startCluster } from '../tool/cluster.ts'
import { figure } from '../tool/figure.ts'
import { cpuSeconds, residentBytes } from '../tool/process-stats.ts'
import { percentile, produce } from '../tool/produce-load.ts'
import type { Scenario } from './scenario.ts'

const PARTITIONS = 64
const CONNECTIONS = 64

export const commitRateScenario: Scenario = {
  name: 'commit-rate',
  doc: 'batches of 1 KiB, one a request, from 64 connections with 100 requests each, over 64 partitions',
  async run({ full }) {
    const cluster = await startCluster()
    try {
      await createTopic(cluster.place(0), 'bench', PARTITIONS)
      const clients = await openClients(cluster.place(0), CONNECTIONS)
      const batch = newBatch(1, 950)
      const frames = Array.from({ length: PARTITIONS }, (_, partition) => newProduceFrame('bench', [partition], batch))
      const options = { clients, frames, payloadBytes: batch.length, inFlight: 100 }
      await produce({ ...options, seconds: 2 })
      const cpuBefore = cpuSeconds(cluster.pid)
      const result = await produce({ ...options, seconds: full ? 30 : 6 })
      const cpu = cpuSeconds(cluster.pid) - cpuBefore
      clients.forEach((client) => { client.close() })
      return [
        figure('batches acked', result.requests / result.seconds, '1/s', { min: 20_000 }),
        figure('server CPU per batch', cpu / result.requests * 1e6, 'us'),
        figure('refused requests', Object.values(result.errors).reduce((sum, count) => sum + count, 0), '', { max: 0 }),
        figure('ack p50', percentile(result.latenciesMs, 0.5), 'ms'),
        figure('ack p99', percentile(result.latenciesMs, 0.99), 'ms'),
        figure('server RSS after it', residentBytes(cluster.pid) / 2 ** 20, 'MiB', { max: 400 })
      ]
    } finally {
      await cluster.end()
    }
  }
}
