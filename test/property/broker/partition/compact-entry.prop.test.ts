/**
 * Goal: what is written in fewer bytes says the same: commit entries, the groups they lie in, the rows and answers of
 * commits on their way (DESIGN section 4: about 60 bytes a batch, and less is better).
 * Method: seeded chunks written plain and compact, and read again.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type EntryWriter, UNKNOWN_PARTITION } from '#broker/partition/commit-decisions.ts'
import { CommitEntryWriter, readCommitEntry } from '#broker/partition/commit-entry.ts'
import { CompactEntryWriter } from '#broker/partition/compact-entry.ts'
import { decodeGroup, encodeGroup, type Entry } from '#broker/shard/entry.ts'
import { AnswersWriter, writeRows } from '#shared/rpc/commit-rows.ts'
import { packAnswers, packRows, unpackAnswers, unpackRows } from '#shared/rpc/packed-rows.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { seeds } from '#test/support/seeds.ts'

const TOPICS = ['abcdefghijklmnopqrstuw', 'AAECAwQFBgcICQoLDA0ODw']
const EDGE_TIMES = [-1, 0, 1_700_000_000_000, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 2 ** 60]

type Batch = ReturnType<typeof someBatch>

function someBatch(rng: Rng, at: { position: number; sequence: number }) {
  const position = rng.below(4) === 0 ? rng.below(2 ** 31) : at.position
  const length = 61 + rng.below(2 ** 20)
  at.position = position + length
  const recordCount = 1 + rng.below(1_000)
  const isIdempotent = rng.below(2) === 0
  const baseSequence = rng.below(3) === 0 ? rng.below(2 ** 31) : at.sequence
  at.sequence = baseSequence + recordCount
  return {
    position, length, recordCount, attributes: rng.below(2 ** 16),
    maxTimestamp: rng.below(8) === 0 ? rng.pick(EDGE_TIMES) : 1_700_000_000_000 + rng.below(10_000),
    producerId: isIdempotent ? rng.pick([0, 7, 2 ** 40]) : -1, producerEpoch: isIdempotent ? rng.below(2 ** 15) : -1,
    baseSequence: isIdempotent ? Math.min(baseSequence, 2 ** 31 - 1) : -1
  }
}

function write(writer: EntryWriter, seed: number): Entry {
  const rng = new Rng(seed)
  const at = { position: 0, sequence: 0 }
  for (let p = 1 + rng.below(4); p > 0; p--) {
    const count = rng.below(5)
    writer.partition(
      rng.pick([UNKNOWN_PARTITION, 0, 3, 100_000]), rng.pick([0, 5, 2 ** 45]), rng.pick([-1, 0, 4]), count
    )
    for (let i = 0; i < count; i++) {
      if (rng.below(4) === 0) writer.refused(rng.pick([0, 45, 3]), rng.pick([-1, 2 ** 33]))
      else {
        const b = someBatch(rng, at)
        writer.accepted(
          b.position, b.length, b.recordCount, b.maxTimestamp, b.producerId, b.producerEpoch, b.baseSequence
        )
      }
    }
  }
  return writer.finish()
}

function said(entry: Entry): unknown[] {
  const all: unknown[] = []
  readCommitEntry(entry, {
    chunk: (...facts) => { all.push(facts) }, partition: (...facts) => { all.push(facts) },
    batch: (...facts) => { all.push(facts) }, refused: (...facts) => { all.push(facts) }
  })
  return all
}

for (const seed of seeds(20)) {
  test(`compact-entry: says what the plain one says (seed ${seed})`, () => {
    for (let i = 0; i < 50; i++) {
      const rng = new Rng(seed * 1_000 + i)
      const source = {
        nodeId: rng.pick([0, 1, 2 ** 31 - 1]), nodeEpoch: rng
          .pick([1, 2 ** 50]), nonce: '0badcafe00000001', lane: rng.below(3)
      }
      const chunkSeq = rng.pick([1, 300, 2 ** 45])
      const floor = Math.max(0, chunkSeq - rng.below(5))
      const [checksum, room] = [rng.below(2 ** 31) * 2, { partitionCount: 4, batchCount: 20 }]
      const plain = write(new CommitEntryWriter(source, chunkSeq, checksum, room, floor), i)
      const compact = write(new CompactEntryWriter(source, chunkSeq, checksum, room, floor), i)
      assert.deepEqual(said(compact), said(plain))
      readCommitEntry(compact, {}) // who looks at a part only is told that part
      assert.ok(compact.body.byteLength < plain.body.byteLength)
    }
  })

  test(`compact-entry: a group that holds one reads back, and says so when it is cut (seed ${seed})`, () => {
    const source = { nodeId: 1, nodeEpoch: 1, nonce: '0badcafe00000001', lane: 0 }
    const room = { partitionCount: 4, batchCount: 20 }
    const compact = write(new CompactEntryWriter(source, 9, 1, room, 9), seed)
    const other = { kind: 2, body: Buffer.alloc(700, 5) }
    for (const timeMs of [1_700_000_000_000, 0.5]) {
      const body = Buffer.concat(encodeGroup(timeMs, [other, compact, compact]))
      const read: { entry: Entry; timeMs: number }[] = []
      decodeGroup(body, (entry, at) => { read.push({ entry, timeMs: at }) })
      assert.deepEqual(read.map(({ timeMs: at }) => at), [timeMs, timeMs, timeMs])
      assert.deepEqual(read.map(({ entry: { kind } }) => kind), [2, compact.kind, compact.kind])
      assert.deepEqual(Buffer.from(read[2]!.entry.body), Buffer.from(compact.body))
      for (const bytes of [0, 1, 4, body.length - 1]) {
        assert.throws(() => { decodeGroup(body.subarray(0, bytes), () => {}) }, { code: 'JOURNAL_CORRUPT' })
      }
    }
  })

  test(`packed-rows: rows and answers unpack to what was packed (seed ${seed})`, () => {
    const rng = new Rng(seed)
    const at = { position: 0, sequence: 0 }
    const partitions = Array.from({ length: rng.below(6) }, () => ({
      topicId: rng.pick(TOPICS), partition: rng.below(1_000),
      batches: Array.from({ length: rng.below(5) }, (): Batch => someBatch(rng, at))
    }))
    const rows = writeRows(partitions)
    const packed = packRows(rows)
    assert.deepEqual(Buffer.from(unpackRows(packed)), Buffer.from(rows))
    assert.ok(packed.byteLength <= rows.byteLength)
    if (packed.byteLength > 0) assert.throws(() => unpackRows(packed.subarray(0, -1)), { code: 'FRAME_INVALID' })
    const answers = new AnswersWriter()
    for (let i = rng.below(9); i > 0; i--)
      answers.add(
        rng.pick([0, 45, -1]), rng.pick([-1, 0, 2 ** 52]), rng.pick([-1, 1_700_000_000_000]), rng.pick([-1, 0, 9])
      )
    const bytes = answers.finish()
    assert.deepEqual(Buffer.from(unpackAnswers(packAnswers(bytes))), Buffer.from(bytes))
  })
}
