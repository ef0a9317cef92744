import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notReadYet } from '#test/drill/cluster/caught-up.ts'
import type { Event } from '#test/simulation/check/history.ts'

const record = { producer: 'p', counter: 0 }
const acked = (partition: string, offset: number): Event => ({ kind: 'acked', partition, record, offset })
const read = (reader: string, partition: string, offset: number): Event =>
  ({ kind: 'read', reader, partition, record, offset })

test('caught-up: a reader has caught up when it read every acknowledged record of each partition', () => {
  const events = [acked('t/0', 1), acked('t/1', 0), acked('u/0', 5), read('a', 't/0', 0), read('a', 't/0', 1)]
  assert.deepEqual(notReadYet(events, 't', ['a']), ['a stands at t/1@0, acknowledged are 1'])
  assert.deepEqual(notReadYet([...events, read('a', 't/1', 0)], 't', ['a']), [])
  assert.equal(notReadYet(events, 't', ['a', 'b']).length, 3)
})
