/**
 * Goal: the index finds for every offset and time what a plain list of batches finds, also when it was put together from
 * pages written at any times.
 * Method: seeded commits to a few partitions, some adjacent, some dropped; every lookup against the list.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommitEntryWriter } from '#broker/partition/commit-entry.ts'
import { encodeCreatePartitions, encodeDropPartitions } from '#broker/partition/partition-entries.ts'
import { decodeIndexPages, encodeIndexPage, PAGE_NONE, pageEnd, type PageEnd } from '#broker/shard/index-page.ts'
import { applyIndexEntry, entryCount, findByTimestamp, newShardIndex, runAt, runsFrom, type ShardIndex } from '#broker/shard/shard-index.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { seeds } from '#test/support/seeds.ts'

type Listed = { chunkSeq: number; position: number; length: number; baseOffset: number; endOffset: number; maxTimestamp: number }
const TOPIC = 'abcdefghijklmnopqrstuw'
const DROPPED = 'AAAAAAAAAAAAAAAAAAAAAQ'

/** Pages written so far; a turn writes what came since, or all anew. */
class Pages {
  #pages: Uint8Array[] = []
  #end: PageEnd = PAGE_NONE

  write(index: ShardIndex, anew: boolean): void {
    if (anew) [this.#pages, this.#end] = [[], PAGE_NONE]
    this.#pages.push(Uint8Array.from(Buffer.concat(encodeIndexPage(index, this.#end))))
    this.#end = pageEnd(index)
  }

  read(of: ShardIndex): ShardIndex {
    return decodeIndexPages(this.#pages, of.partitions)
  }
}

for (const seed of seeds(20)) {
  test(`shard-index: finds what a list of batches finds (seed ${seed})`, () => {
    const rng = new Rng(seed)
    let index = newShardIndex()
    const pages = new Pages()
    applyIndexEntry(index, encodeCreatePartitions({ topicId: TOPIC, createdMs: 1, partitions: [0, 4] }))
    applyIndexEntry(index, encodeCreatePartitions({ topicId: DROPPED, createdMs: 1, partitions: [0] }))
    applyIndexEntry(index, encodeCreatePartitions({ topicId: TOPIC, createdMs: 1, partitions: [0, 4] })) // a repeated step
    assert.equal(index.partitions.length, 3)
    const lists: Listed[][] = [[], [], []]
    for (let chunkSeq = 1; chunkSeq <= 60; chunkSeq++) {
      const writer = new CommitEntryWriter({ nodeId: 1 + rng.below(2), nodeEpoch: 3, nonce: '00000000000000aa', lane: 0 }, chunkSeq, 1, { partitionCount: 3, batchCount: 12 })
      let position = 0
      for (const [localId, list] of lists.entries()) {
        const count = rng.below(4)
        let offset = list.at(-1)?.endOffset ?? 0
        writer.partition(localId, offset, 0, count)
        for (let i = 0; i < count; i++) {
          const length = 70 + rng.below(50)
          if (rng.below(5) === 0) { writer.refused(45, -1); position += length; continue }
          const [recordCount, maxTimestamp] = [1 + rng.below(9), rng.below(1_000)]
          writer.accepted(position, length, recordCount, maxTimestamp, -1, -1, -1)
          list.push({ chunkSeq, position, length, baseOffset: offset, endOffset: offset + recordCount, maxTimestamp })
          offset += recordCount
          position += length
        }
      }
      applyIndexEntry(index, writer.finish())
      if (rng.below(6) === 0) pages.write(index, rng.below(4) === 0)
      if (rng.below(10) === 0) {
        pages.write(index, false)
        index = pages.read(index)
      }
    }
    const listed = lists.reduce((sum, list) => sum + list.length, 0)
    assert(entryCount(index) <= listed && entryCount(index) > listed / 4)
    for (const [localId, list] of lists.entries()) {
      const columns = index.partitions[localId]
      assert(columns !== undefined)
      const end = list.at(-1)?.endOffset ?? 0
      for (let offset = 0; offset < end; offset++) {
        const batch = list.find(({ endOffset }) => endOffset > offset)
        const [run] = runsFrom(index, columns, offset, { bytesMax: 1, runsMax: 9 })
        assert(batch !== undefined && run !== undefined)
        assert.equal(run.chunk.chunkSeq, batch.chunkSeq)
        assert(run.baseOffset <= batch.baseOffset && batch.endOffset <= run.endOffset)
        assert(run.position <= batch.position && batch.position + batch.length <= run.position + run.length)
      }
      const all = runsFrom(index, columns, 0, { bytesMax: Infinity, runsMax: Infinity })
      assert.equal(all.reduce((sum, { length }) => sum + length, 0), list.reduce((sum, { length }) => sum + length, 0))
      for (let time = 0; time <= 1_000; time += 37) {
        const batch = list.find(({ maxTimestamp }) => maxTimestamp >= time)
        const at = findByTimestamp(columns, time)
        if (batch === undefined) assert.equal(at, columns.entryCount)
        else {
          const run = runAt(index, columns, at)
          assert(run.baseOffset <= batch.baseOffset && batch.endOffset <= run.endOffset)
        }
      }
    }
    applyIndexEntry(index, encodeDropPartitions({ topicId: DROPPED }))
    assert.equal(index.partitions[2], undefined)
    pages.write(index, false)
    const read = pages.read(index)
    assert.equal(read.partitions[2], undefined)
    assert.equal(entryCount(read), entryCount(index))
  })
}
