/**
 * A Redis Cluster as a Redis: one connection a primary, chosen by the key's hash slot. The map of slots is asked for
 * again whenever an answer shows that it is old; the call that showed it is not sent again, its caller decides.
 */
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { RedisEndpoint } from '#shared/journal/redis-address.ts'
import { meaningOf } from '#shared/journal/redis-replies.ts'
import {
  type Redis, type RedisArgument, type RedisChannel, type RedisPrimary, RedisRefusal, type RedisReply, type RedisScript,
  type RedisTraffic
} from '#shared/runtime/redis.ts'
import { type Runtime, sleep } from '#shared/runtime/runtime.ts'
import { type RedisConnection, sumOfTraffic } from './redis-connection.ts'
import { endpointName, parseSlotMap, SlotMap, slotOf } from './redis-slots.ts'

const READY_POLL_MS = 5
const REFRESH_PAUSE_MS = 100 // between two questions for the map

export type ClusterParts = {
  readonly name: string
  readonly seeds: readonly RedisEndpoint[]
  readonly runtime: Runtime
  readonly readyMs: number
  readonly dial: (endpoint: RedisEndpoint) => RedisConnection
  readonly dialBlocking: (endpoint: RedisEndpoint, blockMs: number) => RedisConnection
}

export class ClusterRedis implements Redis {
  readonly name: string
  readonly #parts: ClusterParts
  readonly #nodes = new Map<string, RedisConnection>() // primaries, and seeds while there is no map, by endpointName
  readonly #blocking = new Set<BlockingChannel>()
  #map = new SlotMap([])
  #reason = 'it is being connected'
  #refreshing = false
  #refreshedMs = -Infinity
  #closedTraffic = sumOfTraffic([])
  #closed = false

  constructor(parts: ClusterParts) {
    this.#parts = parts
    this.name = parts.name
    this.#refreshSoon()
  }

  async ready(): Promise<void> {
    const { runtime: { clock, timer }, readyMs } = this.#parts
    for (const endMs = clock.monotonicMs() + readyMs; !this.#isReady(); await sleep(timer, READY_POLL_MS)) {
      const facts = { redis: this.name, reason: this.#reason }
      if (clock.monotonicMs() >= endMs) throw new ZonewiseError('REDIS_UNAVAILABLE', 'Redis cannot be reached', facts)
      this.#refreshSoon()
    }
  }

  call(key: string, command: string, args: readonly RedisArgument[]): Promise<RedisReply> {
    return this.#observed(this.#connectionOf(key).then((connection) => connection.call(command, args)))
  }

  run(script: RedisScript, key: string, args: readonly RedisArgument[]): Promise<RedisReply> {
    return this.#observed(this.#connectionOf(key).then((connection) => connection.run(script, key, args)))
  }

  blocking(key: string, blockMs: number): RedisChannel {
    const channel = new BlockingChannel({
      endpoint: () => this.#endpointOf(key),
      dial: (endpoint) => this.#parts.dialBlocking(endpoint, blockMs),
      observed: (sent) => this.#observed(sent),
      onDrop: ({ traffic }) => { this.#closedTraffic = sumOfTraffic([this.#closedTraffic, traffic]) },
      onClose: () => { this.#blocking.delete(channel) }
    })
    this.#blocking.add(channel)
    return channel
  }

  async primaries(): Promise<readonly RedisPrimary[]> {
    return [...this.#map.endpoints.keys()].flatMap((name) => {
      const channel = this.#nodes.get(name)
      return channel === undefined ? [] : [{ name, channel }]
    })
  }

  traffic(): RedisTraffic {
    const open = [...this.#nodes.values(), ...[...this.#blocking].map(({ connection }) => connection)]
    return sumOfTraffic([this.#closedTraffic, ...open.flatMap((one) => one === null ? [] : [one.traffic])])
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const connection of this.#nodes.values()) connection.close()
    for (const channel of this.#blocking) channel.close()
  }

  #isReady(): boolean {
    const names = [...this.#map.endpoints.keys()]
    return names.length > 0 && names.every((name) => this.#nodes.get(name)?.isReady === true)
  }

  /** @throws ZonewiseError REDIS_UNAVAILABLE: nobody serves the slot, as far as is known */
  #endpointOf(key: string): RedisEndpoint {
    const endpoint = this.#map.endpointOf(slotOf(key))
    if (endpoint !== undefined) return endpoint
    const reason = this.#map.endpoints.size === 0 ? this.#reason : 'no server of the Redis Cluster has the hash slot'
    throw new ZonewiseError('REDIS_UNAVAILABLE', 'Redis did not answer', { redis: this.name, reason })
  }

  async #connectionOf(key: string): Promise<RedisConnection> {
    return this.#nodes.get(endpointName(this.#endpointOf(key)))!
  }

  /** Asks for the map again where an outcome shows that it is old, or may be. */
  async #observed(sent: Promise<RedisReply>): Promise<RedisReply> {
    try {
      const reply = await sent
      if (reply instanceof RedisRefusal && /\b(MOVED|ASK|CLUSTERDOWN|READONLY)\b/.test(reply.text)) this.#refreshSoon()
      return reply
    } catch (error) {
      this.#refreshSoon()
      throw error
    }
  }

  #refreshSoon(): void {
    const { clock } = this.#parts.runtime
    if (this.#refreshing || this.#closed || clock.monotonicMs() - this.#refreshedMs < REFRESH_PAUSE_MS) return
    this.#refreshing = true
    void this.#refresh().finally(() => {
      this.#refreshing = false
      this.#refreshedMs = clock.monotonicMs()
    })
  }

  /** Asks one server after the other until one tells who serves what. */
  async #refresh(): Promise<void> {
    const { seeds } = this.#parts
    const endpoints = new Map([...this.#map.endpoints, ...seeds.map((seed) => [endpointName(seed), seed] as const)])
    for (const [name, endpoint] of endpoints) {
      if (this.#closed) return
      const connection = this.#nodes.get(name) ?? this.#dial(name, endpoint)
      if (!connection.isReady) {
        this.#reason = connection.reason
        continue
      }
      try {
        const reply = await connection.call('CLUSTER', ['SLOTS'])
        if (!(reply instanceof RedisRefusal)) return this.#take(new SlotMap(parseSlotMap(reply, endpoint)))
        this.#reason = meaningOf(reply.text)
      } catch (error) {
        if (!(error instanceof ZonewiseError)) throw error
        this.#reason = explain(error)
      }
    }
  }

  #take(map: SlotMap): void {
    if (this.#closed || map.endpoints.size === 0) return
    this.#map = map
    for (const [name, endpoint] of map.endpoints) if (!this.#nodes.has(name)) this.#dial(name, endpoint)
    for (const [name, connection] of this.#nodes) {
      if (map.endpoints.has(name)) continue
      this.#nodes.delete(name)
      connection.close()
      this.#closedTraffic = sumOfTraffic([this.#closedTraffic, connection.traffic])
    }
  }

  #dial(name: string, endpoint: RedisEndpoint): RedisConnection {
    const connection = this.#parts.dial(endpoint)
    this.#nodes.set(name, connection)
    return connection
  }
}

type BlockingParts = {
  readonly endpoint: () => RedisEndpoint // @throws as ClusterRedis
  readonly dial: (endpoint: RedisEndpoint) => RedisConnection
  readonly observed: (sent: Promise<RedisReply>) => Promise<RedisReply>
  readonly onDrop: (connection: RedisConnection) => void
  readonly onClose: () => void
}

/** Follows a slot from server to server. */
class BlockingChannel implements RedisChannel {
  readonly #parts: BlockingParts
  #name = ''
  #closed = false
  connection: RedisConnection | null = null

  constructor(parts: BlockingParts) {
    this.#parts = parts
  }

  async call(command: string, args: readonly RedisArgument[]): Promise<RedisReply> {
    if (this.#closed) throw new ZonewiseError('REDIS_UNAVAILABLE', 'Redis did not answer', { reason: 'it was closed' })
    const endpoint = this.#parts.endpoint()
    if (this.connection === null || this.#name !== endpointName(endpoint)) {
      this.#drop()
      this.#name = endpointName(endpoint)
      this.connection = this.#parts.dial(endpoint)
    }
    return this.#parts.observed(this.connection.call(command, args))
  }

  reset(reason: string): void {
    this.connection?.reset(reason)
  }

  close(): void {
    this.#closed = true
    this.#drop()
    this.#parts.onClose()
  }

  #drop(): void {
    if (this.connection === null) return
    this.connection.close()
    this.#parts.onDrop(this.connection)
    this.connection = null
  }
}
