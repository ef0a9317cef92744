/** Object store in memory, for tests and simulation: what resolved is there for ever. */
import assert from 'node:assert/strict'
import type { MemoryPool } from '../binary/memory-pool.ts'
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { Clock } from '../runtime/runtime.ts'
import { checkKey, checkPrefix, LIST_MAX } from './key.ts'
import type { ByteRange, ObjectInfo, ObjectStore } from './object-store.ts'

type Held = { readonly bytes: Uint8Array; readonly modifiedMs: number }

export class MemoryStore implements ObjectStore {
  readonly #clock: Clock
  readonly #objects = new Map<string, Held>()
  #sorted: string[] | null = [] // keys in byte order; null: to be sorted at the next list

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async putIfAbsent(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    checkKey(key)
    if (this.#objects.has(key)) throw new ZonewiseError('OBJECT_EXISTS', 'the key is taken', { key })
    this.#set(key, chunks)
  }

  async put(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    checkKey(key)
    this.#set(key, chunks)
  }

  async get(key: string, range?: ByteRange, memory?: MemoryPool): Promise<Uint8Array> {
    checkKey(key)
    const held = this.#objects.get(key)
    if (held === undefined) throw new ZonewiseError('OBJECT_MISSING', 'no such object', { key })
    assert(range === undefined || (range.start >= 0 && range.end >= range.start))
    const found = held.bytes.subarray(range?.start, range?.end)
    if (memory === undefined) return found.slice()
    const copy = memory.take(found.byteLength)
    copy.set(found)
    return copy
  }

  async head(key: string): Promise<ObjectInfo | null> {
    checkKey(key)
    const held = this.#objects.get(key)
    return held === undefined ? null : { key, bytes: held.bytes.byteLength, modifiedMs: held.modifiedMs }
  }

  async list(prefix: string, options: { readonly after?: string; readonly max?: number } = {}): Promise<ObjectInfo[]> {
    checkPrefix(prefix)
    const { after = '', max = LIST_MAX } = options
    const keys = (this.#sorted ??= [...this.#objects.keys()].sort()) // ASCII: the order of bytes
    const found: ObjectInfo[] = []
    for (let at = firstNotBelow(keys, prefix > after ? prefix : after); at < keys.length && found.length < max; at++) {
      const key = keys[at]!
      if (key <= after) continue
      if (!key.startsWith(prefix)) {
        if (key > prefix) break
        continue
      }
      const held = this.#objects.get(key)!
      found.push({ key, bytes: held.bytes.byteLength, modifiedMs: held.modifiedMs })
    }
    return found
  }

  async delete(key: string): Promise<void> {
    checkKey(key)
    if (this.#objects.delete(key)) this.#sorted = null
  }

  async freeBytes(): Promise<number | null> {
    return null
  }

  async close(): Promise<void> {}

  #set(key: string, chunks: readonly Uint8Array[]): void {
    if (!this.#objects.has(key)) this.#sorted = null
    this.#objects.set(key, { bytes: new Uint8Array(Buffer.concat(chunks)), modifiedMs: this.#clock.nowMs() })
  }
}

function firstNotBelow(keys: readonly string[], bound: string): number {
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys[middle]! < bound) low = middle + 1
    else high = middle
  }
  return low
}
