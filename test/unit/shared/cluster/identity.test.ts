import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agreeOnClusterId } from '#shared/cluster/cluster-id.ts'
import { nextNodeEpoch } from '#shared/cluster/node-epoch.ts'
import { agreeOnShardCount } from '#shared/cluster/shard-count.ts'
import type { ErrorCode } from '#shared/errors/error-codes.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { MemoryJournal, MemoryJournalMedium } from '#shared/journal/memory-journal.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const { clock, chance } = new ManualRuntime()
const newStore = (): MemoryStore => new MemoryStore(clock)
const newJournal = (): MemoryJournal => new MemoryJournal(new MemoryJournalMedium(), { chance })
const fails = (code: ErrorCode) => (error: unknown): boolean => error instanceof ZonewiseError && error.code === code

test('node-epoch: rises at every start, each node for itself', async () => {
  const store = newStore()
  assert.deepEqual([await nextNodeEpoch(store, 1), await nextNodeEpoch(store, 1), await nextNodeEpoch(store, 11)], [1, 2, 1])
  assert.equal(await nextNodeEpoch(store, 1), 3)
})

test('node-epoch: starts at the same time get different epochs', async () => {
  const store = newStore()
  const epochs = await Promise.all([1, 2, 3, 4, 5].map(() => nextNodeEpoch(store, 7)))
  assert.equal(new Set(epochs).size, 5)
})

test('node-epoch: only the newest two are kept', async () => {
  const store = newStore()
  for (let start = 0; start < 12; start++) await nextNodeEpoch(store, 1)
  const keys = (await store.list('meta/nodes/1/')).map((info) => info.key)
  assert.deepEqual(keys, ['meta/nodes/1/000000000011', 'meta/nodes/1/000000000012'])
})

test('cluster-id: written once, then the same for ever', async () => {
  const [store, journal] = [newStore(), newJournal()]
  assert.equal(await agreeOnClusterId(store, journal, 'first'), 'first')
  assert.equal(await agreeOnClusterId(store, journal, 'second'), 'first')
  assert.equal(await journal.clusterId(), 'first')
})

test('cluster-id: a crash between store and journal is made good', async () => {
  const store = newStore()
  await agreeOnClusterId(store, newJournal(), 'first')
  assert.equal(await agreeOnClusterId(store, newJournal(), 'second'), 'first')
})

test('cluster-id: a node that asked before others made the cluster, and lived, joins it', async () => {
  const [store, journal] = [newStore(), newJournal()]
  const ask = journal.clusterId.bind(journal)
  journal.clusterId = async () => {
    journal.clusterId = ask
    const early = await ask()
    await agreeOnClusterId(store, journal, 'theirs')
    await nextNodeEpoch(store, 1)
    return early
  }
  assert.equal(await agreeOnClusterId(store, journal, 'own'), 'theirs')
})

test('cluster-id: store and journal of different clusters are refused', async () => {
  const [store, journal] = [newStore(), newJournal()]
  await agreeOnClusterId(store, newJournal(), 'one')
  await agreeOnClusterId(newStore(), journal, 'two')
  await assert.rejects(agreeOnClusterId(store, journal, 'three'), fails('CLUSTER_MISMATCH'))
  await assert.rejects(agreeOnClusterId(newStore(), journal, 'three'), fails('CLUSTER_MISMATCH'))
})

test('cluster-id: a store whose nodes have lived is not taken for a new cluster, if without data', async () => {
  const store = newStore()
  await agreeOnClusterId(store, newJournal(), 'one')
  await nextNodeEpoch(store, 1)
  await assert.rejects(agreeOnClusterId(store, newJournal(), 'two'), fails('JOURNAL_MISSING'))
})

test('cluster-id, shard-count: a flipped bit is damage, never another cluster or another number', async () => {
  const [store, journal] = [newStore(), newJournal()]
  await agreeOnClusterId(store, journal, 'one')
  assert.deepEqual([await agreeOnShardCount(store, 16), await agreeOnShardCount(store, 4)], [16, 16])
  for (const key of ['meta/cluster', 'meta/shards']) {
    const bytes = await store.get(key)
    for (let bit = 0; bit < (bytes.length - 1) * 8; bit += 5) {
      const damaged = bytes.slice()
      damaged[bit >>> 3]! ^= 1 << (bit & 7)
      await store.put(key, [damaged])
      const asked = key === 'meta/cluster' ? agreeOnClusterId(store, journal, 'two') : agreeOnShardCount(store, 4)
      await assert.rejects(asked, { code: 'OBJECT_CORRUPT', context: { key, position: 0 } })
    }
  }
})

test('cluster-id: data without its journal is not taken for a new cluster', async () => {
  const store = newStore()
  await agreeOnClusterId(store, newJournal(), 'one')
  await store.put('snapshots/0/1', [])
  await assert.rejects(agreeOnClusterId(store, newJournal(), 'two'), fails('JOURNAL_MISSING'))
})
