/**
 * Goal: the index of a shard answers as a plain list would, whatever is pushed, moved and dropped.
 * Method: seeded operations against an array of objects; every answer is compared after each of them.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GroupIndex, type GroupPlace } from '#shared/journal/group-index.ts'
import { comparePositions, type JournalEnd, type Position, POSITION_NONE } from '#shared/journal/journal.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { seeds } from '#test/support/seeds.ts'

type Entry = { ordinal: number; position: Position; crc: number; place: GroupPlace; after: JournalEnd }

for (const seed of seeds(20)) {
  test(`group-index: agrees with a plain list (seed ${seed})`, () => {
    const rng = new Rng(seed)
    const index = new GroupIndex()
    let entries: Entry[] = []
    let end: JournalEnd = { position: POSITION_NONE, crc: 0 }
    const place = (): GroupPlace =>
      ({ segment: rng.below(100), filePosition: rng.below(2 ** 30), bodyBytes: rng.below(1_000) })
    for (let step = 0; step < 3_000; step++) {
      const draw = rng.below(100)
      if (draw < 90 || entries.length === 0) {
        const { epoch, seq } = end.position
        const takeover = epoch === 0 || rng.below(40) === 0
        const position = takeover ? { epoch: epoch + 1 + rng.below(3), seq: 0 } : { epoch, seq: seq + 1 }
        const entry = { ordinal: index.endOrdinal, position, crc: rng.uint32(), place: place(), after: end }
        index.push(position, entry.crc, entry.place)
        entries.push(entry)
        end = { position, crc: entry.crc }
      } else if (draw < 97) {
        const entry = rng.pick(entries)
        entry.place = place()
        index.move(entry.ordinal, entry.place)
      } else {
        entries = entries.slice(rng.below(entries.length)) // at least one stays
        index.dropBelow(entries[0]!.ordinal)
      }
      assert.deepEqual(index.end, end)
      const entry = rng.pick(entries)
      assert.deepEqual(index.positionOf(entry.ordinal), entry.position)
      assert.equal(index.crcOf(entry.ordinal), entry.crc)
      assert.deepEqual(index.placeOf(entry.ordinal), entry.place)
      assert.deepEqual(index.predecessorOf(entry.ordinal), entry.after)
      const asked =
        { epoch: Math.max(0, entry.position.epoch + rng.below(3) - 1), seq: entry.position.seq + rng.below(3) }
      const above = entries.find((one) => comparePositions(one.position, asked) > 0)
      assert.equal(index.above(asked), above?.ordinal ?? index.endOrdinal)
    }
  })
}
