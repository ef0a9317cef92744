/** Produce through one gateway, beside the bare durable PUT of the same chunks. */
import { barePut } from '../tool/bare-put.ts'
import { newBatch, newProduceFrame } from '#cli/load/batch.ts'
import { createTopic, openClients } from '#cli/load/ask.ts'
import { withCluster } from '../tool/cluster.ts'
import { figure } from '../tool/figure.ts'
import { cpuSeconds } from '../tool/process-stats.ts'
import { percentile, produce } from '#cli/load/produce-load.ts'
import type { Scenario } from './scenario.ts'

const PARTITIONS = 6
const RECORDS = 63 // of 1 KiB and their headers: just under 64 KiB
const WARM_SECONDS = 2

export const produceScenario: Scenario = {
  name: 'produce',
  doc: 'one gateway, 6 partitions, 64 KiB batches, 6 connections with 80 requests each',
  async run({ full }) {
    const bare = await barePut({ chunkBytes: 8 * 2 ** 20, concurrency: 4, seconds: full ? 15 : 5 })
    return withCluster(async (cluster) => {
      await createTopic(cluster.place(0), 'bench', PARTITIONS)
      const clients = await openClients(cluster.place(0))
      const batch = newBatch(RECORDS, 1_024)
      const frames = Array.from({ length: PARTITIONS }, (_, partition) => newProduceFrame('bench', [partition], batch))
      const options = { clients, frames, payloadBytes: batch.length, inFlight: 80 }
      await produce({ ...options, seconds: WARM_SECONDS })
      const cpuBefore = cpuSeconds(cluster.pid)
      const result = await produce({ ...options, seconds: full ? 60 : 8 })
      const perGb = (cpuSeconds(cluster.pid) - cpuBefore) / (result.bytes / 1e9)
      clients.forEach((client) => { client.close() })
      return [
        figure('bare PUT of 8 MiB, 4 at a time', bare.mbPerSecond, 'MB/s'),
        figure('bare PUT, CPU', bare.cpuSecondsPerGb, 's/GB'),
        figure('acked', result.bytes / 1e6 / result.seconds, 'MB/s', { min: 250 }),
        figure('server CPU', perGb, 's/GB'),
        figure('server CPU above the bare PUT', perGb - bare.cpuSecondsPerGb, 's/GB', { max: 1.2 }),
        figure('refused requests', Object.values(result.errors).reduce((sum, count) => sum + count, 0), '', { max: 0 }),
        figure('ack p50', percentile(result.latenciesMs, 0.5), 'ms'),
        figure('ack p99', percentile(result.latenciesMs, 0.99), 'ms')
      ]
    })
  }
}
