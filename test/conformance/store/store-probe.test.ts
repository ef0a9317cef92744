/** Each thing that a store may lack is found, and said in one sentence; one that lacks nothing is left as it was. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import { probeStore } from '#shared/store/store-probe.ts'
import { FakeS3, type FakeLacks } from '#test/support/s3/fake-s3.ts'
import { openFake } from '#test/support/s3/open-fake.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const opened: { close(): Promise<void> }[] = []
after(() => Promise.all(opened.map((one) => one.close())))

async function setUp() {
  const fake = await FakeS3.start()
  const store = await openFake({ endpoint: fake.endpoint })
  opened.push(store, fake)
  return { fake, store }
}

test('store-probe: a fit store passes and nothing is left in it', async () => {
  const memory = new MemoryStore(new ManualRuntime().clock)
  await memory.put('meta/cluster', [])
  await probeStore(memory, new Rng(1))
  assert.deepEqual((await memory.list('')).map(({ key }) => key), ['meta/cluster'])
  const { fake, store } = await setUp()
  await probeStore(store, new Rng(1))
  assert.equal(fake.objects.size, 0)
  assert.ok(fake.requests.length <= 100, `${fake.requests.length} requests`)
})

const LACKS: readonly (readonly [FakeLacks, RegExp])[] = [
  [{ conditions: true }, /it has no conditional writes/],
  [{ raceConditions: true }, /of 6 PUTs with "If-None-Match: \*" at the same time [2-6] won instead of one/],
  [{ fresh: true }, /a GET does not see the PUT before it/],
  [{ ranges: true }, /it does not serve ranges of an object/],
  [{ order: true }, /LIST does not show what was written, in the order of bytes/],
  [{ deletes: true }, /a GET does not see the DELETE before it/]
]

for (const [lacks, sentence] of LACKS) {
  test(`store-probe: a store that lacks ${Object.keys(lacks).join()} is refused with a sentence`, async () => {
    const { fake, store } = await setUp()
    Object.assign(fake.lacks, lacks)
    await assert.rejects(probeStore(store, new Rng(1)), (error) => {
      assert.ok(error instanceof ZonewiseError && error.code === 'STORE_UNFIT', String(error))
      assert.match(explain(error), sentence)
      return true
    })
  })
}

test('store-probe: what the store itself refuses is told as it is', async () => {
  const { fake, store } = await setUp()
  fake.fault('*', { kind: 'status', status: 403, code: 'AccessDenied' }, 100)
  await assert.rejects(probeStore(store, new Rng(1)), (error) => error instanceof ZonewiseError && error.code === 'STORE_REFUSED')
})
