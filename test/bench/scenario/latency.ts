/** From a request to its answer at a modest rate, beside the linger and the bare PUT of the same run. */
import { barePut } from '../tool/bare-put.ts'
import { newBatch, newProduceFrame } from '#cli/load/batch.ts'
import { createTopic, openClients } from '#cli/load/ask.ts'
import { withCluster } from '../tool/cluster.ts'
import { figure } from '../tool/figure.ts'
import { percentile, produce } from '#cli/load/produce-load.ts'
import { gatewaySettings } from '#gateway/config.ts'
import type { Scenario } from './scenario.ts'

const PARTITIONS = 6
const RATE = 10e6
const SLACK_MS = 15

export const latencyScenario: Scenario = {
  name: 'latency',
  doc: '10 MB/s in batches of 16 KiB through one gateway; the bare store puts 64 KiB at the same rate',
  async run({ full }) {
    const seconds = full ? 60 : 8
    return withCluster(async (cluster) => {
      await createTopic(cluster.place(0), 'bench', PARTITIONS)
      const clients = await openClients(cluster.place(0))
      const batch = newBatch(15, 1_024)
      const frames = Array.from({ length: PARTITIONS }, (_, partition) => newProduceFrame('bench', [partition], batch))
      const options = { clients, frames, payloadBytes: batch.length, inFlight: 60, bytesPerSecond: RATE }
      await produce({ ...options, seconds: 2 })
      const bare = await barePut({ chunkBytes: 64 * 1_024, concurrency: 4, seconds: Math.min(seconds, 5), bytesPerSecond: RATE })
      const { latenciesMs, bytes, seconds: took } = await produce({ ...options, seconds })
      clients.forEach((client) => { client.close() })
      const { lingerMs } = gatewaySettings.defaults()
      return [
        figure('linger', lingerMs, 'ms'),
        figure('bare PUT p50', bare.p50Ms, 'ms'),
        figure('bare PUT p99', bare.p99Ms, 'ms'),
        figure('acked', bytes / 1e6 / took, 'MB/s'),
        figure('ack p50', percentile(latenciesMs, 0.5), 'ms'),
        figure('ack p99', percentile(latenciesMs, 0.99), 'ms', { max: lingerMs + bare.p99Ms + SLACK_MS }),
        figure('ack max', latenciesMs.at(-1) ?? NaN, 'ms')
      ]
    })
  }
}
