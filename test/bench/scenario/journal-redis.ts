/**
 * The journal on a real Redis with `appendfsync always`: what an append costs, alone and beside others. The bare XADD of
 * the same bytes over the same connection stands beside it, so that the ratio holds on a busy machine too.
 */
import { performance } from 'node:perf_hooks'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { openRedis } from '#cli/platform/redis.ts'
import { RedisServer } from '#infra/local/redis-server.ts'
import { parseRedisAddress } from '#shared/journal/redis-address.ts'
import { redisSettings } from '#shared/journal/redis-config.ts'
import { openRedisJournal } from '#shared/journal/redis-journal.ts'
import { silentLog } from '#shared/log/log.ts'
import { RedisRefusal, type Redis } from '#shared/runtime/redis.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { figure } from '../tool/figure.ts'
import { percentile } from '#cli/load/produce-load.ts'
import type { Figure, Scenario } from './scenario.ts'

const BODY_BYTES = 1_024
const STREAMS = 16
const SLICE_SECONDS = 0.5 // the two take turns, so that both meet the same load
const SETTINGS = redisSettings.defaults()

/** One append behind the one before it. */
type Append = () => Promise<void>
type Measured = { readonly latenciesMs: number[]; seconds: number; cpuSeconds: number }

async function journalAppends(redis: Redis, shards: number): Promise<Append[]> {
  const journal = await openRedisJournal({ redis, prefix: `bench-${shards}`, slotGroups: 1, runtime: nodeRuntime, settings: SETTINGS })
  const body = [Buffer.alloc(BODY_BYTES, 0x61)]
  return Promise.all(Array.from({ length: shards }, async (_, number) => {
    await journal.create(number)
    const shard = await journal.shard(number)
    let { position } = await shard.lead(0)
    return async () => {
      const outcome = await shard.append(position.epoch, position, body)
      if (outcome.kind !== 'durable') throw new Error('somebody else leads')
      position = outcome.position
    }
  }))
}

function bareAppends(redis: Redis, streams: number): Append[] {
  const body = Buffer.alloc(BODY_BYTES, 0x61)
  return Array.from({ length: streams }, (_, number) => {
    let seq = 0
    return async () => {
      const reply = await redis.call('', 'XADD', [`bare-${streams}-${number}`, 'NOMKSTREAM', `1-${seq + 1}`, 'g', body])
      if (reply instanceof RedisRefusal) throw new Error(reply.text)
      if (reply === null) await redis.call('', 'XADD', [`bare-${streams}-${number}`, `1-${seq + 1}`, 'g', body])
      seq += 1
    }
  })
}

/** Appends to each for a slice of time, as fast as it is answered. */
async function slice(appends: readonly Append[], into: Measured): Promise<void> {
  const cpuBefore = process.cpuUsage()
  const startedMs = performance.now()
  const endMs = startedMs + SLICE_SECONDS * 1_000
  await Promise.all(appends.map(async (append) => {
    for (let nowMs = performance.now(); nowMs < endMs;) {
      await append()
      const doneMs = performance.now()
      into.latenciesMs.push(doneMs - nowMs)
      nowMs = doneMs
    }
  }))
  const { user, system } = process.cpuUsage(cpuBefore)
  into.seconds += (performance.now() - startedMs) / 1_000
  into.cpuSeconds += (user + system) / 1e6
}

const newMeasured = (): Measured => ({ latenciesMs: [], seconds: 0, cpuSeconds: 0 })

async function measure(redis: Redis, shards: number, seconds: number): Promise<Figure[]> {
  const [journal, bare] = [await journalAppends(redis, shards), bareAppends(redis, shards)]
  for (const appends of [journal, bare, journal, bare]) await slice(appends, newMeasured()) // warms up
  const [ours, theirs] = [newMeasured(), newMeasured()]
  while (ours.seconds < seconds) {
    await slice(journal, ours)
    await slice(bare, theirs)
  }
  const name = shards === 1 ? 'one shard' : `${shards} shards`
  const figures = [['journal', ours], ['bare XADD', theirs]] as const
  const rate = ({ latenciesMs, seconds: took }: Measured): number => latenciesMs.length / took
  return [
    ...figures.flatMap(([what, { latenciesMs, cpuSeconds, seconds: took }]) => {
      const ascending = latenciesMs.toSorted((a, b) => a - b)
      return [
        figure(`${name}, ${what}: appends`, ascending.length / took, '1/s'),
        figure(`${name}, ${what}: p50`, percentile(ascending, 0.5), 'ms'),
        figure(`${name}, ${what}: p99`, percentile(ascending, 0.99), 'ms'),
        figure(`${name}, ${what}: client CPU each`, cpuSeconds / ascending.length * 1e6, 'us')
      ]
    }),
    figure(`${name}: rate beside bare XADD`, rate(ours) / rate(theirs), '', { min: shards === 1 ? 0.85 : 0.7 })
  ]
}

export const journalRedisScenario: Scenario = {
  name: 'journal-redis',
  doc: `appends of ${BODY_BYTES} bytes to a redis-server of this machine, to one shard and to ${STREAMS} shards, one in flight each`,
  async run({ full }) {
    const server = await RedisServer.start({ folder: temporaryFolder() })
    const address = parseRedisAddress(`redis://${server.host}:${server.port}`)
    const redis = openRedis(address, { runtime: nodeRuntime, settings: SETTINGS, log: silentLog })
    try {
      await redis.ready()
      const seconds = full ? 20 : 4
      return [...await measure(redis, 1, seconds), ...await measure(redis, STREAMS, seconds)]
    } finally {
      await redis.close()
      await server.stop()
    }
  }
}
