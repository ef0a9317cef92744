/**
 * Goal: nothing that a client may never be told passes unseen.
 * Method: what the client process says, with planted violations, into a history that is judged.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noteSaid, type Said } from '#test/drill/cluster/client-said.ts'
import { check } from '#test/simulation/check/checker.ts'
import { History } from '#test/simulation/check/history.ts'

const sent = (counter: number): Said => ({ kind: 'sent', partition: 0, counter })
const acked = (counter: number, offset: number): Said => ({ kind: 'acked', partition: 0, counter, offset, ms: 1 })
const read = (counter: number, offset: number): Said => ({ kind: 'read', partition: 0, counter, offset, producer: 'c' })
const error = (code: string, fatal = false): Said => ({ kind: 'error', who: 'consumer', code, text: '', fatal })

/** The rules that are broken where the partition holds records 0, 1, 2 of the client in the end. */
function rulesOf(said: readonly Said[]): string[] {
  const history = new History()
  history.producers.set('c', 'idempotent')
  for (const counter of [0, 1, 2]) noteSaid(sent(counter), { name: 'c', topic: 't' }, history)
  for (const one of said) noteSaid(one, { name: 'c', topic: 't' }, history)
  const records = [0, 1, 2].map((counter) => ({ offset: counter, record: { producer: 'c', counter } }))
  history.finals.push({ reader: 'final', partition: 't/0', records })
  return check(history).map(({ rule }) => rule)
}

test('client-said: lost connections and brokers, and all that fits, are no violation', () => {
  const said = [acked(0, 0), error('_TRANSPORT'), read(0, 0), read(1, 1), error('_ALL_BROKERS_DOWN'), acked(2, 2)]
  assert.deepEqual(rulesOf(said), [])
})

test('client-said: finds acks and reads that do not fit', () => {
  assert.deepEqual(rulesOf([acked(1, 2)]), ['an ack names the offset'])
  assert.deepEqual(rulesOf([acked(3, 3)]), ['no acked record is lost'])
  assert.deepEqual(rulesOf([read(0, 0), read(2, 2)]), ['readers skip nothing'])
  assert.deepEqual(rulesOf([read(1, 0)]), ['an offset never changes'])
})

test('client-said: an ack without an offset is one of a record that is there', () => {
  const unplaced = (counter: number): Said => ({ kind: 'acked', partition: 0, counter, offset: null, ms: 1 })
  assert.deepEqual(rulesOf([unplaced(1)]), [])
  assert.deepEqual(rulesOf([unplaced(3)]), ['no acked record is lost'])
})

test('client-said: readers of one process read each on its own', () => {
  const of = (reader: string): Said[] => [{ ...read(0, 0), reader } as Said, { ...read(1, 1), reader } as Said]
  assert.deepEqual(rulesOf([...of('a'), ...of('b')]), [])
})

test('client-said: finds clients that are sent back, records not delivered, and errors that end a client', () => {
  assert.deepEqual(rulesOf([{ kind: 'sent-back', partition: 0, high: 1, before: 2 }]), ['no client is sent back'])
  const astray: Said = { kind: 'astray', partition: 0, offset: 3, wanted: 2, reader: 'jumper' }
  assert.deepEqual(rulesOf([astray]), ['no client is sent back'])
  const undelivered: Said = { kind: 'undelivered', partition: 0, counter: 1, code: '_MSG_TIMED_OUT', text: '' }
  assert.deepEqual(rulesOf([undelivered]), ['clients deliver'])
  for (const code of ['_AUTO_OFFSET_RESET', '_LOG_TRUNCATION', 'OFFSET_OUT_OF_RANGE'])
    assert.deepEqual(rulesOf([error(code)]), ['clients go on'])
  assert.deepEqual(rulesOf([error('_TRANSPORT', true)]), ['clients go on'])
})
