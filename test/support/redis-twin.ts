/**
 * A Redis in memory, for the calls that journal and registry make: hashes, streams and our scripts, each script as what it
 * says it does. Several twins on one medium are several clients. Faults: calls and replies that are lost, refusals.
 */
import assert from 'node:assert/strict'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { encodeHeader, REDIS_ENTRY } from '#shared/journal/redis-entry.ts'
import { NONCE_BYTES, runningCrc } from '#shared/journal/running-crc.ts'
import {
  type Redis, type RedisArgument, type RedisChannel, type RedisPrimary, RedisRefusal, type RedisReply, type RedisScript,
  type RedisTraffic, type RedisValue
} from '#shared/runtime/redis.ts'
import { type Chance, type Clock, sleep, type Timer } from '#shared/runtime/runtime.ts'
import { REGISTRY_SCRIPTS, TwinRegistry } from './redis-twin-registry.ts'

export type TwinEntry = { readonly epoch: number; readonly seq: number; readonly value: Buffer }
type Stream = { entries: TwinEntry[]; last: { readonly epoch: number; readonly seq: number } }

/** What would lie in the server's memory. */
export class RedisMedium {
  readonly hashes = new Map<string, Map<string, Buffer>>()
  readonly streams = new Map<string, Stream>()
  readonly registries = new Map<string, TwinRegistry>()
  readonly waiting = new Set<() => void>() // blocked calls
  /** Of every command and script by name, except blocked reads. */
  readonly calls: string[] = []

  /** As FLUSHALL. */
  clear(): void {
    this.hashes.clear()
    this.streams.clear()
    this.registries.clear()
  }

  /** As where registries lay in a memory that nobody wrote down: who renews must announce itself again. */
  loseRegistries(): void {
    for (const key of this.registries.keys()) this.streams.delete(changesOf(key))
    this.registries.clear()
  }

  registry(key: string, clock: Clock): TwinRegistry {
    let registry = this.registries.get(key)
    if (registry === undefined) {
      registry = new TwinRegistry(() => clock.nowMs(), (version) => {
        const entry = { epoch: version, seq: 0, value: Buffer.from(String(version)) }
        this.streams.set(changesOf(key), { entries: [entry], last: entry })
      })
      this.registries.set(key, registry)
    }
    return registry
  }

  wake(): void {
    for (const look of [...this.waiting]) look()
  }
}

export type RedisFaults = {
  lostCallPerMille: number // never happens, no reply
  lostReplyPerMille: number // happens, no reply
  refusal: string | null // to every call
}

export class RedisTwin implements Redis {
  readonly name = 'redis://twin'
  /** Called before the effect of each call, with its name: the place where somebody else comes in between. */
  before: (name: string) => void = () => {}
  /** Called for each entry that a call of this twin adds to a stream, as it is added. */
  added: (key: string, entry: TwinEntry) => void = () => {}
  readonly faults: RedisFaults = { lostCallPerMille: 0, lostReplyPerMille: 0, refusal: null }
  readonly #medium: RedisMedium
  readonly #chance: Chance
  readonly #timer: Timer
  readonly #clock: Clock | undefined
  readonly #channels = new Set<RedisChannel>()

  /** `clock`: the server's, for registries. */
  constructor(medium: RedisMedium, parts: {
    readonly chance: Chance; readonly timer: Timer; readonly clock?: Clock; readonly faults?: Partial<RedisFaults>
  }) {
    this.#medium = medium
    this.#chance = parts.chance
    this.#timer = parts.timer
    this.#clock = parts.clock
    Object.assign(this.faults, parts.faults)
  }

  async ready(): Promise<void> {}

  call(_key: string, command: string, args: readonly RedisArgument[]): Promise<RedisReply> {
    return this.#reply(command, () => this.#command(command, args))
  }

  run(script: RedisScript, key: string, args: readonly RedisArgument[]): Promise<RedisReply> {
    return this.#reply(script.name, () => this.#script(script.name, key, args))
  }

  blocking(): RedisChannel {
    let drop: ((reason: string) => void) | null = null
    const channel: RedisChannel = {
      call: (command, args) => {
        assert.equal(command, 'XREAD')
        return this.#blocked(args, (fn) => { drop = fn })
      },
      reset: (reason) => { drop?.(reason) },
      close: () => {
        drop?.('closed')
        this.#channels.delete(channel)
      }
    }
    this.#channels.add(channel)
    return channel
  }

  async primaries(): Promise<readonly RedisPrimary[]> {
    return [{ name: this.name, channel: { call: (command, args) => this.call('', command, args) } }]
  }

  traffic(): RedisTraffic {
    return { calls: this.#medium.calls.length, bytesSent: 0, bytesReceived: 0 }
  }

  async close(): Promise<void> {
    for (const channel of this.#channels) channel.close()
  }

  async #reply(name: string, effect: () => RedisReply): Promise<RedisReply> {
    await Promise.resolve() // never in the caller's turn
    if (this.#happens(this.faults.lostCallPerMille)) throw lost('the call was lost')
    if (this.faults.refusal !== null) return new RedisRefusal(this.faults.refusal)
    this.#medium.calls.push(name)
    this.before(name)
    const reply = effect()
    this.#medium.wake()
    await Promise.resolve()
    if (this.#happens(this.faults.lostReplyPerMille)) throw lost('the reply was lost')
    return reply
  }

  async #blocked(args: readonly RedisArgument[], onDrop: (drop: (reason: string) => void) => void): Promise<RedisReply> {
    const counted = args[0] === 'COUNT' ? args : ['COUNT', Infinity, ...args]
    const [, count, , blockMs, , ...rest] = counted as [string, number, string, number, string, ...string[]]
    const keys = rest.slice(0, rest.length / 2)
    const found = (): RedisValue => {
      const streams = keys.flatMap((key, i): RedisValue[] => {
        const entries = this.#range(key, `(${rest[keys.length + i]!}`, '+', count)
        return entries.length === 0 ? [] : [[Buffer.from(key), entries]]
      })
      return streams.length === 0 ? null : streams
    }
    const dropped = Promise.withResolvers<never>()
    const woken = Promise.withResolvers<RedisValue>()
    const look = (): void => {
      const reply = found()
      if (reply !== null) woken.resolve(reply)
    }
    onDrop((reason) => { dropped.reject(lost(reason)) })
    this.#medium.waiting.add(look)
    try {
      look()
      const reply = await Promise.race([woken.promise, dropped.promise, sleep(this.#timer, blockMs).then(() => null)])
      if (this.#happens(this.faults.lostReplyPerMille)) throw lost('the reply was lost')
      return reply
    } finally {
      this.#medium.waiting.delete(look)
    }
  }

  #happens(perMille: number): boolean {
    return perMille > 0 && this.#chance.below(1_000) < perMille
  }

  #command(command: string, args: readonly RedisArgument[]): RedisReply {
    const key = args[0] as string
    const hash = this.#medium.hashes.get(key)
    const field = (name: RedisArgument | undefined): Buffer | null => hash?.get(String(name)) ?? null
    switch (command) {
      case 'EXISTS': return hash !== undefined || this.#medium.streams.has(key) ? 1 : 0
      case 'HGET': return field(args[1])
      case 'HMGET': return args.slice(1).map(field)
      case 'HEXISTS': return field(args[1]) === null ? 0 : 1
      case 'HSETNX': return field(args[1]) === null ? this.#command('HSET', args) : 0
      case 'HSET': {
        const made = hash ?? new Map<string, Buffer>()
        made.set(String(args[1]), toBuffer(args[2]!))
        this.#medium.hashes.set(key, made)
        return 1
      }
      case 'XADD': return this.#add(key, args[1] as string, toBuffer(args[3]!))
      case 'XRANGE': return this.#range(key, args[1] as string, args[2] as string, args[4] as number)
      case 'XREVRANGE': return this.#medium.streams.get(key)?.entries.slice(-1).map(toReply) ?? []
      default: throw new Error(`redis-twin: ${command} is not known`)
    }
  }

  #add(key: string, id: string, value: Buffer): RedisReply {
    const { epoch, seq } = parseId(id)
    const stream = this.#medium.streams.get(key) ?? { entries: [], last: { epoch: 0, seq: 0 } }
    if (compare({ epoch, seq }, stream.last) <= 0)
      return new RedisRefusal('ERR The ID specified in XADD is equal or smaller than the target stream top item')
    const entry = { epoch, seq, value }
    stream.entries.push(entry)
    stream.last = { epoch, seq }
    this.#medium.streams.set(key, stream)
    this.added(key, entry)
    return Buffer.from(id)
  }

  #range(key: string, start: string, end: string, count: number): RedisValue[] {
    const above = start.startsWith('(')
    const from = parseId(start.replace('(', ''))
    const to = end === '+' ? { epoch: Infinity, seq: 0 } : parseId(end)
    return (this.#medium.streams.get(key)?.entries ?? [])
      .filter((entry) => compare(entry, from) >= (above ? Number.MIN_VALUE : 0) && compare(entry, to) <= 0).slice(0, count).map(toReply)
  }

  #script(name: string, key: string, args: readonly RedisArgument[]): RedisValue {
    if (REGISTRY_SCRIPTS.has(name)) {
      assert(this.#clock !== undefined, 'redis-twin: registries need a clock')
      return this.#medium.registry(key, this.#clock).run(name, args)
    }
    if (name === 'describe') {
      const fresh = new Map([['format', toBuffer(args[0]!)], ['slotGroups', toBuffer(args[1]!)]])
      const hash = this.#medium.hashes.get(key) ?? fresh
      this.#medium.hashes.set(key, hash)
      return [hash.get('format') ?? null, hash.get('slotGroups') ?? null]
    }
    const stream = this.#medium.streams.get(key)
    const last = stream?.entries.at(-1)
    if (stream === undefined || last === undefined) return null
    const said = [Buffer.from(idOf(last)), last.value.subarray(0, REDIS_ENTRY.headerBytes)]
    switch (name) {
      case 'end': return said
      case 'append': {
        const [after, id, value] = [args[0] as string, args[1] as string, toBuffer(args[2]!)]
        if (idOf(last) === after) {
          this.#add(key, id, value)
          return 1
        }
        return stream.entries.some((entry) => idOf(entry) === id && entry.value.equals(value)) ? 1 : said
      }
      case 'lead': {
        const [epoch, nonce, known] = [Number(args[0]), toBuffer(args[1]!), parseId(args[2] as string)]
        assert.equal(nonce.byteLength, NONCE_BYTES)
        if (last.epoch >= epoch || compare(last, known) < 0) return [...said, 0]
        const afterCrc = last.value.readUInt32BE(5)
        const after = Buffer.alloc(16)
        after.writeBigUInt64BE(BigInt(last.epoch), 0)
        after.writeBigUInt64BE(BigInt(last.epoch === 0 ? 0 : last.seq), 8)
        this.#add(key, `${epoch}-0`, Buffer.concat([encodeHeader(afterCrc, runningCrc(afterCrc, { epoch, seq: 0 }, [nonce])), nonce, after]))
        return [...said, 1]
      }
      case 'trim': {
        if (last.epoch !== Number(args[0])) return 0
        const stays = compare(last, parseId(args[1] as string)) < 0 ? last : parseId(args[1] as string)
        const before = stream.entries.length
        // A step lets go of whole nodes only, as `~` does.
        const step = Number(args[2]) === 0 ? Infinity : Math.floor(stream.entries.filter((entry) => compare(entry, stays) < 0).length / 4) * 4
        stream.entries = stream.entries.filter((entry, at) => compare(entry, stays) >= 0 || at >= step)
        return before - stream.entries.length
      }
      default: throw new Error(`redis-twin: the script ${name} is not known`)
    }
  }
}

function lost(reason: string): ZonewiseError {
  return new ZonewiseError('REDIS_UNAVAILABLE', 'Redis did not answer', { reason })
}

function toBuffer(argument: RedisArgument): Buffer {
  if (typeof argument === 'string' || typeof argument === 'number') return Buffer.from(String(argument))
  return argument instanceof Uint8Array ? Buffer.from(argument) : Buffer.concat(argument)
}

function parseId(id: string): { readonly epoch: number; readonly seq: number } {
  const [epoch, seq] = id.split('-').map(Number)
  return { epoch: epoch!, seq: seq ?? 0 }
}

/** The stream that hints at changes of a registry. */
function changesOf(key: string): string {
  return `${key}:changes`
}

function idOf({ epoch, seq }: { readonly epoch: number; readonly seq: number }): string {
  return `${epoch}-${seq}`
}

function toReply(entry: TwinEntry): RedisValue {
  return [Buffer.from(idOf(entry)), [Buffer.from(REDIS_ENTRY.field), entry.value]]
}

function compare(a: { readonly epoch: number; readonly seq: number }, b: { readonly epoch: number; readonly seq: number }): number {
  return a.epoch - b.epoch || a.seq - b.seq
}
