/**
 * Goal: no reader answers without a barrier that may know less than what clients of the gateway were shown.
 * Method: readers that are asked and answer in all orders that matter.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReadersTold } from '#gateway/fetch/readers-told.ts'

const SHARD = 5
const [ONE, OTHER] = [1, 2]

test('readers told: one that was asked and has answered need not look again, for its shard', () => {
  const told = new ReadersTold()
  const ticket = told.ask(SHARD, ONE)
  assert.equal(ticket.isFresh, true)
  assert.equal(told.ask(SHARD, ONE).isFresh, true) // no answer yet
  told.answered(SHARD, ONE, ticket)
  assert.deepEqual([told.ask(SHARD, ONE), told.ask(SHARD, OTHER), told.ask(SHARD + 1, ONE)].map(
    ({ isFresh }) => isFresh
  ),
    [false, true, true])
})

test('readers told: an answer that comes across another reader\'s leaves nobody who knows all', () => {
  const told = new ReadersTold()
  told.answered(SHARD, ONE, told.ask(SHARD, ONE))
  const waiting = told.ask(SHARD, ONE) // a long poll
  told.answered(SHARD, OTHER, told.ask(SHARD, OTHER))
  assert.equal(told.ask(SHARD, OTHER).isFresh, false)
  told.answered(SHARD, ONE, waiting) // shows what the other may not know yet
  assert.equal(told.ask(SHARD, OTHER).isFresh, true)
  assert.equal(told.ask(SHARD, ONE).isFresh, true)
})

test('readers told: a barrier counts for what was told before it only', () => {
  const told = new ReadersTold()
  told.answered(SHARD, ONE, told.ask(SHARD, ONE))
  const waiting = told.ask(SHARD, ONE)
  const looking = told.ask(SHARD, OTHER)
  const again = told.ask(SHARD, OTHER)
  told.answered(SHARD, OTHER, looking)
  told.answered(SHARD, ONE, waiting)
  told.answered(SHARD, OTHER, again) // it looked before the first told more
  assert.equal(told.ask(SHARD, OTHER).isFresh, true)
  told.answered(SHARD, OTHER, told.ask(SHARD, OTHER))
  assert.equal(told.ask(SHARD, OTHER).isFresh, false)
})
