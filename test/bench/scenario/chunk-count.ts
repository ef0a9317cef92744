/** The number of objects written must follow time and bytes, not partitions. */
import { newBatch, newProduceFrame } from '#cli/load/batch.ts'
import { createTopic, openClients } from '#cli/load/ask.ts'
import { chunkCount, withCluster } from '../tool/cluster.ts'
import { figure } from '../tool/figure.ts'
import { produce } from '#cli/load/produce-load.ts'
import type { Figure, Scenario } from './scenario.ts'

const RATE = 40e6
const SECONDS = 5

export const chunkCountScenario: Scenario = {
  name: 'chunk-count',
  doc: 'chunk objects of 40 MB/s in batches of 16 KiB for 5 s, over 10 and over 1,000 partitions',
  async run() {
    const few = await chunksOf(10)
    const many = await chunksOf(1_000)
    return [
      figure('chunks with 10 partitions', few.chunks, ''),
      figure('acked with 10 partitions', few.mbPerSecond, 'MB/s'),
      figure('chunks with 1,000 partitions', many.chunks, ''),
      figure('acked with 1,000 partitions', many.mbPerSecond, 'MB/s', { min: 38 }),
      figure('1,000 partitions to 10', many.chunks / few.chunks, 'times', { max: 1.2 }),
      many.rss
    ]
  }
}

async function chunksOf(partitions: number): Promise<{ readonly chunks: number; readonly mbPerSecond: number; readonly rss: Figure }> {
  let [chunks, mbPerSecond] = [0, 0]
  const [rss] = await withCluster(async (cluster) => {
    await createTopic(cluster.place(0), 'bench', partitions)
    const clients = await openClients(cluster.place(0))
    const batch = newBatch(15, 1_024)
    const frames = Array.from({ length: partitions }, (_, partition) => newProduceFrame('bench', [partition], batch))
    const result = await produce({ clients, frames, payloadBytes: batch.length, inFlight: 60, seconds: SECONDS, bytesPerSecond: RATE })
    clients.forEach((client) => { client.close() })
    chunks = chunkCount(cluster)
    mbPerSecond = result.bytes / 1e6 / result.seconds
    return []
  })
  return { chunks, mbPerSecond, rss: rss! }
}
