import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeProducerIdBlock, encodeTopicDelete, encodeTopicIntent } from '#broker/catalog/catalog-entries.ts'
import { CatalogView } from '#broker/catalog/catalog-view.ts'
import type { Entry } from '#broker/shard/entry.ts'
import { newShardIndex } from '#broker/shard/shard-index.ts'
import { applyEntry, newShardState } from '#broker/shard/shard-state.ts'
import type { ShardView } from '#broker/shard/shard-view.ts'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const IDS = ['Zv9-aB3dQfW_012345678A', 'Zv9-aB3dQfW_012345678Q'] as const

function viewOf(): { view: ShardView; take: (entry: Entry) => void; touched: () => number } {
  const state = newShardState()
  const listeners = new Set<(localIds: ReadonlySet<number>) => void>()
  let touches = 0
  const view: ShardView = {
    shard: CATALOG_SHARD, state, index: newShardIndex(), ageMs: 0, barrier: async () => {}, touch: () => { touches += 1 },
    onAdvance: (fn) => { listeners.add(fn); return () => { listeners.delete(fn) } }
  }
  const take = (entry: Entry): void => {
    applyEntry(state, entry, 0)
    for (const fn of listeners) fn(new Set())
  }
  return { view, take, touched: () => touches }
}

const intent = (topicId: string, name: string): Entry =>
  encodeTopicIntent({ topicId, name, partitionCount: 1, replicationFactor: 1, configs: [], createdMs: 0 })

test('catalog-view: topics are found by name and id and listed by name, deleting ones by id only', async () => {
  const { view, take } = viewOf()
  const catalog = await CatalogView.open({ view: async () => view }, new ManualRuntime().timer)
  let changes = 0
  const stop = catalog.watch(() => { changes += 1 })
  take(intent(IDS[0], 'b'))
  take(intent(IDS[1], 'a'))
  assert.deepEqual(catalog.topics().map(({ name }) => name), ['a', 'b'])
  assert.equal(catalog.topics(), catalog.topics())
  take(encodeTopicDelete({ topicId: IDS[0] }))
  assert.deepEqual(catalog.topics().map(({ name }) => name), ['a'])
  assert.equal(catalog.topicByName('b'), null)
  assert.equal(catalog.topicById(IDS[0])?.state, 'deleting')
  stop()
  take(encodeProducerIdBlock({ firstId: 0, count: 10, timeMs: 60_000 }))
  assert.equal(changes, 3)
})

test('catalog-view: tells when a producer id was given out', () => {
  const { view, take } = viewOf()
  const catalog = new CatalogView(view, new ManualRuntime().timer)
  assert.equal(catalog.producerIdIssuedMs(0), null)
  for (const [i, minute] of [1, 2, 5].entries()) take(encodeProducerIdBlock({ firstId: i * 10, count: 10, timeMs: minute * 60_000 }))
  assert.deepEqual([-1, 0, 9, 10, 29, 30].map((id) => catalog.producerIdIssuedMs(id)), [null, 60_000, 60_000, 120_000, 300_000, null])
})

test('catalog-view: keeps its shard followed until it is closed', async () => {
  const { view, touched } = viewOf()
  const runtime = new ManualRuntime()
  const catalog = new CatalogView(view, runtime.timer)
  await runtime.advance(5_000)
  const before = touched()
  assert(before >= 10)
  catalog.close()
  await runtime.advance(5_000)
  assert.equal(touched(), before)
})
