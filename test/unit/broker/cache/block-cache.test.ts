/**
 * Goal: what readers of a zone want is read once, checked, bounded, and given back: the tail is not pushed out by those
 * who read far behind it, one bad range spares the others, and no hold is forgotten.
 * Method: a memory store whose reads are counted, memory that is written over when it is released.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockCache, type BlockCacheSettings } from '#broker/cache/block-cache.ts'
import { MemoryPool, release } from '#shared/binary/memory-pool.ts'
import { batchCrcMatches } from '#shared/records/batch-header.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import type { ByteRange, ObjectStore } from '#shared/store/object-store.ts'
import { makeBatch } from '#test/support/batches.ts'

const BATCH = 8_061 // bytes of one batch here
const CHUNK_BATCHES = 4
const KEPT = 8_192 + 512 // what one batch takes in the cache at most
const COLD = 1_000_000 // chunks behind
const clock = { nowMs: () => 1, monotonicMs: () => 1 }
const defaults: BlockCacheSettings = {
  readCacheBytesMax: 100 * KEPT, readChunkBytesMax: 2 ** 20, readGapBytesMax: 50, readAheadBytesMax: 10 * BATCH,
  readsMax: 4, readBytesMax: 2 ** 24, readsWaitingMax: 1_000
}

type Get = { readonly key: string; readonly range: ByteRange }
type Test = { cache: BlockCache; store: MemoryStore; memory: MemoryPool; gets: Get[]; gate: { open: Promise<void> | null } }

async function setUp(given: Partial<BlockCacheSettings> = {}, chunks = 3): Promise<Test> {
  const store = new MemoryStore(clock)
  for (let n = 0; n < chunks; n++) await store.putIfAbsent(`chunks/${n}`, batches(CHUNK_BATCHES))
  const gets: Get[] = []
  const gate: { open: Promise<void> | null } = { open: null }
  const counted = new Proxy(store as ObjectStore, {
    get: (target, name) => name !== 'get' ? (Reflect.get(target, name) as (...args: unknown[]) => unknown).bind(target)
      : async (key: string, range: ByteRange, memory?: MemoryPool) => {
        gets.push({ key, range })
        if (gate.open !== null) await gate.open
        return target.get(key, range, memory)
      }
  })
  const memory = new MemoryPool({ regionBytes: 2 ** 20, poison: true })
  return { cache: new BlockCache(counted, memory, { ...defaults, ...given }), store, memory, gets, gate }
}

const batches = (count: number): Buffer[] => Array.from({ length: count }, () => makeBatch({ valueBytes: BATCH - 61 }))
const batch = (at: number): ByteRange => ({ start: at * BATCH, end: (at + 1) * BATCH })
const all: ByteRange = { start: 0, end: CHUNK_BATCHES * BATCH }

/** Reads and gives back. */
async function readOnce({ cache }: Test, key: string, ranges: readonly ByteRange[], chunksBehind = 0): Promise<void> {
  for (const bytes of await Promise.all(cache.read(key, ranges, chunksBehind))) release(bytes)
}

/** Closes the cache and proves that nobody holds anything. */
function assertNothingHeld({ cache, memory }: Test): void {
  cache.clear()
  assert.equal(memory.heldBytes, 0)
}

test('block-cache: what is wanted twice at once is read once, neighbours are joined', async () => {
  const t = await setUp()
  const [one, two, again] = await Promise.all([...t.cache.read('chunks/0', [batch(0), batch(1)], 0), ...t.cache.read('chunks/0', [batch(1)], 0)])
  assert.deepEqual(t.gets.map(({ range }) => range), [{ start: 0, end: 2 * BATCH }])
  assert.equal(one!.byteLength, BATCH)
  assert.equal(two!.buffer, again!.buffer)
  for (const bytes of [one!, two!, again!]) release(bytes)
  assertNothingHeld(t)
})

test('block-cache: at the tail a second miss reads the rest of the chunk, once', async () => {
  const t = await setUp()
  await readOnce(t, 'chunks/0', [batch(0)])
  await readOnce(t, 'chunks/0', [batch(3)])
  await readOnce(t, 'chunks/0', [batch(1), batch(2)])
  assert.deepEqual(t.gets.map(({ range }) => range), [batch(0), { start: 0, end: defaults.readChunkBytesMax }])
  assertNothingHeld(t)
})

test('block-cache: a big chunk is read in pieces, cut where a range is known to end, and no piece twice', async () => {
  const t = await setUp({ readChunkBytesMax: 2 ** 24, readCacheBytesMax: 2 ** 26, readBytesMax: 2 ** 26 })
  const MiB = 2 ** 20
  const sizes = [1.5, 1.5, 1.5, 1.5, 1.5].map((size) => Math.floor(size * MiB))
  const payload = sizes.map((size) => makeBatch({ valueBytes: size - 61 }))
  await t.store.put('chunks/big', payload)
  const of = (i: number): ByteRange => {
    const start = sizes.slice(0, i).reduce((sum, size) => sum + size, 0)
    return { start, end: start + sizes[i]! }
  }
  const seen = (): number[][] => t.gets.splice(0).map(({ range }) => [range.start / MiB, range.end / MiB])
  await readOnce(t, 'chunks/big', [of(1)])
  assert.deepEqual(seen(), [[1.5, 3]])
  await readOnce(t, 'chunks/big', [of(4)])
  assert.deepEqual(seen(), [[0, 3], [3, 6], [6, 7.5]])
  for (let i = 0; i < 5; i++) await readOnce(t, 'chunks/big', [of(i)])
  assert.deepEqual(seen(), [])
  assertNothingHeld(t)
})

test('block-cache: far behind the tail only what is wanted is read', async () => {
  const t = await setUp()
  for (const at of [0, 2, 0]) await readOnce(t, 'chunks/0', [batch(at)], COLD)
  assert.deepEqual(t.gets.map(({ range }) => range), [batch(0), batch(2)])
  assertNothingHeld(t)
})

test('block-cache: holds no more than its bound, what was used longest ago out first', async () => {
  const t = await setUp({ readCacheBytesMax: 9 * KEPT })
  for (const n of [0, 1, 2]) await readOnce(t, `chunks/${n}`, [all])
  assert.ok(t.cache.bytes <= 9 * KEPT)
  await readOnce(t, 'chunks/2', [batch(2)])
  assert.equal(t.gets.length, 3)
  await readOnce(t, 'chunks/0', [batch(2)])
  assert.equal(t.gets.length, 4)
  assertNothingHeld(t)
})

test('block-cache: what falls out stays whole for who was given it', async () => {
  const t = await setUp({ readCacheBytesMax: 5 * KEPT })
  const [bytes] = await Promise.all(t.cache.read('chunks/0', [batch(1)], 0))
  for (const n of [1, 2]) await readOnce(t, `chunks/${n}`, [all])
  assert.ok(batchCrcMatches(bytes!, 0, BATCH), 'not written over')
  release(bytes!)
  assert.ok(!batchCrcMatches(bytes!, 0, BATCH), 'and then used again')
  assertNothingHeld(t)
})

test('block-cache: readers far behind never push out the tail, and use what is free', async () => {
  const t = await setUp({ readCacheBytesMax: 20 * KEPT }, 40)
  for (const n of [0, 1, 2]) await readOnce(t, `chunks/${n}`, [all])
  for (let n = 3; n < 40; n++) await readOnce(t, `chunks/${n}`, [all], COLD)
  assert.ok(t.cache.bytes > 15 * KEPT)
  const before = t.gets.length
  for (const n of [0, 1, 2]) await readOnce(t, `chunks/${n}`, [all])
  assert.equal(t.gets.length, before, 'the tail is still there')
  await readOnce(t, 'chunks/39', [all], COLD)
  assert.equal(t.gets.length, before, 'so is what was read last behind it')
  assertNothingHeld(t)
})

test('block-cache: a chunk of the tail stays one when somebody reads it from far behind', async () => {
  const t = await setUp({ readCacheBytesMax: 9 * KEPT }, 6)
  await readOnce(t, 'chunks/0', [all])
  await readOnce(t, 'chunks/0', [all], COLD)
  for (let n = 1; n < 6; n++) await readOnce(t, `chunks/${n}`, [all], COLD)
  const before = t.gets.length
  await readOnce(t, 'chunks/0', [all])
  assert.equal(t.gets.length, before)
  assertNothingHeld(t)
})

test('block-cache: a flipped bit names key and position and spares the other ranges of the call', async () => {
  const t = await setUp()
  const bytes = Buffer.concat(batches(3))
  bytes[BATCH + 100]! ^= 1
  await t.store.put('chunks/d', [bytes])
  const read = await Promise.allSettled(t.cache.read('chunks/d', [batch(0), batch(1), batch(2)], 0))
  assert.deepEqual(read.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled'])
  const reason: unknown = (read[1] as PromiseRejectedResult).reason
  assert.ok(reason instanceof ZonewiseError && reason.code === 'OBJECT_CORRUPT')
  assert.deepEqual([reason.context['key'], reason.context['position']], ['chunks/d', BATCH])
  for (const one of read) if (one.status === 'fulfilled') release(one.value)
  assertNothingHeld(t)
})

test('block-cache: damage that was put right is noticed by the next reader', async () => {
  const t = await setUp()
  const bytes = Buffer.concat(batches(2))
  const damaged = Buffer.from(bytes)
  damaged[BATCH + 100]! ^= 1
  await t.store.put('chunks/d', [damaged])
  await assert.rejects(Promise.all(t.cache.read('chunks/d', [batch(1)], 0)), { code: 'OBJECT_CORRUPT' })
  await t.store.put('chunks/d', [bytes])
  await readOnce(t, 'chunks/d', [batch(1)])
  assertNothingHeld(t)
})

test('block-cache: a chunk shorter than its index says is damage of the ranges behind its end', async () => {
  const t = await setUp()
  const read = await Promise.allSettled(t.cache.read('chunks/0', [batch(0), batch(9)], 0))
  assert.deepEqual(read.map(({ status }) => status), ['fulfilled', 'rejected'])
  assert.equal(((read[1] as PromiseRejectedResult).reason as ZonewiseError).code, 'OBJECT_CORRUPT')
  release((read[0] as PromiseFulfilledResult<Uint8Array>).value)
  assertNothingHeld(t)
})

test('block-cache: a missing object is said each time and not remembered', async () => {
  const t = await setUp()
  await assert.rejects(Promise.all(t.cache.read('chunks/e', [batch(0)], 0)), { code: 'OBJECT_MISSING' })
  await t.store.putIfAbsent('chunks/e', batches(1))
  await readOnce(t, 'chunks/e', [batch(0)])
  assertNothingHeld(t)
})

test('block-cache: what was read ahead is not read again, and no more is read ahead than may wait for its readers', async () => {
  const t = await setUp({ readAheadBytesMax: 8 * BATCH })
  for (const n of [0, 1, 2]) t.cache.readAhead(`chunks/${n}`, [all], COLD)
  await new Promise(setImmediate)
  assert.deepEqual(t.gets.map(({ key }) => key), ['chunks/0', 'chunks/1'])
  await readOnce(t, 'chunks/0', [all], COLD)
  assert.equal(t.gets.length, 2)
  t.cache.readAhead('chunks/2', [all], COLD)
  await new Promise(setImmediate)
  assert.equal(t.gets.length, 3, 'one was asked for: there is room for another')
  assertNothingHeld(t)
})

test('block-cache: reading ahead waits for nobody and fails silently', async () => {
  const t = await setUp({ readsMax: 1 })
  t.cache.readAhead('chunks/missing', [all], COLD)
  t.cache.readAhead('chunks/1', [all], COLD)
  await new Promise(setImmediate)
  assert.deepEqual(t.gets.map(({ key }) => key), ['chunks/missing'], 'the store is busy')
  t.cache.readAhead('chunks/1', [all], COLD)
  await readOnce(t, 'chunks/1', [all], COLD)
  assert.equal(t.gets.length, 2)
  assertNothingHeld(t)
})

test('block-cache: what is on its way when the cache is cleared is given back', async () => {
  const t = await setUp()
  const gate = Promise.withResolvers<void>()
  t.gate.open = gate.promise
  const reading = t.cache.read('chunks/0', [all], 0)
  t.cache.readAhead('chunks/1', [all], 0)
  await new Promise(setImmediate)
  t.cache.clear()
  gate.resolve()
  const [bytes] = await Promise.all(reading)
  assert.ok(batchCrcMatches(bytes!, 0, BATCH))
  release(bytes!)
  await new Promise(setImmediate)
  assert.equal(t.memory.heldBytes, 0)
})
