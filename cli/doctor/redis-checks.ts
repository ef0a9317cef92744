/** Checks of Redis: it answers, takes the credentials, keeps what it acknowledges, has memory for the journals. */
import type { RedisAddress } from '#shared/journal/redis-address.ts'
import { judgeRedis, type RedisFacts } from '#shared/journal/redis-durability-plan.ts'
import { factsOf } from '#shared/journal/redis-durability.ts'
import { textOf } from '#shared/journal/redis-replies.ts'
import type { Redis, RedisPrimary } from '#shared/runtime/redis.ts'
import { RedisRefusal } from '#shared/runtime/redis.ts'
import { bytesText } from '../command/text-table.ts'
import type { ClusterSettings } from '../cluster-config.ts'
import { aboutRefusal } from '../node/redis-refusal.ts'
import { fail, failure, type Finding, ok, warn } from './finding.ts'

const CHECK = 'redis'
const WHY = 'the journals, and with them every acknowledged record, are kept there'

/** How much memory journals may need (docs/redis.md). */
export type JournalSizes = {
  readonly shards: number; readonly snapshotJournalBytes: number; readonly groupBytesMax: number
}
const SNAPSHOTS_BEHIND = 3
const OVERHEAD = 1.8
const BASE_BYTES = 16 * 2 ** 20

/** @returns whether it can be asked for more, and what was found. */
export async function checkRedis(
  redis: Redis, address: RedisAddress, settings: ClusterSettings, sizes: JournalSizes
): Promise<{ readonly isReached: boolean; readonly findings: readonly Finding[] }> {
  try {
    await redis.ready()
    const primaries = await redis.primaries()
    const found = await Promise.all(primaries.map((primary) => checkPrimary(primary, settings, sizes)))
    return { isReached: true, findings: found.flat() }
  } catch (error) {
    return { isReached: false, findings: [failure(CHECK, aboutRefusal(error, address), WHY)] }
  }
}

async function checkPrimary(
  primary: RedisPrimary, settings: ClusterSettings, sizes: JournalSizes
): Promise<readonly Finding[]> {
  const facts = await factsOf(primary)
  const unsafe = judgeRedis(facts, settings.journalDurability).map(({ kind, setting, sentence }): Finding => {
    const [found = '', ...cure] = sentence.replace(/\.$/, '').split(': ')
    const isWarned = kind === 'advise' || settings.journalUnsafe
    return (isWarned ? warn : fail)(CHECK, { found, why: whyOf(setting), cure: cure.join(': ') })
  })
  const kept = settings.journalDurability === 'managed' ? 'keeps what it acknowledges, as the operator states'
    : 'keeps what it acknowledges'
  const isSafe = unsafe.every(({ state }) => state !== 'fail')
  const head = `${primary.name} runs ${facts.version ?? 'an unknown version'}${isSafe ? ` and ${kept}` : ''}`
  return [ok(CHECK, head), ...unsafe, await checkMemory(primary, facts, sizes)]
}

function whyOf(setting: string): string {
  return setting === 'maxmemory' ? '' : WHY // its cure says it
}

async function checkMemory({ name, channel }: RedisPrimary, facts: RedisFacts, sizes: JournalSizes): Promise<Finding> {
  const { shards, snapshotJournalBytes, groupBytesMax } = sizes
  const needed = (shards + 1) * (SNAPSHOTS_BEHIND * snapshotJournalBytes + groupBytesMax) * OVERHEAD + BASE_BYTES
  const reply = await channel.call('INFO', ['memory'])
  const used = Number(/^used_memory:(\d+)/m.exec(reply instanceof RedisRefusal ? '' : textOf(reply))?.[1] ?? Number.NaN)
  const bound = facts.memoryMax === null || facts.memoryMax === 0 ? null : facts.memoryMax
  const uses = Number.isNaN(used) ? 'does not say how much memory it uses' : `uses ${bytesText(used)}`
  const found = `${name} ${uses}${bound === null ? '' : ` of ${bytesText(bound)}`}; journals of ${shards} shards may ` +
    `need ${bytesText(needed)}`
  if (bound === null || bound >= needed) return ok('redis memory', found)
  const cure = `set maxmemory to ${bytesText(needed)} or more, or lower --snapshot-journal-bytes`
  return warn('redis memory', { found, why: 'while it is full, produce gets retriable errors', cure })
}
