/**
 * Journal on Redis Streams, one a shard (redis-entry.ts has the layout). What must happen at once is decided inside
 * Redis by scripts (redis-scripts.ts); every reply that is neither "durable" nor "fenced" is JOURNAL_UNSETTLED. The
 * Redis is the caller's, who closes it after the journal.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import { type Log, silentLog } from '../log/log.ts'
import {
  type Redis, type RedisArgument, type RedisChannel, RedisRefusal, type RedisReply, type RedisValue
} from '../runtime/redis.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { assertSameCluster, comparePositions, type Journal, POSITION_NONE, type ShardJournal } from './journal.ts'
import type { RedisSettings } from './redis-config.ts'
import { decodeEnd, encodeHeader, REDIS_ENTRY } from './redis-entry.ts'
import type { PaceGoal } from './redis-read-pace.ts'
import { bytesOf, fieldOf, isFull, listOf, meaningOf, textOf } from './redis-replies.ts'
import { APPEND_SCRIPT, DESCRIBE_SCRIPT } from './redis-scripts.ts'
import { RedisShard } from './redis-shard.ts'
import { RedisTail } from './redis-tail.ts'

const FORMAT = 1

export type RedisJournalOptions = {
  readonly redis: Redis
  readonly prefix: string // of all keys
  readonly slotGroups: number // of a new journal; an old one keeps its own
  readonly runtime: Runtime
  readonly settings: RedisSettings
  readonly log?: Log
}

/**
 * Opens the journal under a prefix, or one that is still to be created there.
 * @throws ZonewiseError REDIS_UNAVAILABLE, JOURNAL_UNSETTLED (try again), FORMAT_TOO_NEW, JOURNAL_CORRUPT
 */
export async function openRedisJournal(options: RedisJournalOptions): Promise<Journal> {
  await options.redis.ready()
  const journal = new RedisJournal(options)
  await journal.load()
  return journal
}

class RedisJournal implements Journal {
  readonly #options: RedisJournalOptions
  readonly #log: Log
  readonly #metaKey: string
  readonly #shards = new Map<number, RedisShard>()
  readonly #tails = new Map<number, RedisTail>() // by slot group
  #slotGroups: number
  #refusal: { readonly call: string; readonly reason: string } | null = null // of the moment, so that it is said once
  #closed = false

  constructor(options: RedisJournalOptions) {
    this.#options = options
    this.#log = options.log ?? silentLog
    this.#metaKey = `${options.prefix}:{zw-0}:journal`
    this.#slotGroups = options.slotGroups
  }

  /** Takes over the description, if there is one. */
  async load(): Promise<void> {
    const description = await this.#call('HMGET', this.#metaKey, [this.#metaKey, 'format', 'slotGroups'])
    if (fieldOf(description, 0) !== null) this.#describedBy(description)
  }

  async shard(shard: number): Promise<ShardJournal> {
    this.#assertOpen()
    let opened = this.#shards.get(shard)
    if (opened === undefined) {
      if (!await this.#isCreated(shard)) throw new ZonewiseError('JOURNAL_MISSING', 'a shard has no journal', { shard })
      const fresh = this.#open(shard)
      await fresh.look()
      opened = this.#shards.get(shard) ?? fresh // another call may have come first
      this.#shards.set(shard, opened)
    }
    return opened.handle()
  }

  async create(shard: number): Promise<void> {
    this.#assertOpen()
    await this.#describe()
    const key = this.#keyOf(shard)
    const facts = { shard, key }
    if (await this.#isCreated(shard)) {
      if (await this.#call('EXISTS', key, [key]) === 1) return
      throw new ZonewiseError('JOURNAL_MISSING', 'the journal of the shard is not in Redis any more', facts)
    }
    const created = [REDIS_ENTRY.createdId, REDIS_ENTRY.field, encodeHeader(0, 0)]
    const reply = await this.#options.redis.call(key, 'XADD', [key, ...created]).catch(asUnsettled)
    // It is there already: a creation that was cut short, or somebody's journal whose description is gone.
    if (reply instanceof RedisRefusal && !reply.text.includes('equal or smaller')) throw this.#refused('XADD', reply)
    const last = fieldOf(await this.#call('XREVRANGE', key, [key, '+', '-', 'COUNT', 1]), 0)
    const end = decodeEnd(bytesOf(fieldOf(last, 0)), bytesOf(fieldOf(fieldOf(last, 1), 1)), key)
    if (comparePositions(end.position, POSITION_NONE) !== 0) {
      if (await this.#isCreated(shard)) return // meanwhile, by another node that leads it already
      throw new ZonewiseError('CLUSTER_MISMATCH', 'Redis has a journal that its description does not name', facts)
    }
    await this.#call('HSET', this.#metaKey, [this.#metaKey, `shard:${shard}`, 1])
  }

  async clusterId(): Promise<string | null> {
    const held = await this.#call('HGET', this.#metaKey, [this.#metaKey, 'clusterId'])
    return held === null ? null : textOf(held)
  }

  async setClusterId(clusterId: string): Promise<void> {
    await this.#describe()
    await this.#call('HSETNX', this.#metaKey, [this.#metaKey, 'clusterId', clusterId])
    assertSameCluster(await this.clusterId(), clusterId)
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const tail of this.#tails.values()) tail.close()
  }

  #assertOpen(): void {
    if (this.#closed) throw new ZonewiseError('STOPPING', 'the journal is closed')
  }

  /** Writes what a new journal is; where others were first, theirs counts. */
  async #describe(): Promise<void> {
    const described = this.#options.redis.run(DESCRIBE_SCRIPT, this.#metaKey, [FORMAT, this.#slotGroups])
    this.#describedBy(await this.#settled(DESCRIBE_SCRIPT.name, described))
  }

  #describedBy(description: RedisValue): void {
    const [format, slotGroups] = listOf(description).map((field) => field === null ? NaN : Number(textOf(field)))
    const facts = { redis: this.#options.redis.name, key: this.#metaKey, format, slotGroups }
    if (format! > FORMAT) throw new ZonewiseError('FORMAT_TOO_NEW', 'the journal in Redis is of a newer format', facts)
    if (format !== FORMAT || !Number.isSafeInteger(slotGroups) || slotGroups! < 1)
      throw new ZonewiseError('JOURNAL_CORRUPT', 'the description of the journal in Redis is damaged', facts)
    this.#slotGroups = slotGroups!
  }

  async #isCreated(shard: number): Promise<boolean> {
    return await this.#call('HEXISTS', this.#metaKey, [this.#metaKey, `shard:${shard}`]) === 1
  }

  #keyOf(shard: number): string {
    return `${this.#options.prefix}:{zw-${shard % this.#slotGroups}}:journal:${shard}`
  }

  #open(shard: number): RedisShard {
    const { redis, runtime, settings } = this.#options
    const key = this.#keyOf(shard)
    return new RedisShard({
      shard, key, chance: runtime.chance, trimGroupsMax: settings.redisTrimGroupsMax, pace: paceOf(settings),
      calls: {
        run: (script, args) => this.#settled(script.name, redis.run(script, key, args)),
        call: (command, args) => this.#call(command, key, args)
      },
      follow: (after, onGroup) => this.#tailOf(shard, key).follow(key, after, onGroup)
    })
  }

  #tailOf(shard: number, key: string): RedisTail {
    const group = shard % this.#slotGroups
    let tail = this.#tails.get(group)
    if (tail === undefined) {
      const { redis, runtime: { timer }, settings } = this.#options
      const blockMs = settings.redisTailBlockMs
      const open = (): RedisChannel => redis.blocking(key, blockMs)
      tail = new RedisTail({ open, blockMs, pace: paceOf(settings), timer, log: this.#log })
      this.#tails.set(group, tail)
    }
    return tail
  }

  #call(command: string, key: string, args: readonly RedisArgument[]): Promise<RedisValue> {
    return this.#settled(command, this.#options.redis.call(key, command, args))
  }

  /** @throws ZonewiseError JOURNAL_UNSETTLED: Redis refused, or no reply came */
  async #settled(call: string, sent: Promise<RedisReply>): Promise<RedisValue> {
    let reply: RedisReply
    try {
      reply = await sent
    } catch (error) {
      asUnsettled(error)
    }
    if (reply instanceof RedisRefusal) throw this.#refused(call, reply)
    // A full Redis takes some calls and refuses others: appends are what it is there for.
    if (this.#refusal !== null && (call === this.#refusal.call || call === APPEND_SCRIPT.name)) {
      this.#refusal = null
      this.#log.info('redis serves again')
    }
    return reply
  }

  #refused(call: string, { text }: RedisRefusal): ZonewiseError {
    const reason = meaningOf(text)
    if (this.#refusal?.reason !== reason) {
      this.#log.warn('redis refuses', { call, reason })
      this.#refusal = { call, reason }
    }
    const cause = isFull(text) ? new ZonewiseError('JOURNAL_FULL', 'Redis is full') : undefined
    return new ZonewiseError('JOURNAL_UNSETTLED', 'Redis refused the call', { call, reason }, cause)
  }
}

function paceOf({ redisReadBytes, redisReadGroupsMax }: RedisSettings): PaceGoal {
  return { replyBytes: redisReadBytes, groupsMax: redisReadGroupsMax }
}

function asUnsettled(error: unknown): never {
  if (!(error instanceof ZonewiseError)) throw error
  throw new ZonewiseError('JOURNAL_UNSETTLED', 'Redis did not answer', error.context, error)
}
