/**
 * Goal: the S3 store keeps its contract with a server that we did not write, also while that server dies and comes back.
 * Method: versitygw on this machine: the conformance suite, the start-up probe, and a kill in the middle of writers.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { S3Server } from '#infra/local/s3-server.ts'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { Rng } from '#shared/runtime/rng.ts'
import type { StoreSettings } from '#shared/store/config.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { probeStore } from '#shared/store/store-probe.ts'
import type { Credentials } from '#shared/store/s3/credentials.ts'
import type { S3Store } from '#shared/store/s3/s3-store.ts'
import { storeSuite } from '#test/conformance/store/store-suite.ts'
import { openFake } from '#test/support/s3/open-fake.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'

const BUCKET = 'bucket-a'
let server: S3Server
const opened: ObjectStore[] = []
let folders = 0

async function open(options: { prefix?: string; bucket?: string; credentials?: Credentials; settings?: Partial<StoreSettings> } = {}): Promise<S3Store> {
  const { prefix = `clusters/${folders++}/`, bucket = BUCKET, credentials = server.credentials, settings = {} } = options
  const store = await openFake({ endpoint: server.endpoint, bucket, prefix, credentials, settings: { s3Region: server.region, ...settings } })
  opened.push(store)
  prefixes.set(store, prefix)
  return store
}
const prefixes = new WeakMap<ObjectStore, string>()

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

describe('versitygw', () => {
  before(async () => {
    server = await S3Server.start({ folder: temporaryFolder(), buckets: [BUCKET], progress: (line) => { process.stdout.write(`${line}\n`) } })
  })
  after(async () => {
    for (const store of opened) await store.close()
    await server.stop()
  })

  storeSuite({
    name: 's3, versitygw',
    open: () => open(),
    reopen: async (store) => {
      await store.close()
      return open({ prefix: prefixes.get(store)! })
    }
  })

  test('s3-service: the server is fit for Zonewise, and the probe leaves nothing behind', async () => {
    const store = await open()
    await probeStore(store, new Rng(3))
    assert.deepEqual(await store.list(''), [])
  })

  test('s3-service: signed payloads are accepted, and a range of a large object is what was written', async () => {
    const store = await open({ settings: { s3SignPayload: true } })
    const chunks = Array.from({ length: 900 }, (_, n) => new Uint8Array(10_007).fill(n))
    await store.putIfAbsent('chunks/large', chunks)
    const whole = Buffer.concat(chunks)
    assert.ok(Buffer.from(await store.get('chunks/large')).equals(whole))
    assert.ok(Buffer.from(await store.get('chunks/large', { start: 5_000_001, end: 7_000_003 })).equals(whole.subarray(5_000_001, 7_000_003)))
  })

  test('s3-service: what is set up wrongly is one sentence', async () => {
    const cases: readonly (readonly [Parameters<typeof open>[0], RegExp])[] = [
      [{ credentials: { accessKeyId: 'nobody', secretAccessKey: 'x' } }, /does not accept the credentials/],
      [{ credentials: { ...server.credentials, secretAccessKey: 'wrong' } }, /does not accept the credentials/],
      [{ bucket: 'no-such-bucket' }, /there is no such bucket/]
    ]
    for (const [options, sentence] of cases) {
      const store = await open(options)
      for (const call of [() => store.putIfAbsent('a', [text('x')]), () => store.get('a'), () => store.list('')]) {
        await assert.rejects(call(), (error) => {
          assert.ok(error instanceof ZonewiseError && error.code === 'STORE_REFUSED', String(error))
          assert.match(explain(error), sentence)
          return true
        })
      }
    }
  })

  test('s3-service: the region that the server names is used', async () => {
    const store = await open({ settings: { s3Region: 'eu-central-1' } })
    await store.putIfAbsent('a', [text('x')])
    assert.equal(Buffer.from(await store.get('a')).toString(), 'x')
  })

  test('s3-service: writers go on over a kill and a restart, and what was said to be durable is there', async () => {
    const store = await open({ settings: { s3AttemptsMax: 100, s3BackoffMaxMs: 100, s3CallTimeoutMs: 60_000 } })
    const durable = new Set<string>()
    let stopped = false
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let n = 0; !stopped; n++) {
        const key = `chunks/${writer}/${n}`
        await store.putIfAbsent(key, [text(key), new Uint8Array(20_000)])
        durable.add(key)
      }
    })
    const enough = async (count: number): Promise<void> => {
      while (durable.size < count) await new Promise((resolve) => { setTimeout(resolve, 10) })
    }
    await enough(30)
    for (const end of ['kill', 'stop'] as const) {
      await server[end]()
      await new Promise((resolve) => { setTimeout(resolve, 200) })
      await server.restart()
      await enough(durable.size + 30)
    }
    stopped = true
    await Promise.all(writers)
    for (const key of durable) assert.equal(Buffer.from(await store.get(key, { start: 0, end: key.length })).toString(), key)
    assert.ok(store.extraRequests.retries > 0)
  })

  test('s3-service: a server that hangs is given up in time, and used again when it goes on', async () => {
    const store = await open({ settings: { s3CallTimeoutMs: 400 } })
    server.pause()
    const puts = async (): Promise<void> => { for (let n = 0; n < 1_000; n++) await store.putIfAbsent(`a/${n}`, [text('x')]) }
    await assert.rejects(puts(), (error) => error instanceof ZonewiseError && error.code === 'STORE_UNAVAILABLE') // the first may be faster than the signal
    server.resume()
    await store.putIfAbsent('b', [text('x')])
  })
})
