/** The ground of a real cluster: journals and registry in one Redis, chunks in one store, both elsewhere. */
import type { Waiting } from '#cli/node/waiting.ts'
import { redisSettings } from '#shared/journal/redis-config.ts'
import { openRedisJournal } from '#shared/journal/redis-journal.ts'
import type { Log } from '#shared/log/log.ts'
import { FaultyStore } from '#shared/store/faulty-store.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import type { Redis } from '#shared/runtime/redis.ts'
import type { Footing, GroundParts } from './ground.ts'
import { storeOf, type Life } from './life.ts'
import { reachedStore } from './reach.ts'
import { type OnEntry, RedisServer } from './sim-redis.ts'

export const PREFIX = 'zw'
const TAIL_BLOCK_MS = 2_000

export type ClusterFooting = Omit<Footing, 'clusterId'> & { readonly redis: Redis }

export class ClusterGround {
  readonly server: RedisServer
  readonly #parts: GroundParts
  readonly #store: MemoryStore

  constructor(parts: GroundParts & { readonly onEntry: OnEntry }) {
    this.#parts = parts
    const { time, rng, faults, onEntry } = parts
    const clock = { nowMs: () => Math.floor(time.nowMs) + 1, monotonicMs: () => time.nowMs } // of server and store
    this.#store = new MemoryStore(clock)
    this.server = new RedisServer({ time, chance: rng.fork(), faults, clock, onEntry })
  }

  /** Connects one life: waits until Redis can be asked. */
  async open(life: Life, waiting: Waiting, log: Log): Promise<ClusterFooting> {
    const { time, rng, faults } = this.#parts
    const redis = this.server.connect(life)
    const faulty = new FaultyStore(this.#store, time, rng.fork())
    const applyFaults = (): void => { Object.assign(faulty.faults, faults.store) }
    const settings = { ...redisSettings.defaults(), redisTailBlockMs: TAIL_BLOCK_MS }
    const journal = await waiting.until('Redis', () => openRedisJournal({
      redis, prefix: PREFIX, slotGroups: 1, runtime: life.runtime, log, settings
    }))
    applyFaults() // as they are by now
    const end = (): void => { void journal.close(); void redis.close() }
    return { redis, journal, store: storeOf(life, reachedStore(life, faulty, faults, time)), applyFaults, end }
  }
}
