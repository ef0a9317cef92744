import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writeChunk } from '#gateway/ingest/chunk-writer.ts'
import { OpenChunk, type SealedChunk } from '#gateway/ingest/open-chunk.ts'
import { LANE } from '#shared/object/chunk-ref.ts'
import { FaultyStore } from '#shared/store/faulty-store.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import { makeBatch } from '#test/support/batches.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const GIVE_UP_MS = 2_000

function sealed(valueBytes = 20): SealedChunk {
  const open = new OpenChunk()
  const bytes = makeBatch({ valueBytes })
  open.add({
    bytes, length: bytes.length, position: 0, leftOut: false,
    shard: 0, topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partition: 0, recordCount: 1, maxTimestamp: 1, producerId: -1,
    producerEpoch: -1,
    baseSequence: -1, attributes: 0, crc: bytes.readUInt32BE(17), origin: 'c', answer() {}
  })
  return open.seal(
    { source: { nodeId: 1, nodeEpoch: 1, nonce: '0011223344556677', lane: LANE.region }, chunkSeq: 1 }, 'cluster'
  )
}

function setUp() {
  const runtime = new ManualRuntime()
  const memory = new MemoryStore(runtime.clock)
  const store = new FaultyStore(memory, runtime.timer, runtime.chance)
  /** 'durable', or the code of the error. */
  const write = async (chunk: SealedChunk): Promise<string> => {
    let outcome = 'not settled'
    writeChunk(store, chunk, runtime, GIVE_UP_MS)
      .then(() => { outcome = 'durable' }, (error: { code: string }) => { outcome = error.code })
    await runtime.advance(GIVE_UP_MS + 2_000)
    return outcome
  }
  return { runtime, memory, store, write }
}

test('chunk-writer: an answer that was lost is settled by reading back', async () => {
  const { memory, store, write, runtime } = setUp()
  const chunk = sealed()
  store.faults.errorAfterPerMille = 1_000
  runtime.timer.after(500, () => { store.faults.errorAfterPerMille = 0 })
  assert.equal(await write(chunk), 'durable')
  assert.deepEqual(await memory.get(chunk.key), new Uint8Array(Buffer.concat([...chunk.payload, chunk.footer])))
})

test('chunk-writer: a store that comes back in time costs only time, one that does not is given up', async () => {
  const { store, write, runtime, memory } = setUp()
  store.faults.errorBeforePerMille = 1_000
  runtime.timer.after(GIVE_UP_MS - 500, () => { store.faults.errorBeforePerMille = 0 })
  assert.equal(await write(sealed()), 'durable')
  store.faults.errorBeforePerMille = 1_000
  assert.equal(await write({ ...sealed(), key: 'chunks/other' }), 'STORE_UNAVAILABLE')
  assert.equal((await memory.list('chunks/')).length, 1)
})

test('chunk-writer: a key that another writer holds is not ours, whatever lies there', async () => {
  const other = sealed(21)
  const same = sealed()
  const damaged = Buffer.concat([...same.payload, same.footer])
  damaged[damaged.length - 6]! ^= 1
  for (const held of [Buffer.concat([...other.payload, other.footer]), damaged, Buffer.from('seal'), Buffer.alloc(0)]) {
    const { memory, write } = setUp()
    await memory.put(same.key, [held])
    assert.equal(await write(same), 'OBJECT_EXISTS')
    assert.deepEqual(await memory.get(same.key), new Uint8Array(held))
  }
})
