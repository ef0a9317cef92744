/** Resident memory with readers: as fast as it goes, far behind the tail, slow ones, and ones that never read. */
import { newBatch, newFetchFrame, newProduceFrame } from '#cli/load/batch.ts'
import { createTopic, openClients } from '#cli/load/ask.ts'
import { rssFigure, withCluster, type Cluster } from '../tool/cluster.ts'
import { figure } from '../tool/figure.ts'
import { LagWatch } from '#cli/load/lag-watch.ts'
import { produce, type ProduceOptions, type ProduceResult } from '#cli/load/produce-load.ts'
import type { RawClient } from '#cli/load/raw-client.ts'
import { Readers } from '#cli/load/readers.ts'
import type { Figure, Scenario } from './scenario.ts'

const PARTITIONS = 6
const RECORDS = 63
const ZONES = [0, 1, 2]
const TAIL_RATE = 40e6
const BACKLOG_BYTES = 1.5e9
const DEAD_READERS = 60
const DEAD_FETCHES = 20 // each sends so many and never reads
const SLOW_READERS = 30
const SLOW_BYTES_PER_SECOND = 200e3
const FETCH_BYTES = 8 * 2 ** 20

type Setting = {
  readonly cluster: Cluster
  readonly load: Omit<ProduceOptions, 'seconds' | 'onAck'>
  readonly batchBytes: number
  readonly seconds: number
  readonly ends: number[] // offsets behind the last batch of each partition
}

export const memoryReadersScenario: Scenario = {
  name: 'memory-readers',
  doc: 'largest RSS of the server with three readers at full rate; then, 40 MB/s read at the tail in all zones, ' +
    'with a reader of a backlog of 1.5 GB, with 30 slow readers and with 60 that never read',
  run: ({ full }) => withCluster(async (cluster) => {
    await createTopic(cluster.place(0), 'bench', PARTITIONS)
    const batch = newBatch(RECORDS, 1_024)
    const frames = Array.from({ length: PARTITIONS }, (_, partition) => newProduceFrame('bench', [partition], batch))
    const clients = await openClients(cluster.place(0))
    const load = { clients, frames, payloadBytes: batch.length, inFlight: 80 }
    const seconds = full ? 30 : 8
    const setting: Setting = { cluster, load, batchBytes: batch.length, seconds, ends: frames.map(() => 0) }
    const figures = [
      ...await fullRate(setting), ...await coldReader(setting),
      ...await slowReaders(setting), ...await deadReaders(setting)
    ]
    clients.forEach((client) => { client.close() })
    return figures
  })
}

/** Produces and keeps where the partitions end: a frame is one batch of the partition of its number. */
function produceOn(
  { load, ends }: Setting, options: Pick<ProduceOptions, 'seconds' | 'bytesPerSecond'>, lag?: LagWatch
): Promise<ProduceResult> {
  const onAck = (partition: number, baseOffset: number): void => {
    ends[partition] = Math.max(ends[partition]!, baseOffset + RECORDS)
    lag?.onAck(partition, baseOffset)
  }
  return produce({ ...load, ...options, onAck })
}

function openReaders(
  { cluster, batchBytes }: Setting, zone: number, fromOffsets: readonly number[], lag?: LagWatch
): Promise<Readers> {
  return Readers.open({
    topic: 'bench', partitions: PARTITIONS, batchBytes, recordCount: RECORDS, place: cluster.place(zone), fromOffsets,
    ...(lag === undefined ? {} : { onRead: lag.onRead })
  })
}

async function fullRate(setting: Setting): Promise<Figure[]> {
  const readers = await Promise.all(ZONES.map((zone) => openReaders(setting, zone, [])))
  const { bytes, seconds } = await produceOn(setting, { seconds: setting.seconds })
  const read = readers.reduce((sum, one) => sum + one.bytes, 0)
  readers.forEach((one) => { one.close() })
  return [
    figure('full rate and three readers, acked', bytes / 1e6 / seconds, 'MB/s'),
    figure('full rate and three readers, read', read / 1e6 / seconds, 'MB/s'),
    rssFigure('full rate and three readers, RSS', setting.cluster)
  ]
}

/** Produces at a modest rate while the tail is read in all zones. */
async function atTail(
  setting: Setting, seconds: number
): Promise<{ readonly result: ProduceResult; readonly lag: LagWatch }> {
  const lag = new LagWatch(PARTITIONS, RECORDS)
  const readers = await Promise.all(ZONES.map((zone) => openReaders(setting, zone, [...setting.ends], lag)))
  const result = await produceOn(setting, { seconds, bytesPerSecond: TAIL_RATE }, lag)
  readers.forEach((one) => { one.close() })
  if (readers.some(({ errors }) => errors > 0)) throw new Error('fetches at the tail failed')
  return { result, lag }
}

async function coldReader(setting: Setting): Promise<Figure[]> {
  const { cluster, seconds } = setting
  for (let bytes = 0; bytes < BACKLOG_BYTES;) bytes += (await produceOn(setting, { seconds: 1 })).bytes
  cluster.memory.takeMost()
  const cold = await openReaders(setting, 1, [])
  const { result, lag } = await atTail(setting, seconds)
  const rate = cold.bytes / 1e6 / result.seconds
  cold.close()
  return [
    figure('reader of a backlog, read', rate, 'MB/s'),
    figure('beside it, acked', result.bytes / 1e6 / result.seconds, 'MB/s'),
    figure('beside it, lag at the tail, most', lag.mostMs, 'ms', { max: 1_000 }),
    rssFigure('reader of a backlog, RSS', cluster)
  ]
}

async function slowReaders(setting: Setting): Promise<Figure[]> {
  const { cluster, seconds } = setting
  const slow = await openClients(cluster.place(0), SLOW_READERS)
  slow.forEach((client, i) => {
    client.slowDown(SLOW_BYTES_PER_SECOND)
    sendFetches(client, i)
  })
  const { lag } = await atTail(setting, seconds)
  slow.forEach((client) => { client.close() })
  return [
    figure('slow readers, lag of the others, most', lag.mostMs, 'ms', { max: 1_000 }),
    rssFigure('slow readers, RSS', cluster)
  ]
}

async function deadReaders(setting: Setting): Promise<Figure[]> {
  const { cluster, seconds } = setting
  const dead = await openClients(cluster.place(0), DEAD_READERS)
  dead.forEach((client, i) => {
    client.freeze()
    sendFetches(client, i)
  })
  const { lag } = await atTail(setting, Math.max(seconds, 12))
  dead.forEach((client) => { client.close() })
  return [
    figure('readers that never read, lag of the others', lag.mostMs, 'ms', { max: 1_000 }),
    rssFigure('readers that never read, RSS', cluster)
  ]
}

/** Fetches that nobody waits for, each client from another offset. */
function sendFetches(client: RawClient, i: number): void {
  const frame = newFetchFrame('bench', i % PARTITIONS, i * 200 * RECORDS, FETCH_BYTES)
  for (let n = 0; n < DEAD_FETCHES; n++) client.send(frame, () => {})
}
