import assert from 'node:assert/strict'
import { test } from 'node:test'
import { check } from './check/checker.ts'
import { History, type ProducerKind } from './check/history.ts'

type Told = Parameters<History['add']>[0]

/** A history of one partition `t/0` that ends with `final`, written as `p0 p1`: producer and counter. */
function rulesOf(
  final: string, told: readonly Told[], kind: ProducerKind = 'plain', otherFinal: string | null = null
): string[] {
  const history = new History()
  for (const producer of ['p', 'q']) history.producers.set(producer, kind)
  const logOf = (text: string): { offset: number; record: { producer: string; counter: number } }[] =>
    text.split(' ').flatMap((word, offset) => (word === '' || word === '-' ? [] : [{ offset, record: recordOf(word) }]))
  const all = [...logOf(final), ...logOf(otherFinal ?? '')]
  for (const { record } of all) history.add({ kind: 'sent', partition: 't/0', record })
  for (const event of told) history.add(event)
  history.finals.push({ reader: 'a', partition: 't/0', records: logOf(final) })
  if (otherFinal !== null) history.finals.push({ reader: 'b', partition: 't/0', records: logOf(otherFinal) })
  return [...new Set(check(history).map(({ rule }) => rule))]
}

function recordOf(word: string): { producer: string; counter: number } {
  return { producer: word[0]!, counter: Number(word.slice(1)) }
}

const acked = (word: string, offset: number): Told =>
  ({ kind: 'acked', partition: 't/0', record: recordOf(word), offset })
const read = (word: string, offset: number, reader = 'r'): Told =>
  ({ kind: 'read', reader, partition: 't/0', offset, record: recordOf(word) })
const end = (endOffset: number, askedAt: number): Told => ({ kind: 'end', partition: 't/0', endOffset, askedAt })

test('checker: has nothing to say of a history where all fits', () => {
  assert.deepEqual(
    rulesOf(
      'p0 q0 p1', [acked('p0', 0), read('p0', 0), read('q0', 1), acked('q0', 1), end(2, 7), acked('p1', 2)],
      'idempotent', 'p0 q0 p1'
    ),
    []
  )
})

test('checker: finds an acked record that is nowhere', () => {
  assert.deepEqual(rulesOf('p0', [acked('p0', 0), acked('q0', 1)]), ['no acked record is lost'])
})

test('checker: finds an ack that names another offset', () => {
  assert.deepEqual(rulesOf('p0 q0', [acked('q0', 0)]), ['an ack names the offset'])
})

test('checker: finds what was read and is not there, or another', () => {
  assert.deepEqual(rulesOf('p0', [read('p0', 0), read('p1', 1)]), ['a committed record never vanishes'])
  assert.deepEqual(rulesOf('p0 q0', [read('p0', 0), read('p1', 1)]), ['an offset never changes'])
})

test('checker: finds a reader that skipped an offset, or met one twice', () => {
  assert.deepEqual(rulesOf('p0 p1 p2', [read('p0', 0), read('p2', 2)]), ['readers skip nothing'])
  assert.deepEqual(rulesOf('p0 p1 p2', [read('p0', 0), read('p0', 0)]), ['readers skip nothing'])
  assert.deepEqual(rulesOf('p0 p1 p2', [read('p0', 0, 'r'), read('p0', 0, 's')]), [])
})

test('checker: finds holes, and readers that do not agree', () => {
  assert.deepEqual(rulesOf('p0 - p1', []), ['offsets are dense'])
  assert.deepEqual(rulesOf('p0 p1', [], 'plain', 'p0 q1'), ['all readers agree'])
  assert.deepEqual(rulesOf('p0 p1', [], 'plain', 'p0'), ['all readers agree'])
})

test('checker: finds two records at one offset', () => {
  const history = new History()
  const records = [{ offset: 0, record: recordOf('p0') }, { offset: 0, record: recordOf('p1') }]
  for (const { record } of records) history.add({ kind: 'sent', partition: 't/0', record })
  history.finals.push({ reader: 'a', partition: 't/0', records })
  assert.deepEqual(check(history).map(({ rule }) => rule), ['one record an offset'])
})

test('checker: finds records twice, but lets plain producers repeat', () => {
  assert.deepEqual(rulesOf('p0 p1 p0', [], 'idempotent'), ['exactly once'])
  assert.deepEqual(rulesOf('p0 p1 p0', [], 'pipelined'), ['exactly once'])
  assert.deepEqual(rulesOf('p0 p1 p0', [], 'plain'), [])
})

test('checker: finds records out of order', () => {
  for (const kind of ['plain', 'pipelined', 'idempotent'] as const)
    assert.deepEqual(rulesOf('p1 q5 p0', [], kind), ['order inside a producer\'s partition'])
})

test('checker: finds records that nobody sent', () => {
  const history = new History()
  history.finals.push({ reader: 'a', partition: 't/0', records: [{ offset: 0, record: recordOf('p0') }] })
  assert.deepEqual(check(history).map(({ rule }) => rule), ['nothing is made up'])
})

test('checker: finds an end that is stale, but not one that was asked for before', () => {
  assert.deepEqual(rulesOf('p0 p1', [acked('p1', 1), end(1, 3)]), ['an end is never stale'])
  assert.deepEqual(rulesOf('p0 p1', [acked('p1', 1), end(1, 2)]), [])
  assert.deepEqual(rulesOf('p0 p1', [read('p0', 0), end(0, 3)]), ['an end is never stale'])
  assert.deepEqual(rulesOf('p0 p1', [end(2, 2), end(1, 3)]), ['an end is never stale'])
  assert.deepEqual(rulesOf('p0 p1', [end(3, 2)]), ['an end is durable'])
})

test('checker: finds batches that were acked though one before them was given up', () => {
  const rules = (sentMs: number, giveUpMs: number, freezes: { fromMs: number; toMs: number }[] = []): string[] => {
    let nowMs = 0
    const history = new History(() => {}, () => nowMs)
    history.producers.set('p', 'pipelined')
    history.giveUpMs = giveUpMs
    history.freezes.push(...freezes)
    history.add({ kind: 'sent', partition: 't/0', record: recordOf('p0') })
    nowMs = sentMs
    history.add({ kind: 'sent', partition: 't/0', record: recordOf('p1') })
    nowMs = 2_500
    history.add({ kind: 'given up', partition: 't/0', record: recordOf('p0') })
    history.add({ kind: 'acked', partition: 't/0', record: recordOf('p1'), offset: 0 })
    history.finals.push({ reader: 'a', partition: 't/0', records: [{ offset: 0, record: recordOf('p1') }] })
    return check(history).map(({ rule }) => rule)
  }
  assert.deepEqual(rules(100, 2_000), ['giving up fails what is behind'])
  assert.deepEqual(rules(1_500, 2_000), []) // may have come after the end of the chunk's time
  assert.deepEqual(rules(100, 0), [])
  assert.deepEqual(rules(100, 2_000, [{ fromMs: 50, toMs: 900 }]), [])
})

const committing = (offset: number, generation = -1): Told =>
  ({ kind: 'committing', group: 'g', partition: 't/0', offset, generation })
const committed = (offset: number, askedAt = 0, generation = -1): Told =>
  ({ kind: 'committed', group: 'g', partition: 't/0', offset, generation, askedAt })
const fetched = (offset: number, askedAt: number): Told =>
  ({ kind: 'offset-fetched', group: 'g', partition: 't/0', offset, askedAt })

test('checker: finds a committed offset that went back, or was never committed', () => {
  assert.deepEqual(rulesOf('', [committing(1), committed(1), fetched(1, 2)]), [])
  assert.deepEqual(rulesOf('', [committing(1), committed(1), fetched(-1, 1)]), [])
  assert.deepEqual(rulesOf('', [committing(1), committed(1), fetched(-1, 2)]), ['a committed offset stays'])
  assert.deepEqual(rulesOf('', [fetched(4, 0)]), ['nothing is made up'])
})

const joined = (member: string, generation: number, leader: string, members: readonly string[] = []): Told =>
  ({ kind: 'joined', group: 'g', member, generation, leader, members })
const assigned = (member: string, generation: number, partitions: readonly string[], askedAt = 99): Told =>
  ({ kind: 'assigned', group: 'g', member, generation, partitions, askedAt })

test('checker: finds two leaders, lists or assignments of a generation, and two owners of a partition', () => {
  assert.deepEqual(
    rulesOf(
      '',
      [
        joined('m', 1, 'm', ['m', 'n']), joined('n', 1, 'm'), assigned('m', 1, ['t/0']), assigned('n', 1, ['t/1']),
        assigned('n', 1, ['t/1'])
      ]
    ),
    []
  )
  assert.deepEqual(
    rulesOf('', [joined('m', 1, 'm', ['m']), joined('n', 1, 'n', ['m'])]), ['a generation has one leader']
  )
  assert.deepEqual(
    rulesOf('', [joined('m', 1, 'm', ['m', 'n']), joined('m', 1, 'm', ['m'])]), ['a generation has one list of members']
  )
  assert.deepEqual(
    rulesOf('', [assigned('m', 1, ['t/0']), assigned('m', 1, ['t/1'])]), ['a generation has one assignment']
  )
  assert.deepEqual(rulesOf('', [assigned('m', 1, ['t/0']), assigned('n', 1, ['t/0'])]), ['a partition has one owner'])
  assert.deepEqual(rulesOf('', [assigned('m', 1, ['t/0']), assigned('n', 2, ['t/0'])]), [])
})

test('checker: finds an old generation that goes on, but not what was asked for before', () => {
  const beat = (generation: number, askedMs: number): Told =>
    ({ kind: 'beat', group: 'g', member: 'm', generation, askedMs })
  assert.deepEqual(
    rulesOf('', [assigned('n', 2, ['t/0'], 0), assigned('m', 1, ['t/1'], 1)]), ['an old generation is over']
  )
  assert.deepEqual(rulesOf('', [assigned('n', 2, ['t/0'], 0), assigned('m', 1, ['t/1'], 0)]), [])
  assert.deepEqual(
    rulesOf('', [assigned('n', 2, ['t/0'], 0), committing(0, 1), committed(0, 1, 1)]), ['an old generation is over']
  )
  assert.deepEqual(rulesOf('', [assigned('n', 2, ['t/0'], 0), beat(1, 1_001)]), ['an old generation is over'])
  assert.deepEqual(rulesOf('', [assigned('n', 2, ['t/0'], 0), beat(1, 999), beat(2, 5_000)]), [])
})

test('checker: finds offsets that a group committed and nobody consumed', () => {
  const consumed = (offset: number): Told => ({ kind: 'consumed', group: 'g', partition: 't/0', offset })
  assert.deepEqual(rulesOf('p0 p1', [consumed(0), consumed(1), committing(2, 1), committed(2, 3, 1)]), [])
  assert.deepEqual(rulesOf('p0 p1', [consumed(1), committing(2, 1), committed(2, 3, 1)]), ['a group skips nothing'])
  assert.deepEqual(rulesOf('p0', [consumed(1)]), ['a committed record never vanishes'])
})
