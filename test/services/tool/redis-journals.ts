/** Journals on real Redis servers, closed when the tests of a file are over. */
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { openRedis } from '#cli/platform/redis.ts'
import { RedisServer, type RedisServerOptions } from '#infra/local/redis-server.ts'
import type { ErrorCode } from '#shared/errors/error-codes.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import {
  type AppendOutcome, comparePositions, type Journal, type JournalEnd, type JournalGroup, type Position, POSITION_NONE, type ShardJournal
} from '#shared/journal/journal.ts'
import { parseRedisAddress } from '#shared/journal/redis-address.ts'
import { redisSettings, type RedisSettings } from '#shared/journal/redis-config.ts'
import { openRedisJournal } from '#shared/journal/redis-journal.ts'
import type { Redis } from '#shared/runtime/redis.ts'
import { RecordingLog } from '#test/support/gateway-twin.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import type { JournalUnderTest } from '../../conformance/journal/journal-suite.ts'

const awake = setInterval(() => {}, 1_000) // timers of the runtime do not keep the process alive
const closers: (() => Promise<unknown>)[] = []
after(async () => {
  for (const close of closers.reverse()) await close()
  clearInterval(awake)
})

/** Fast enough for tests to see both sides of a fault. */
const SETTINGS: RedisSettings = {
  ...redisSettings.defaults(), redisConnectTimeoutMs: 1_000, redisCallTimeoutMs: 500, redisRetryMaxMs: 200, redisTailBlockMs: 2_000
}

export const WIDE = { groupsMax: 1_000_000, bytesMax: 1e9 }
export const fails = (code: ErrorCode) => (error: unknown): boolean => error instanceof ZonewiseError && error.code === code
export const text = (value: string): Uint8Array => new TextEncoder().encode(value)
export const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms) })

export type Opened = { readonly redis: Redis; readonly journal: Journal; readonly log: RecordingLog }

export async function startRedis(options: Partial<RedisServerOptions> = {}): Promise<RedisServer> {
  const server = await RedisServer.start({ folder: temporaryFolder(), ...options })
  closers.push(() => server.kill())
  return server
}

export const urlOf = ({ host, port }: { readonly host: string; readonly port: number }): string => `redis://${host}:${port}`

/** A client of its own, as another process would have. */
export function connect(url: string, given: Partial<RedisSettings> = {}): { readonly redis: Redis; readonly log: RecordingLog; readonly settings: RedisSettings } {
  const log = new RecordingLog()
  const settings = { ...SETTINGS, ...given }
  const redis = openRedis(parseRedisAddress(url), { runtime: nodeRuntime, settings, log })
  closers.push(() => redis.close())
  return { redis, log, settings }
}

export async function openJournal(url: string, given: Partial<RedisSettings> = {}): Promise<Opened> {
  const { prefix, slotGroups } = parseRedisAddress(url)
  const { redis, log, settings } = connect(url, given)
  return { redis, log, journal: await openRedisJournal({ redis, prefix, slotGroups, runtime: nodeRuntime, settings, log }) }
}

/** For the conformance suite: each journal has a prefix of its own on the server of `url`. */
export function underTest(name: string, url: () => string, prefix = 't'): JournalUnderTest {
  const opened = new WeakMap<Journal, { readonly url: string; readonly redis: Redis }>()
  let count = 0
  const open = async (full: string): Promise<Journal> => {
    const { redis, journal } = await openJournal(full)
    opened.set(journal, { url: full, redis })
    return journal
  }
  return {
    name,
    open: () => open(`${url()}${url().includes('?') ? '&' : '?'}prefix=${prefix}${count++}`),
    reopen: async (journal) => {
      const { url: full, redis } = opened.get(journal)!
      await journal.close()
      await redis.close()
      return open(full)
    }
  }
}

/** Repeats until settled, as a leader does. */
export async function settle<T>(call: () => Promise<T>, forMs = 20_000): Promise<T> {
  for (const endMs = performance.now() + forMs; ;) {
    try {
      return await call()
    } catch (error) {
      if (!fails('JOURNAL_UNSETTLED')(error) || performance.now() > endMs) throw error
      await pause(20)
    }
  }
}

export async function newShard({ journal }: Opened, number = 0): Promise<{ readonly shard: ShardJournal; readonly led: Position }> {
  await journal.create(number)
  const shard = await journal.shard(number)
  return { shard, led: (await shard.lead(0)).position }
}

export function append(shard: ShardJournal, after: Position, body: string): Promise<AppendOutcome> {
  return settle(() => shard.append(after.epoch, after, [text(body)]))
}

export async function appendAll(shard: ShardJournal, after: Position, bodies: readonly string[]): Promise<Position> {
  let position = after
  for (const body of bodies) {
    const outcome = await append(shard, position, body)
    assert.ok(outcome.kind === 'durable')
    position = outcome.position
  }
  return position
}

/** All groups, each the exact successor of the one before. */
export async function readAll(shard: ShardJournal): Promise<JournalGroup[]> {
  const groups = await settle(() => shard.read(POSITION_NONE, WIDE))
  for (let at = 1; at < groups.length; at++) {
    assert.equal(comparePositions(groups[at]!.after, groups[at - 1]!.position), 0)
    assert.equal(groups[at]!.afterCrc, groups[at - 1]!.crc)
  }
  return groups
}

export const bodiesOf = (groups: readonly JournalGroup[]): string[] =>
  groups.filter(({ position }) => position.seq > 0).map(({ body }) => Buffer.from(body).toString())

export const endOf = (shard: ShardJournal): Promise<JournalEnd> => settle(() => shard.end())
