import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReadQueue } from '#broker/cache/read-queue.ts'

type Started = { readonly name: string; readonly end: () => void }

function setUp(given: { readsMax?: number; readBytesMax?: number; readsWaitingMax?: number } = {}) {
  const queue = new ReadQueue({ readsMax: 100, readBytesMax: 1_000, readsWaitingMax: 100, ...given })
  const started: Started[] = []
  const run = (name: string, bytes: number): Promise<string> => queue.run(bytes, () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    started.push({ name, end: () => { resolve(name) } })
    return promise
  })
  const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })
  return { queue, run, turn, started, names: () => started.map(({ name }) => name) }
}

test('read-queue: reads wait for room by count and by bytes, and start in the order they came', async () => {
  const t = setUp({ readsMax: 2 })
  void t.run('a', 600)
  void t.run('b', 600)
  void t.run('c', 10)
  await t.turn()
  assert.deepEqual(t.names(), ['a'], 'c does not overtake b')
  t.started[0]!.end()
  await t.turn()
  assert.deepEqual(t.names(), ['a', 'b', 'c'])
  void t.run('d', 1)
  await t.turn()
  assert.equal(t.names().length, 3, 'two at a time')
})

test('read-queue: a read larger than the bound runs alone', async () => {
  const t = setUp()
  void t.run('huge', 5_000)
  void t.run('small', 1)
  await t.turn()
  assert.deepEqual(t.names(), ['huge'])
  t.started[0]!.end()
  await t.turn()
  assert.deepEqual(t.names(), ['huge', 'small'])
})

test('read-queue: what would wait behind too many is refused, and nothing of it is counted', async () => {
  const t = setUp({ readsMax: 1, readsWaitingMax: 1 })
  void t.run('a', 1)
  void t.run('b', 1)
  await assert.rejects(t.run('c', 1), { code: 'OVERLOADED' })
  t.started[0]!.end()
  await t.turn()
  t.started[1]!.end()
  await t.turn()
  assert.equal(t.queue.isFree(1_000), true)
})

test('read-queue: a read that fails makes room too', async () => {
  const t = setUp({ readsMax: 1 })
  await assert.rejects(t.queue.run(900, () => Promise.reject(new Error('broken'))), /broken/)
  assert.equal(t.queue.isFree(1_000), true)
})
