/** Readers in three zones behind a steady producer: lag, and reading back from cache as fast as it goes. */
import { bareAnswer } from '../tool/bare-answer.ts'
import { newBatch, newFetchFrame, newProduceFrame } from '#cli/load/batch.ts'
import { createTopic, openClients } from '#cli/load/ask.ts'
import { withCluster, type Cluster } from '../tool/cluster.ts'
import { figure } from '../tool/figure.ts'
import { LagWatch } from '#cli/load/lag-watch.ts'
import { cpuSeconds } from '../tool/process-stats.ts'
import { produce } from '#cli/load/produce-load.ts'
import { FETCH_BYTES_MAX, Readers } from '#cli/load/readers.ts'
import type { Scenario } from './scenario.ts'

const PARTITIONS = 6
const RECORDS = 63
const RATE = 130e6
const ZONES = [0, 1, 2]
const CACHED_BYTES = 18e6 // what both the log cache and the readers' caches hold
const BACK_SECONDS = 4

export const fanOutScenario: Scenario = {
  name: 'fan-out',
  doc: '130 MB/s into one gateway, one reader of all partitions in each of three zones; then all read the newest 18 MB again and again; the bare server answers as many bytes and does nothing',
  run: ({ full }) => withCluster(async (cluster) => {
    await createTopic(cluster.place(0), 'bench', PARTITIONS)
    const batch = newBatch(RECORDS, 1_024)
    const frames = Array.from({ length: PARTITIONS }, (_, partition) => newProduceFrame('bench', [partition], batch))
    const bare = await bareAnswer({
      frame: newFetchFrame('bench', 0, 0, FETCH_BYTES_MAX), answerBytes: FETCH_BYTES_MAX, connections: ZONES.length * PARTITIONS, inFlight: 1, seconds: 3
    })
    const clients = await openClients(cluster.place(0))
    const lag = new LagWatch(PARTITIONS, RECORDS)
    const common = { topic: 'bench', partitions: PARTITIONS, batchBytes: batch.length, recordCount: RECORDS }
    const readers = await Promise.all(ZONES.map((zone) => Readers.open({ ...common, place: cluster.place(zone), onRead: lag.onRead })))
    const cpuBefore = cpuSeconds(cluster.pid)
    const result = await produce({
      clients, frames, payloadBytes: batch.length, inFlight: 60, seconds: full ? 60 : 8, bytesPerSecond: RATE, onAck: lag.onAck
    })
    const unread = (): number => result.bytes * ZONES.length - readers.reduce((sum, { bytes }) => sum + bytes, 0)
    const behind = unread()
    await new Promise((resolve) => { setTimeout(resolve, 1_000) })
    const missing = unread()
    const cpu = cpuSeconds(cluster.pid) - cpuBefore
    readers.forEach((one) => { one.close() })
    const back = await readBack(cluster, common, readers[0]!.offsets)
    clients.forEach((client) => { client.close() })
    return [
      figure('acked', result.bytes / 1e6 / result.seconds, 'MB/s', { min: 125 }),
      figure('lag of a reader, from ack to read, most', lag.mostMs, 'ms', { max: 1_000 }),
      figure('lag, 99 of 100 answers below', lag.percentileMs(0.99), 'ms'),
      figure('unread when the producer ended, of all', behind / 1e6, 'MB'),
      figure('unread a second later', missing, 'bytes', { max: 0 }),
      figure('failed fetches', readers.reduce((sum, one) => sum + one.errors, 0), '', { max: 0 }),
      figure('server CPU per GB produced and read thrice', cpu / (result.bytes / 1e9), 's/GB'),
      figure('bare server, answered', bare * FETCH_BYTES_MAX / 1e6, 'MB/s'),
      figure('read back from cache, three zones in sum', back.mbPerSecond, 'MB/s', { min: 400 }),
      figure('server CPU per GB of it', back.cpuPerGb, 's/GB')
    ]
  })
}

async function readBack(
  cluster: Cluster, common: { topic: string; partitions: number; batchBytes: number; recordCount: number }, endOffsets: readonly number[]
): Promise<{ readonly mbPerSecond: number; readonly cpuPerGb: number }> {
  const batches = Math.floor(CACHED_BYTES / PARTITIONS / common.batchBytes)
  const fromOffsets = endOffsets.map((end) => Math.max(0, end - batches * RECORDS))
  const startMs = performance.now()
  const cpuBefore = cpuSeconds(cluster.pid)
  const readers = await Promise.all(ZONES.map((zone) => Readers.open({ ...common, place: cluster.place(zone), fromOffsets, endOffsets })))
  await new Promise((resolve) => { setTimeout(resolve, BACK_SECONDS * 1_000) })
  const bytes = readers.reduce((sum, one) => sum + one.bytes, 0)
  const tookMs = performance.now() - startMs
  readers.forEach((one) => { one.close() })
  if (readers.some(({ errors }) => errors > 0)) throw new Error('reading back failed')
  return { mbPerSecond: bytes / 1e3 / tookMs, cpuPerGb: (cpuSeconds(cluster.pid) - cpuBefore) / (bytes / 1e9) }
}
