/**
 * Goal: chunks stay bounded while the store is slow, and a source ends as it must: by a stop, by a crash, or because
 * another writer holds its keys.
 * Method: the real ingest over a memory store with delays and a broker twin.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunkKey } from '#shared/object/chunk-ref.ts'
import { CHUNK_STATUS } from '#shared/rpc/commit.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { makeBatch } from '#test/support/batches.ts'
import { dataTwin, type DataTwin } from '#test/support/data-twin.ts'

const LENGTH = makeBatch().byteLength
type Answer = { code: number | null; baseOffset: number }

function appender(t: DataTwin): { readonly answers: Answer[]; append(shard?: number, origin?: string): number } {
  const answers: Answer[] = []
  return { answers, append: (shard = 0, origin = 'c1') => {
    const answer: Answer = { code: null, baseOffset: -1 }
    answers.push(answer)
    const bytes = makeBatch()
    return t.ingest.append({
      bytes, length: bytes.length, position: 0, leftOut: false,
      shard, topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partition: shard, recordCount: 1, maxTimestamp: 1,
      producerId: -1, producerEpoch: -1,
      baseSequence: -1, attributes: 0, crc: bytes.readUInt32BE(17), origin, answer: (code, baseOffset) => {
        assert.equal(answer.code, null)
        Object.assign(answer, { code, baseOffset })
      }
    })
  } }
}

const codesOf = (answers: readonly Answer[]): (number | null)[] => answers.map(({ code }) => code)

test('ingest: while all PUTs are busy chunks fill up, and what is full waits instead of growing on', async () => {
  const t = dataTwin({ chunkBytesMax: 10 * LENGTH, putsMax: 1, ingestBytesMax: 100 * LENGTH })
  Object.assign(t.store.faults, { delayMsMin: 1_000, delayMsMax: 1_000 })
  const { append, answers } = appender(t)
  append()
  await t.runtime.advance(10)
  for (let i = 0; i < 34; i++) append()
  await t.runtime.advance(10_000)
  assert.deepEqual(codesOf(answers), Array(35).fill(0))
  assert.deepEqual(answers.map(({ baseOffset }) => baseOffset), [...Array(35).keys()])
  const chunks = await t.memory.list('chunks/')
  assert.equal(chunks.length, 5) // 1, three full ones, and the rest by its linger
  assert(chunks.every(({ bytes }) => bytes < 12 * LENGTH + 500))
  assert.equal(t.ingest.bytes, 0)
})

test('ingest: a key held by another writer ends the source: nothing behind it is committed any more', async () => {
  const t = dataTwin({ putsMax: 4 })
  const { append, answers } = appender(t)
  append()
  await t.runtime.advance(10)
  await t.memory.put(chunkKey({ source: t.ingest.source, chunkSeq: 2 }), [Buffer.from('sealed by the registry')])
  Object.assign(t.store.faults, { delayMsMin: 20, delayMsMax: 20 })
  for (const shard of [0, 1]) {
    append(shard, `c${shard}`)
    await t.runtime.advance(7)
  }
  append(2, 'c9')
  await t.runtime.advance(1_000)
  const storage = KAFKA_ERROR.KAFKA_STORAGE_ERROR
  assert.deepEqual(codesOf(answers), [0, storage, storage, storage])
  assert.deepEqual(t.broker.commits.flatMap(({ chunks }) => chunks.map(({ chunkSeq }) => chunkSeq)), [1])
  assert.equal(append(), KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER)
  assert.equal(t.ingest.bytes, 0)
  assert.deepEqual(t.log.of('error'), ['chunk given up'])
})

test('ingest: stopping takes nothing more and waits until what was taken is decided', async () => {
  const t = dataTwin()
  Object.assign(t.store.faults, { delayMsMin: 100, delayMsMax: 100 })
  const { append, answers } = appender(t)
  append()
  await t.runtime.advance(1)
  append()
  let stopped = false
  void t.ingest.stop(5_000).then(() => { stopped = true })
  assert.equal(append(), KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER)
  assert.equal(stopped, false)
  await t.runtime.advance(400)
  assert.equal(stopped, true)
  assert.deepEqual(codesOf(answers), [0, 0, null])
})

test('ingest: a stop that takes too long ends all the same, and a client that waits learns nothing false', async () => {
  const t = dataTwin()
  t.broker.decide = ({ chunks }) => ({
    leader: 1, membershipVersion: 1,
    chunks: chunks.map(({ chunkSeq }) => ({ chunkSeq, status: CHUNK_STATUS.unknown, answers: new Uint8Array(0) }))
  })
  const { append, answers } = appender(t)
  append()
  let stopped = false
  void t.ingest.stop(1_000).then(() => { stopped = true })
  await t.runtime.advance(1_100)
  assert.equal(stopped, true)
  assert.deepEqual(codesOf(answers), [null])
  await t.runtime.advance(60_000)
  assert.equal(t.runtime.pendingCount, 0)
})

test('ingest: a crash leaves nothing that still writes, asks or answers', async () => {
  const t = dataTwin()
  Object.assign(t.store.faults, { delayMsMin: 50, delayMsMax: 50 })
  const { append, answers } = appender(t)
  append()
  await t.runtime.advance(10) // chunk 1 is being written
  append(1)
  t.ingest.kill()
  await t.runtime.advance(60_000)
  assert.equal((await t.memory.list('chunks/')).length, 1)
  assert.deepEqual(t.broker.commits, [])
  assert.deepEqual(codesOf(answers), [null, null])
  assert.equal(t.runtime.pendingCount, 0)
})
