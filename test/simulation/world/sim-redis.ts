/**
 * One Redis and the ways of all lives to it. What is acknowledged stays; everything else may happen: calls and replies
 * get lost, connections break with calls under way, it refuses, and forgets the registry.
 */
import type { MemoryJournalOptions } from '#shared/journal/memory-journal.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import {
  type Redis, type RedisArgument, type RedisChannel, RedisRefusal, type RedisReply, type RedisScript
} from '#shared/runtime/redis.ts'
import { sleep, type Clock } from '#shared/runtime/runtime.ts'
import { RedisMedium, RedisTwin, type TwinEntry } from '#test/support/redis-twin.ts'
import type { VirtualTime } from '../engine/virtual-time.ts'
import type { Faults } from './faults.ts'
import type { Life } from './life.ts'
import { isCut, SILENCE_MS } from './reach.ts'

const RECONNECT_MS = 50
const LATE_MS_MAX = 2_000
const LOADING = 'LOADING Redis is loading the dataset in memory'
const WRITES_REFUSED = [
  'MISCONF Redis is configured to save RDB snapshots, but it\'s currently unable to persist to disk.',
  'OOM command not allowed when used memory > \'maxmemory\'.', 'READONLY You can\'t write against a read only replica.'
] as const
const READS = new Set(['end', 'holder', 'read', 'EXISTS', 'HGET', 'HMGET', 'HEXISTS', 'XRANGE', 'XREVRANGE'])

/** Called at each entry of a stream, as it becomes durable. */
export type OnEntry = (who: { readonly name: string }, key: string, entry: TwinEntry) => void

export type RedisServerParts = {
  readonly time: VirtualTime; readonly chance: MemoryJournalOptions['chance']; readonly faults: Faults
  readonly clock: Clock; readonly onEntry: OnEntry
}

export class RedisServer {
  readonly #parts: RedisServerParts
  readonly #medium = new RedisMedium()
  readonly #connections = new Set<LifeRedis>()
  #breaks = 0

  constructor(parts: RedisServerParts) {
    this.#parts = parts
  }

  /** How often all connections have broken. */
  get breaks(): number {
    return this.#breaks
  }

  connect(life: Life): LifeRedis {
    const { time, chance, clock, onEntry } = this.#parts
    const twin = new RedisTwin(this.#medium, { chance, timer: time, clock })
    twin.added = (key, entry) => onEntry(life, key, entry)
    const redis = new LifeRedis(this, twin, life, this.#parts)
    this.#connections.add(redis)
    return redis
  }

  disconnect(redis: LifeRedis): void {
    this.#connections.delete(redis)
  }

  /** All connections break: of calls under way nobody knows whether they happened. */
  breakAll(): void {
    this.#breaks += 1
    for (const redis of this.#connections) redis.drop()
  }

  forgetRegistries(): void {
    this.#medium.loseRegistries()
  }
}

/** What one life has of it. */
export class LifeRedis implements Redis {
  readonly name = 'redis://simulated'
  readonly #server: RedisServer
  readonly #twin: RedisTwin
  readonly #life: Life
  readonly #parts: RedisServerParts
  readonly #channels = new Set<RedisChannel>()

  constructor(server: RedisServer, twin: RedisTwin, life: Life, parts: RedisServerParts) {
    this.#server = server
    this.#twin = twin
    this.#life = life
    this.#parts = parts
  }

  async ready(): Promise<void> {
    if (this.#parts.faults.redis.isAway) await this.#fail(RECONNECT_MS, 'connection refused')
  }

  call(key: string, command: string, args: readonly RedisArgument[]): Promise<RedisReply> {
    return this.#ask(command, key, () => this.#twin.call(key, command, args))
  }

  run(script: RedisScript, key: string, args: readonly RedisArgument[]): Promise<RedisReply> {
    return this.#ask(script.name, key, () => this.#twin.run(script, key, args))
  }

  blocking(): RedisChannel {
    const inner = this.#twin.blocking()
    const channel: RedisChannel = {
      call: (command, args) => this.#listen(() => inner.call(command, args)),
      reset: (reason) => inner.reset(reason),
      close: () => { this.#channels.delete(channel); inner.close() }
    }
    this.#channels.add(channel)
    return channel
  }

  primaries(): ReturnType<Redis['primaries']> { return this.#twin.primaries() }
  traffic(): ReturnType<Redis['traffic']> { return this.#twin.traffic() }

  drop(): void {
    for (const channel of this.#channels) channel.reset('the connection broke')
  }

  async close(): Promise<void> {
    this.#server.disconnect(this)
    await this.#twin.close()
  }

  async #ask(name: string, key: string, effect: () => Promise<RedisReply>): Promise<RedisReply> {
    if (!this.#life.alive) await this.#life.thawed()
    const { faults: { redis }, time, chance } = this.#parts
    const breaks = this.#server.breaks
    const isBroken = (): boolean => this.#server.breaks !== breaks
    if (redis.isAway) return this.#fail(RECONNECT_MS, 'no connection')
    if (this.#happens(redis.latePerMille)) {
      time.after(1 + chance.below(LATE_MS_MAX), () => { void effect() })
      return this.#fail(RECONNECT_MS, 'the call is late')
    }
    await this.#travel()
    if (this.#isCut('there')) return this.#fail(SILENCE_MS, 'no reply')
    if (isBroken() || this.#happens(redis.lostCallPerMille)) return this.#fail(0, 'the call was lost')
    const refusal = this.#refusal(name)
    const reply = refusal === null ? await effect() : new RedisRefusal(refusal) // also of one that has died meanwhile
    await this.#travel()
    if (this.#isCut('back')) return this.#fail(SILENCE_MS, 'no reply')
    if (isBroken() || this.#happens(redis.lostReplyPerMille)) return this.#fail(0, 'the reply was lost')
    await this.#life.thawed()
    this.#life.note(`${name} ${key}${refusal === null ? '' : ' refused'}`)
    return reply
  }

  /** A call that waits for what is new. */
  async #listen(call: () => Promise<RedisReply>): Promise<RedisReply> {
    const { redis } = this.#parts.faults
    if (redis.isAway) return this.#fail(RECONNECT_MS, 'no connection')
    if (this.#isCut('there')) return this.#fail(SILENCE_MS, 'no reply')
    if (redis.refusal === 'all') return new RedisRefusal(LOADING)
    let reply: RedisReply
    try {
      reply = await call()
    } catch (error) {
      await this.#life.thawed()
      throw error
    }
    await this.#travel()
    if (this.#isCut('back')) return this.#fail(SILENCE_MS, 'no reply')
    await this.#life.thawed()
    return reply
  }

  /** Half of the delay comes before the effect, half after. */
  #travel(): Promise<void> {
    const { time, chance, faults: { redis } } = this.#parts
    return sleep(time, chance.below(redis.delayMsMax + 1) / 2)
  }

  #isCut(way: 'there' | 'back'): boolean {
    const { faults } = this.#parts
    const { machine } = this.#life
    return way === 'there' ? isCut(faults, machine, 'redis') : isCut(faults, 'redis', machine)
  }

  #refusal(name: string): string | null {
    const { chance, faults: { redis: { refusal } } } = this.#parts
    if (refusal === 'all') return LOADING
    return refusal === null || READS.has(name) ? null : WRITES_REFUSED[chance.below(WRITES_REFUSED.length)]!
  }

  #happens(perMille: number): boolean {
    return perMille > 0 && this.#parts.chance.below(1_000) < perMille
  }

  async #fail(afterMs: number, reason: string): Promise<never> {
    await sleep(this.#parts.time, afterMs)
    await this.#life.thawed()
    throw new ZonewiseError('REDIS_UNAVAILABLE', 'Redis did not answer', { reason })
  }
}
