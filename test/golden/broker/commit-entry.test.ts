/**
 * Goal: commits stay readable for ever as each cluster.version writes them, and are written today as they were then.
 * Method: one chunk's decisions, byte for byte, in the groups of each version.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type EntryWriter, UNKNOWN_PARTITION } from '#broker/partition/commit-decisions.ts'
import { CommitEntryWriter, readCommitEntry } from '#broker/partition/commit-entry.ts'
import { CompactEntryWriter } from '#broker/partition/compact-entry.ts'
import { decodeGroup, encodeGroup, type Entry } from '#broker/shard/entry.ts'

const SOURCE = { nodeId: 3, nodeEpoch: 12, nonce: 'fedcba9876543210', lane: 0 }
const [CHUNK_SEQ, CHECKSUM, FLOOR] = [300, 0xdead_beef, 298]
const TIME_MS = 1_700_000_000_009
const ROOM = { partitionCount: 2, batchCount: 4 }

const WRITTEN = {
  1: '014278bcfe56809000000000010003000000bb000000034028000000000000fedcba9876543210004072c00000000000deadbeef' +
    '00000002000000074092c000000000000000000000000000000000030100000064000000500000000a4278bcfe56800000030000' +
    '00b400000050000000014278bcfe568010004200000000000000000500000046030000010400000fa0000000024278bcfe568000' +
    '004200000000000000000500000047ffffffff0000000000000000bff000000000000000000001000003bff0000000000000',
  2: '014278bcfe56809000000000010004000000bf000000034028000000000000fedcba9876543210004072c00000000000deadbeef' +
    '0000000200000002000000074092c000000000000000000000000000000000030100000064000000500000000a4278bcfe568000' +
    '0003000000b400000050000000014278bcfe568010004200000000000000000500000046030000010400000fa0000000024278bc' +
    'fe568000004200000000000000000500000047ffffffff0000000000000000bff000000000000000000001000003bff000000000' +
    '0000',
  3: '0292a0abfef96206390618fedcba987654321000d804deadbeef0208e01200030164500a80a0abfef9620750010280808080400a' +
    '8c010fa01f020100000101000601'
}

function decide(writer: EntryWriter): Entry {
  writer.partition(7, 1_200, 0, 3)
  writer.accepted(100, 80, 10, 1_700_000_000_000, -1, -1, -1)
  writer.accepted(180, 80, 1, 1_700_000_000_001, 2 ** 33, 5, 70)
  writer.accepted(260, 4_000, 2, 1_700_000_000_000, 2 ** 33, 5, 71)
  writer.partition(UNKNOWN_PARTITION, 0, -1, 1)
  writer.refused(3, -1)
  return writer.finish()
}

const ENTRIES = {
  1: () => decide(new CommitEntryWriter(SOURCE, CHUNK_SEQ, CHECKSUM, ROOM)),
  2: () => decide(new CommitEntryWriter(SOURCE, CHUNK_SEQ, CHECKSUM, ROOM, FLOOR)),
  3: () => decide(new CompactEntryWriter(SOURCE, CHUNK_SEQ, CHECKSUM, ROOM, FLOOR))
}

for (const version of [1, 2, 3] as const) {
  test(`commit-entry: a group of cluster.version ${version} is what it was`, () => {
    const entry = ENTRIES[version]()
    assert.equal(Buffer.concat(encodeGroup(TIME_MS, [entry])).toString('hex'), WRITTEN[version])
    const said: unknown[] = []
    decodeGroup(Buffer.from(WRITTEN[version], 'hex'), (read, timeMs) => {
      assert.equal(timeMs, TIME_MS)
      readCommitEntry(read, {
        chunk: (...facts) => { said.push(facts) }, partition: (...facts) => { said.push(facts) },
        batch: (...facts) => { said.push(facts) }, refused: (...facts) => { said.push(facts) }
      })
    })
    assert.deepEqual(said, [
      [SOURCE, CHUNK_SEQ, CHECKSUM, version === 1 ? -1 : FLOOR],
      [7, 1_200, 0, 3],
      [7, 100, 80, 10, 1_700_000_000_000, 1_200, -1, -1, -1],
      [7, 180, 80, 1, 1_700_000_000_001, 1_210, 2 ** 33, 5, 70],
      [7, 260, 4_000, 2, 1_700_000_000_000, 1_211, 2 ** 33, 5, 71],
      [UNKNOWN_PARTITION, 0, -1, 1],
      [UNKNOWN_PARTITION, 3, -1]
    ])
  })
}
