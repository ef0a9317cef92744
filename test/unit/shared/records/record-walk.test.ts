/** Goal: records are found as their producers wrote them, and nothing is read outside of them (PROTOCOL 2.1). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { walkRecords } from '#shared/records/record-walk.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { encodeRecords } from '#test/support/batches.ts'
import { seeds } from '#test/support/seeds.ts'

type Seen = [timestampDelta: number, offsetDelta: number, keyBytes: number]

function walk(records: Uint8Array, recordCount: number): { readonly seen: Seen[]; readonly whole: boolean } {
  const seen: Seen[] = []
  const whole = walkRecords(records, recordCount, (...record) => seen.push(record) > 0)
  return { seen, whole }
}

const records = encodeRecords([
  { key: 'k', value: 'v' }, { key: null, value: null, timestampDelta: 300 },
  { key: '', value: 'x'.repeat(200), timestampDelta: -70 },
  { key: 'y'.repeat(100), value: '', headers: [['h', 'v'], ['n', null]], timestampDelta: 2 ** 40 }
])

test('record-walk: each record with its time, its offset and its key', () => {
  assert.deepEqual(walk(records, 4), { seen: [[0, 0, 1], [300, 1, -1], [-70, 2, 0], [2 ** 40, 3, 100]], whole: true })
})

test('record-walk: a visitor may end it', () => {
  const seen: number[] = []
  const whole = walkRecords(records, 4, (_timestampDelta, offsetDelta) => {
    seen.push(offsetDelta)
    return offsetDelta < 1
  })
  assert.equal(whole, true)
  assert.deepEqual(seen, [0, 1])
})

test('record-walk: a count that lies, bytes missing or left over, are told', () => {
  assert.equal(walk(records, 3).whole, false)
  assert.equal(walk(records, 5).whole, false)
  assert.equal(walk(records.subarray(0, records.byteLength - 1), 4).whole, false)
  assert.equal(walk(Buffer.concat([records, Buffer.alloc(1)]), 4).whole, false)
  assert.equal(walk(Buffer.alloc(40), 1).whole, false, 'a record of no bytes')
  assert.equal(walk(Buffer.alloc(40, 0xff), 1).whole, false, 'a length without end')
})

for (const seed of seeds(20)) {
  test(`record-walk: damaged records end the walk and nothing else (seed ${seed})`, () => {
    const rng = new Rng(seed)
    const damaged = Buffer.from(records)
    for (let i = 0; i < 4; i++) damaged[rng.below(damaged.byteLength)] = rng.below(256)
    assert.ok(walk(damaged, 4).seen.length <= 4)
  })
}
