import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockCache } from '#broker/cache/block-cache.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { makeBatch } from '#test/support/batches.ts'

const settings = { readCacheBytesMax: 2_000, readChunkBytesMax: 4_096, readGapBytesMax: 50, readsMax: 4 }
const clock = { nowMs: () => 1, monotonicMs: () => 1 }
const BATCH = 261 // bytes of one batch here

async function setUp(): Promise<{ cache: BlockCache; store: MemoryStore; gets: { start: number; end: number }[] }> {
  const store = new MemoryStore(clock)
  for (const name of ['a', 'b', 'c']) await store.putIfAbsent(`chunks/${name}`, Array.from({ length: 4 }, () => makeBatch({ valueBytes: 200 })))
  const gets: { start: number; end: number }[] = []
  const counted = new Proxy(store as ObjectStore, {
    get: (target, name) => name === 'get'
      ? (key: string, range: { start: number; end: number }) => { gets.push(range); return target.get(key, range) }
      : Reflect.get(target, name) as unknown
  })
  return { cache: new BlockCache(counted, settings), store, gets }
}

const batch = (at: number): { start: number; end: number } => ({ start: at * BATCH, end: (at + 1) * BATCH })

test('block-cache: what is wanted twice at once is read once, neighbours are joined', async () => {
  const { cache, gets } = await setUp()
  const [one, two] = await Promise.all([cache.read('chunks/a', [batch(0), batch(1)]), cache.read('chunks/a', [batch(1)])])
  assert.deepEqual(gets, [{ start: 0, end: 2 * BATCH }])
  assert.equal(one[0]?.byteLength, BATCH)
  assert.equal(two[0]?.buffer, one[1]?.buffer)
})

test('block-cache: a second miss reads the whole chunk, once', async () => {
  const { cache, gets } = await setUp()
  await cache.read('chunks/a', [batch(0)])
  await cache.read('chunks/a', [batch(3)])
  await cache.read('chunks/a', [batch(1), batch(2)])
  assert.deepEqual(gets, [batch(0), { start: 0, end: settings.readChunkBytesMax }])
  assert.equal(cache.bytes, 4 * BATCH)
})

test('block-cache: holds no more than its bound, oldest out first', async () => {
  const { cache, gets } = await setUp()
  for (const name of ['a', 'b', 'c']) await cache.read(`chunks/${name}`, [{ start: 0, end: 4 * BATCH }])
  assert(cache.bytes <= settings.readCacheBytesMax)
  await cache.read('chunks/c', [batch(2)])
  assert.equal(gets.length, 3)
  await cache.read('chunks/a', [batch(2)])
  assert.equal(gets.length, 4)
})

test('block-cache: a flipped bit names key and position and spares the other batches', async () => {
  const { cache, store } = await setUp()
  const bytes = Buffer.concat([makeBatch({ valueBytes: 200 }), makeBatch({ valueBytes: 200 })])
  bytes[BATCH + 100]! ^= 1
  await store.put('chunks/d', [bytes])
  await assert.rejects(cache.read('chunks/d', [batch(1)]), (error) => error instanceof ZonewiseError && error.code === 'OBJECT_CORRUPT'
    && error.context['key'] === 'chunks/d' && error.context['position'] === BATCH)
  assert.equal((await cache.read('chunks/d', [batch(0)]))[0]?.byteLength, BATCH)
})

test('block-cache: a missing object is said each time and not remembered', async () => {
  const { cache, store } = await setUp()
  await assert.rejects(cache.read('chunks/e', [batch(0)]), { code: 'OBJECT_MISSING' })
  await store.putIfAbsent('chunks/e', [makeBatch({ valueBytes: 200 })])
  assert.equal((await cache.read('chunks/e', [batch(0)]))[0]?.byteLength, BATCH)
})
