/**
 * One life of a machine: everything outside reaches its nodes through here, and nothing does once it is dead. What they
 * had asked for may still happen in store and journal (it was on its way), but nobody hears of it.
 */
import type { Journal } from '#shared/journal/journal.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import { sleep, type Runtime } from '#shared/runtime/runtime.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import type { Trace } from '../engine/trace.ts'
import type { VirtualTime } from '../engine/virtual-time.ts'

const WALL_START_MS = 1_760_000_000_000
const ROUNDING_MS = 0.001 // of sums of fractions

export type LifeParts = {
  readonly machine: string; readonly name: string; readonly time: VirtualTime; readonly trace: Trace; readonly rng: Rng
}

export class Life {
  readonly machine: string
  readonly name: string
  readonly runtime: Runtime
  readonly #parts: LifeParts
  readonly #ends: (() => void)[] = []
  #alive = true
  #thawsMs = 0
  /** What the machine's wall clock is wrong by. */
  skewMs = 0

  constructor(parts: LifeParts) {
    this.#parts = parts
    this.machine = parts.machine
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
    for (const fn of this.#ends.splice(0)) fn()
  }

  /** Calls `fn` when it ends: at once, if it has. */
  onEnd(fn: () => void): void {
    if (this.#alive) this.#ends.push(fn)
    else fn()
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

  /** Resolves when it stands still no more; never, once it is dead. */
  async thawed(): Promise<void> {
    while (this.frozenMs > 0) await sleep(this.#parts.time, this.frozenMs)
    if (!this.#alive) await never()
  }

  note(what: string): void {
    const { time, trace } = this.#parts
    trace.add(`${time.nowMs} ${this.name} ${what}`)
  }

  /** Calls of a dead machine do nothing and never settle; a live one's never settle if it dies meanwhile. */
  async call<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { time } = this.#parts
    if (!this.#alive) return never()
    try {
      const result = await work()
      if (this.frozenMs > 0) await sleep(time, this.frozenMs)
      if (!this.#alive) return await never()
      this.note(name)
      return result
    } catch (error) {
      if (!this.#alive) return never()
      this.note(`${name} failed: ${(error as Error).message}`)
      throw error
    }
  }
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => {})
}

/** A store as the nodes of one life see it. */
export function storeOf(life: Life, store: ObjectStore): ObjectStore {
  return {
    putIfAbsent: (key, chunks) => life.call(`putIfAbsent ${key}`, () => store.putIfAbsent(key, chunks)),
    put: (key, chunks) => life.call(`put ${key}`, () => store.put(key, chunks)),
    get: (key, ...more) => life.call(`get ${key}`, () => store.get(key, ...more)),
    head: (key) => life.call(`head ${key}`, () => store.head(key)),
    list: (prefix, options) => life.call(`list ${prefix}`, () => store.list(prefix, options)),
    delete: (key) => life.call(`delete ${key}`, () => store.delete(key)),
    freeBytes: () => store.freeBytes(),
    close: () => store.close()
  }
}

/** A journal as the nodes of one life see it. */
export function journalOf(life: Life, journal: Journal): Journal {
  return {
    shard: async (shard) => {
      const inner = await journal.shard(shard)
      return {
        lead: (above, known) => life.call(`lead ${shard}`, () => inner.lead(above, known)),
        append: (epoch, after, body) =>
          life.call(`append ${shard} ${epoch}-${after.seq}`, () => inner.append(epoch, after, body)),
        end: () => life.call(`end ${shard}`, () => inner.end()),
        read: (after, bounds) =>
          life.call(`read ${shard} ${after.epoch}-${after.seq}`, () => inner.read(after, bounds)),
        tail: (onGroup) => inner.tail(onGroup),
        trim: (epoch, to) => life.call(`trim ${shard} ${to.epoch}-${to.seq}`, () => inner.trim(epoch, to))
      }
    },
    create: (shard) => journal.create(shard),
    clusterId: () => journal.clusterId(),
    setClusterId: (clusterId) => journal.setClusterId(clusterId),
    close: () => journal.close()
  }
}
