/**
 * Goal: a second opinion: the S3 store keeps its contract with whatever server the caller names.
 * Method: the conformance suite, the start-up probe and races of writers in TEST_S3_BUCKET of the server at
 * AWS_ENDPOINT_URL, with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION. Skipped where none is named.
 */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { Rng } from '#shared/runtime/rng.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { probeStore } from '#shared/store/store-probe.ts'
import { storeSuite } from '#test/conformance/store/store-suite.ts'
import { openFake } from '#test/support/s3/open-fake.ts'

const {
  TEST_S3_BUCKET: bucket, AWS_ENDPOINT_URL: endpoint = '', AWS_ACCESS_KEY_ID: accessKeyId = '',
  AWS_SECRET_ACCESS_KEY: secretAccessKey = '', AWS_REGION: s3Region = 'us-east-1'
} = process.env
const RACES = 100
const WRITERS = 8
const run = `suite-${Date.now()}` // what an earlier run left is not looked at
const prefixes = new WeakMap<ObjectStore, string>()
const opened: ObjectStore[] = []
let folders = 0

async function open(prefix = `${run}/${folders++}/`): Promise<ObjectStore> {
  const credentials = { accessKeyId, secretAccessKey }
  const store = await openFake({ endpoint, bucket: bucket!, prefix, credentials, settings: { s3Region } })
  prefixes.set(store, prefix)
  opened.push(store)
  return store
}

if (bucket === undefined) test('any-s3: a server of your own', { skip: 'TEST_S3_BUCKET names none' }, () => {})
else describe(endpoint, () => {
  after(async () => { for (const store of opened) await store.close() })

  storeSuite({
    name: 's3, the server named',
    open: () => open(),
    reopen: async (store) => {
      await store.close()
      return open(prefixes.get(store)!)
    }
  })

  test('any-s3: it is fit for Zonewise', async () => {
    const store = await open()
    await probeStore(store, new Rng(3))
    assert.deepEqual(await store.list(''), [])
  })

  test(`any-s3: of ${WRITERS} writers of one key one wins, ${RACES} times`, async () => {
    const store = await open()
    for (let race = 0; race < RACES; race++) {
      const ends = await Promise.allSettled(Array.from({ length: WRITERS }, (_, writer) =>
        store.putIfAbsent(`chunks/${race}`, [new Uint8Array(1_000).fill(writer)])))
      const winners = [...ends.keys()].filter((writer) => ends[writer]!.status === 'fulfilled')
      assert.equal(winners.length, 1, `race ${race}`)
      assert.equal((await store.get(`chunks/${race}`))[0], winners[0])
    }
  })
})
