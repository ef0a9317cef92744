/**
 * A cluster of three nodes in network namespaces, the kernel as the witness: what crosses zones for a produced byte,
 * what it costs the journal and the leaders, and what an idle cluster costs. Redis stands in the first zone, the S3
 * server in the region; the load comes from outside, as if it were in each gateway's zone.
 */
import { rmSync } from 'node:fs'
import { createTopic } from '#cli/load/ask.ts'
import { loadZones, type ZoneLoadOptions, type ZoneResult } from '#cli/load/zone-load.ts'
import { ZoneNet } from '#infra/local/zone-net.ts'
import { ZonedCluster } from '#infra/local/zoned-cluster.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { figure } from '../tool/figure.ts'
import { Use, usedSoFar } from '../tool/zone-watch.ts'
import type { Figure, Scenario } from './scenario.ts'

const IDLE_PARTITIONS = 1_000
const IDLE_SECONDS = 30
const SETTLE_MS = 10_000
const LEADER_PARTITIONS = 48 // spread over all shards, and so over all nodes
const RECORD_BYTES = 1_024
const PARTITIONS = 6
const MB = 1e6
const LINGER_MS = 200 // of a store that is a bucket
const ACK_SLACK_MS = 20
const SEEN_SLACK_MS = 50 // of a view, beside the store's GET

export const zonesScenario: Scenario = {
  name: 'zones',
  doc: 'three nodes in three network namespaces, Redis in one of them, the S3 server in a fourth, 64 KiB batches',
  async run({ full }) {
    const obstacle = ZoneNet.obstacle()
    if (obstacle !== null) {
      process.stderr.write(`  SKIPPED: ${obstacle}\n`)
      return []
    }
    const data = temporaryFolder()
    const zoned = await ZonedCluster.start({
      data, env: process.env, say: (line) => { process.stderr.write(`  ${line}\n`) },
      onEnd: (part, how) => { throw new Error(`${part} ended by itself: ${how}`) }
    })
    try {
      return [
        ...await whileIdle(zoned, IDLE_SECONDS), ...await leaders(zoned, full ? 60 : 30, full ? 120 : 10),
        ...await crossing(zoned, 30), ...await acks(zoned, full ? 60 : 20)
      ]
    } finally {
      await zoned.stop()
      rmSync(data, { recursive: true, force: true })
    }
  }
}

async function whileIdle(zoned: ZonedCluster, seconds: number): Promise<Figure[]> {
  await createTopic(places(zoned)[0]!, 'idle', IDLE_PARTITIONS)
  await pause(SETTLE_MS)
  const before = await usedSoFar(zoned)
  await pause(seconds * 1_000)
  const use = new Use(before, await usedSoFar(zoned))
  const bytes = use.between('zones', 'kernelBytes') + use.between('redis', 'kernelBytes')
  return [
    ...zoned.cluster.plan.nodes.map(({ nodeId }, i) =>
      figure(`idle, node ${nodeId}: CPU`, use.nodeCpuSeconds(i) / use.seconds * 100, '%', { max: 1 })),
    figure('idle: between zones, with Redis', bytes / use.seconds / 1e3, 'KB/s', { max: 2 }),
    figure('idle: PUTs of chunks and snapshots', use.requests('store', ['chunk-put', 'snapshot']), '', { max: 0 })
  ]
}

/** With a consumer of everything in each zone. */
async function crossing(zoned: ZonedCluster, seconds: number): Promise<Figure[]> {
  await load(zoned, { bytesPerSecond: 10 * MB, seconds: 3 })
  const { use, produced, zones } = await load(zoned, { bytesPerSecond: 10 * MB, seconds })
  const [between, redis] = (['zones', 'redis'] as const).map((what) => use.between(what, 'kernelBytes'))
  const [bare, counted] = (['bareBytes', 'ledgerBytes'] as const).map((count) =>
    use.between('zones', count) + use.between('redis', count))
  const read = zones.reduce((sum, one) => sum + one.read.bytes, 0)
  const getMs = use.storeSeconds('get', 0.99) * 1_000
  const seenMs = Math.max(...zones.map(({ afterAckMs }) => afterAckMs.p99))
  return [
    figure('10 MB/s: produced', produced / MB, 'MB'),
    figure('10 MB/s: read for each produced byte', read / produced, '', { min: 2.999 }),
    figure('kernel, between zones per byte, without Redis', between! / produced, '', { max: 0.005 }),
    figure('kernel, between zones per byte, with Redis', (between! + redis!) / produced, '', { max: 0.008 }),
    figure('the ledger against the kernel, no headers', Math.abs(counted! / bare! - 1) * 100, '%', { max: 3 }),
    ...[...use.crossingByCause()].map(([cause, bytes]) => figure(`  of that ${cause}`, bytes / produced, '')),
    figure('  of that TCP/IP headers', (between! - use.between('zones', 'bareBytes')) / produced, ''),
    figure('10 MB/s: GET p99, its bucket', getMs, 'ms'),
    figure('10 MB/s: acked, then read in every zone, p99', seenMs, 'ms', { max: SEEN_SLACK_MS + getMs }),
    ...calls('10 MB/s', use, produced)
  ]
}

async function acks(zoned: ZonedCluster, seconds: number): Promise<Figure[]> {
  const { use, produced, zones } = await load(zoned, { bytesPerSecond: 50 * MB, seconds, consumers: false })
  const putMs = use.storeSeconds('put', 0.99) * 1_000
  const p99Ms = Math.max(...zones.map(({ ackMs }) => ackMs.p99))
  return [
    figure('50 MB/s: produced', produced / MB / seconds, 'MB/s'),
    figure('50 MB/s: PUT p99, its bucket', putMs, 'ms'),
    figure('50 MB/s: ack p50, the slowest zone', Math.max(...zones.map(({ ackMs }) => ackMs.p50)), 'ms'),
    figure('50 MB/s: ack p99, the slowest zone', p99Ms, 'ms', { max: LINGER_MS + putMs + ACK_SLACK_MS }),
    ...calls('50 MB/s', use, produced)
  ]
}

/** The first node takes nothing in and nobody reads yet: it leads its third, and no more. */
async function leaders(zoned: ZonedCluster, seconds: number, warmSeconds: number): Promise<Figure[]> {
  const elsewhere = places(zoned).slice(1)
  const options = { places: elsewhere, bytesPerSecond: 50 * MB, consumers: false, partitions: LEADER_PARTITIONS }
  await load(zoned, { ...options, seconds: warmSeconds }) // until its code is compiled
  const before = await usedSoFar(zoned)
  await pause(SETTLE_MS)
  const idle = new Use(before, await usedSoFar(zoned))
  const { use, produced } = await load(zoned, { ...options, seconds })
  const idleSeconds = idle.nodeCpuSeconds(0) / idle.seconds * use.seconds
  return [
    figure('leader: taken in by other zones', produced / MB / seconds, 'MB/s'),
    figure(
      'leader: CPU per GB taken in by other zones', use.nodeCpuSeconds(0) / (produced / 1e9), 's/GB', { max: 0.1 }
    ),
    figure('  of that what it uses idle', idleSeconds / (produced / 1e9), 's/GB')
  ]
}

type Loaded = { readonly use: Use; readonly produced: number; readonly zones: readonly ZoneResult[] }
type Load = Pick<ZoneLoadOptions, 'bytesPerSecond' | 'seconds'> & Partial<ZoneLoadOptions>

let topics = 0

async function load(zoned: ZonedCluster, options: Load): Promise<Loaded> {
  const before = await usedSoFar(zoned)
  const zones = await loadZones({
    places: places(zoned), topic: `load-${++topics}`, partitions: PARTITIONS, recordBytes: RECORD_BYTES, ...options
  })
  const use = new Use(before, await usedSoFar(zoned))
  return { use, zones, produced: zones.reduce((sum, { produced }) => sum + produced.bytes, 0) }
}

function calls(name: string, use: Use, produced: number): Figure[] {
  const commands = use.requests('journal', ['journal'])
  return [
    figure(`${name}: Redis commands per MB`, commands / (produced / MB), ''),
    figure(`${name}: Redis commands per chunk`, commands / use.requests('store', ['chunk-put']), '')
  ]
}

function places(zoned: ZonedCluster): { readonly host: string; readonly port: number }[] {
  return zoned.cluster.plan.nodes.map(({ host, clientPort: port }) => ({ host, port }))
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}
