import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ViewWaiters } from '#broker/reader/view-waiters.ts'
import { ViewTwin } from '#test/support/view-twin.ts'

const TOPIC = 'abcdefghijklmnopqrstuw'

function setUp(): { view: ViewTwin; waiters: ViewWaiters; heard: number[][] } {
  const view = new ViewTwin()
  view.create(TOPIC, [0, 1, 2, 3])
  return { view, waiters: new ViewWaiters(view), heard: [] }
}

test('view-waiters: a waiter hears of its own partitions, all news of a group at once', async () => {
  const { view, waiters, heard } = setUp()
  waiters.wait([1, 2], (localIds) => { heard.push([...localIds].sort()) })
  await view.commit([0, {}], [3, {}])
  assert.deepEqual(heard, [])
  await view.commit([1, {}], [2, {}], [3, {}])
  await view.commit([2, {}])
  assert.deepEqual(heard, [[1, 2], [2]])
})

test('view-waiters: who stops hears no more, others do, and nothing of it stays', async () => {
  const { view, waiters, heard } = setUp()
  const stop = waiters.wait([1], () => { heard.push([1]) })
  const stopOther = waiters.wait([1, 2], () => { heard.push([12]) })
  stop()
  stop()
  await view.commit([1, {}])
  assert.deepEqual(heard, [[12]])
  assert.equal(waiters.partitionCount, 2)
  stopOther()
  assert.equal(waiters.partitionCount, 0)
})

test('view-waiters: a waiter may stop itself and others while it is told', async () => {
  const { view, waiters, heard } = setUp()
  const stops: (() => void)[] = []
  for (let n = 0; n < 3; n++) stops.push(waiters.wait([0], () => { heard.push([n]); for (const stop of stops) stop() }))
  await view.commit([0, {}])
  assert.equal(waiters.partitionCount, 0)
  await view.commit([0, {}])
  assert.ok(heard.length >= 1 && heard.length <= 3)
})
