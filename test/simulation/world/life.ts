/**
 * One life of a node: everything outside reaches it through here, and nothing does once it is dead. What it had asked
 * for may still happen in store and journal (it was on its way), but nobody hears of it.
 */
import type { MemoryPool } from '#shared/binary/memory-pool.ts'
import type { Journal, ShardJournal } from '#shared/journal/journal.ts'
import { MemoryJournal, type MemoryJournalMedium } from '#shared/journal/memory-journal.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import { sleep, type Runtime } from '#shared/runtime/runtime.ts'
import { FaultyStore } from '#shared/store/faulty-store.ts'
import type { ByteRange, ObjectStore } from '#shared/store/object-store.ts'
import type { Trace } from '../engine/trace.ts'
import type { VirtualTime } from '../engine/virtual-time.ts'

const WALL_START_MS = 1_760_000_000_000
const ROUNDING_MS = 0.001 // of sums of fractions

export type LifeParts = { readonly name: string; readonly time: VirtualTime; readonly trace: Trace; readonly rng: Rng }

export class Life {
  readonly name: string
  readonly runtime: Runtime
  readonly #parts: LifeParts
  #alive = true
  #thawsMs = 0
  /** What the node's wall clock is wrong by. */
  skewMs = 0

  constructor(parts: LifeParts) {
    this.#parts = parts
    this.name = parts.name
    const { time, rng } = parts
    this.runtime = {
      clock: { nowMs: () => Math.floor(WALL_START_MS + time.nowMs + this.skewMs), monotonicMs: () => time.nowMs },
      timer: {
        after: (ms, fn) => {
          let cancel = time.after(ms, () => {
            if (this.frozenMs > 0) cancel = time.after(this.frozenMs, () => { if (this.#alive) fn() })
            else if (this.#alive) fn()
          })
          return () => cancel()
        },
        soon: (fn) => { time.soon(() => { if (this.#alive) fn() }) }
      },
      chance: rng
    }
  }

  get alive(): boolean {
    return this.#alive
  }

  end(): void {
    this.#alive = false
  }

  /** Stands still for `ms`, as a process that is not scheduled: no timer, no answer, no byte comes in. */
  freeze(ms: number): void {
    this.#thawsMs = this.#parts.time.nowMs + ms
  }

  /** How long it stands still from now on. */
  get frozenMs(): number {
    const leftMs = this.#thawsMs - this.#parts.time.nowMs
    return leftMs > ROUNDING_MS ? leftMs : 0
  }

  /** Calls of a dead node do nothing and never settle; a live one's never settle if it dies meanwhile. */
  async call<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { time, trace } = this.#parts
    if (!this.#alive) return never()
    try {
      const result = await work()
      if (this.frozenMs > 0) await sleep(time, this.frozenMs)
      if (!this.#alive) return await never()
      trace.add(`${time.nowMs} ${this.name} ${name}`)
      return result
    } catch (error) {
      if (!this.#alive) return never()
      trace.add(`${time.nowMs} ${this.name} ${name} failed: ${(error as Error).message}`)
      throw error
    }
  }
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => {})
}

export class LifeStore implements ObjectStore {
  readonly #life: Life
  readonly faulty: FaultyStore

  constructor(life: Life, store: ObjectStore, time: VirtualTime, rng: Rng) {
    this.#life = life
    this.faulty = new FaultyStore(store, time, rng)
  }

  putIfAbsent(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#life.call(`putIfAbsent ${key}`, () => this.faulty.putIfAbsent(key, chunks))
  }

  put(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#life.call(`put ${key}`, () => this.faulty.put(key, chunks))
  }

  get(key: string, range?: ByteRange, memory?: MemoryPool): Promise<Uint8Array> {
    return this.#life.call(`get ${key}`, () => this.faulty.get(key, range, memory))
  }

  head(key: string): ReturnType<ObjectStore['head']> {
    return this.#life.call(`head ${key}`, () => this.faulty.head(key))
  }

  list(prefix: string, options?: { readonly after?: string; readonly max?: number }): ReturnType<ObjectStore['list']> {
    return this.#life.call(`list ${prefix}`, () => this.faulty.list(prefix, options))
  }

  delete(key: string): Promise<void> {
    return this.#life.call(`delete ${key}`, () => this.faulty.delete(key))
  }

  freeBytes(): Promise<number | null> {
    return this.faulty.freeBytes()
  }

  close(): Promise<void> {
    return this.faulty.close()
  }
}

export class LifeJournal implements Journal {
  readonly #life: Life
  readonly memory: MemoryJournal

  constructor(life: Life, medium: MemoryJournalMedium, time: VirtualTime, rng: Rng) {
    this.#life = life
    this.memory = new MemoryJournal(medium, { chance: rng, timer: time })
  }

  async shard(shard: number): Promise<ShardJournal> {
    const life = this.#life
    const inner = await this.memory.shard(shard)
    return {
      lead: (above, known) => life.call(`lead ${shard}`, () => inner.lead(above, known)),
      append: (epoch, after, body) => life.call(`append ${shard} ${epoch}-${after.seq}`, () => inner.append(epoch, after, body)),
      end: () => life.call(`end ${shard}`, () => inner.end()),
      read: (after, bounds) => life.call(`read ${shard} ${after.epoch}-${after.seq}`, () => inner.read(after, bounds)),
      tail: (onGroup) => inner.tail(onGroup),
      trim: (epoch, to) => life.call(`trim ${shard} ${to.epoch}-${to.seq}`, () => inner.trim(epoch, to))
    }
  }

  create(shard: number): Promise<void> { return this.memory.create(shard) }
  clusterId(): Promise<string | null> { return this.memory.clusterId() }
  setClusterId(clusterId: string): Promise<void> { return this.memory.setClusterId(clusterId) }
  close(): Promise<void> { return this.memory.close() }
}
