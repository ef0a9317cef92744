/** Readers in three zones behind a steady producer: lag, and reading back from cache as fast as it goes. */
import { newBatch, newProduceFrame } from '../tool/batch.ts'
import { createTopic, openClients, startCluster } from '../tool/cluster.ts'
import { figure } from '../tool/figure.ts'
import { cpuSeconds, residentBytes } from '../tool/process-stats.ts'
import { produce } from '../tool/produce-load.ts'
import { Readers } from '../tool/readers.ts'
import type { Scenario } from './scenario.ts'

const PARTITIONS = 6
const RECORDS = 63
const RATE = 130e6
const ZONES = [0, 1, 2]
const CACHED_BYTES = 36e6 // what both the log cache and the readers' caches hold
const BACK_SECONDS = 3

export const fanOutScenario: Scenario = {
  name: 'fan-out',
  doc: '130 MB/s into one gateway, one reader of all partitions in each of three zones; then all read the newest 36 MB again and again',
  async run({ full }) {
    const seconds = full ? 30 : 8
    const cluster = await startCluster()
    try {
      await createTopic(cluster.place(0), 'bench', PARTITIONS)
      const clients = await openClients(cluster.place(0))
      const batch = newBatch(RECORDS, 1_024)
      const frames = Array.from({ length: PARTITIONS }, (_, partition) => newProduceFrame('bench', [partition], batch))
      const ackedMs = frames.map((): number[] => []) // by partition and batch
      let lagMs = 0
      const common = { topic: 'bench', partitions: PARTITIONS, batchBytes: batch.length, recordCount: RECORDS }
      const onRead = (partition: number, endOffset: number): void => {
        const oldest = ackedMs[partition]![endOffset / RECORDS - 1]
        if (oldest !== undefined) lagMs = Math.max(lagMs, performance.now() - oldest)
      }
      const readers = await Promise.all(ZONES.map((zone) => Readers.open({ ...common, place: cluster.place(zone), onRead })))
      const cpuBefore = cpuSeconds(cluster.pid)
      const result = await produce({
        clients, frames, payloadBytes: batch.length, inFlight: 60, seconds, bytesPerSecond: RATE,
        onAck: (partition, baseOffset) => { ackedMs[partition]![baseOffset / RECORDS] = performance.now() }
      })
      const behind = result.bytes * ZONES.length - readers.reduce((sum, { bytes }) => sum + bytes, 0)
      await new Promise((resolve) => { setTimeout(resolve, 500) })
      const missing = result.bytes * ZONES.length - readers.reduce((sum, { bytes }) => sum + bytes, 0)
      const cpu = cpuSeconds(cluster.pid) - cpuBefore
      const errors = readers.reduce((sum, one) => sum + one.errors, 0)
      const rss = residentBytes(cluster.pid)
      readers.forEach((one) => { one.close() })
      const back = await readBack(cluster, common, readers[0]!.offsets, batch.length)
      clients.forEach((client) => { client.close() })
      return [
        figure('acked', result.bytes / 1e6 / result.seconds, 'MB/s', { min: 125 }),
        figure('largest lag of a reader, from ack to read', lagMs, 'ms', { max: 1_000 }),
        figure('unread when the producer ended, of all', behind / 1e6, 'MB'),
        figure('unread half a second later', missing, 'bytes', { max: 0 }),
        figure('failed fetches', errors, '', { max: 0 }),
        figure('server CPU per GB produced', cpu / (result.bytes / 1e9), 's/GB'),
        figure('read back from cache, three zones in sum', back, 'MB/s', { min: 400 }),
        figure('server RSS behind the load', rss / 2 ** 20, 'MiB', { max: 400 })
      ]
    } finally {
      await cluster.end()
    }
  }
}

async function readBack(
  cluster: Awaited<ReturnType<typeof startCluster>>, common: { topic: string; partitions: number; batchBytes: number; recordCount: number },
  endOffsets: readonly number[], batchBytes: number
): Promise<number> {
  const batches = Math.floor(CACHED_BYTES / PARTITIONS / batchBytes)
  const fromOffsets = endOffsets.map((end) => Math.max(0, end - batches * RECORDS))
  const startMs = performance.now()
  let bytes = 0
  await Promise.all(ZONES.map(async (zone) => {
    while (performance.now() - startMs < BACK_SECONDS * 1_000) {
      const readers = await Readers.open({ ...common, place: cluster.place(zone), fromOffsets })
      while (readers.offsets.some((offset, i) => offset < endOffsets[i]!)) {
        if (performance.now() - startMs > 10 * BACK_SECONDS * 1_000) throw new Error('reading back hangs')
        await new Promise((resolve) => { setTimeout(resolve, 1) })
      }
      bytes += readers.bytes
      readers.close()
    }
  }))
  return bytes / 1e3 / (performance.now() - startMs)
}
