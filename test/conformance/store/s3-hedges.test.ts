/**
 * Goal: a request that takes unusually long costs the caller little, and the store no more than a bounded share.
 * Method: the twin of S3, quick until the store knows what is usual, then slow for one request.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { StoreSettings } from '#shared/store/config.ts'
import { FakeS3 } from '#test/support/s3/fake-s3.ts'
import { openFake } from '#test/support/s3/open-fake.ts'

const SLOW_MS = 20_000 // so long that a machine under load cannot be meant
const opened: { close(): Promise<void> }[] = []
after(() => Promise.all(opened.map((one) => one.close())))

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

async function setUp(settings: Partial<StoreSettings> = {}) {
  const fake = await FakeS3.start()
  const store = await openFake({ endpoint: fake.endpoint, settings: { s3HedgePercentMax: 50, s3HedgeMinMs: 40, ...settings } })
  opened.push(store, fake)
  for (let n = 0; n < 64; n++) {
    await store.putIfAbsent(`warm/${n}`, [text('x')])
    await store.get(`warm/${n}`, { start: 0, end: 1 })
  }
  const before = store.extraRequests.hedges // the machine may be slow, too
  return { fake, store, hedges: () => store.extraRequests.hedges - before }
}

async function timed(call: Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await call
  return performance.now() - startMs
}

/** Resolves when the server has seen one request given up. */
async function cancelled(fake: FakeS3): Promise<void> {
  while (fake.cancelledCount === 0) await new Promise((resolve) => { setTimeout(resolve, 5) })
  assert.equal(fake.cancelledCount, 1)
}

test('s3-store: a slow PUT is sent again on another connection, and what was created twice is known as one', async () => {
  for (const kind of ['slow', 'slow reply'] as const) { // before the effect, and after it
    const { fake, store, hedges } = await setUp()
    fake.cancelledCount = 0
    fake.fault('PUT', { kind, ms: SLOW_MS })
    const before = fake.requests.length
    const ms = await timed(store.putIfAbsent('chunks/1', [new Uint8Array(50_000).fill(7), text('end')]))
    assert.ok(ms < SLOW_MS / 2, `${kind}: ${ms} ms`)
    assert.equal(hedges(), 1)
    assert.equal(fake.objects.get('clusters/a/chunks/1')?.bytes.byteLength, 50_003)
    const [first, second] = fake.requests.slice(before)
    assert.notEqual(first!.socketId, second!.socketId)
    assert.equal(first!.headers['x-amz-meta-zonewise-put-id'], second!.headers['x-amz-meta-zonewise-put-id'])
    await cancelled(fake)
  }
})

test('s3-store: a slow GET is sent again, and its connection closed', async () => {
  const { fake, store } = await setUp()
  fake.cancelledCount = 0
  fake.fault('GET', { kind: 'slow', ms: SLOW_MS })
  let found: Uint8Array | null = null
  const ms = await timed(store.get('warm/1', { start: 0, end: 1 }).then((bytes) => { found = bytes }))
  assert.ok(ms < SLOW_MS / 2, `${ms} ms`)
  assert.equal(Buffer.from(found!).toString(), 'x')
  await cancelled(fake)
})

test('s3-store: a put that replaces is never sent twice at a time', async () => {
  const { fake, store, hedges } = await setUp()
  for (let n = 0; n < 64; n++) await store.put('meta/x', [text('x')])
  fake.fault('PUT', { kind: 'slow', ms: 300 })
  assert.ok(await timed(store.put('meta/x', [text('y')])) >= 295)
  assert.equal(hedges(), 0)
})

test('s3-store: a store that is slow as a whole is not asked twice for everything', async () => {
  const { fake, store, hedges } = await setUp({ s3HedgePercentMax: 5, s3GetsMax: 16 })
  fake.delayMs = 60
  for (let round = 0; round < 6; round++)
    await Promise.all(Array.from({ length: 16 }, (_, n) => store.get(`warm/${n}`, { start: 0, end: 1 })))
  assert.ok(hedges() <= (64 * 2 + 96) * 0.05 + 1, `${hedges()} hedges`)
})
