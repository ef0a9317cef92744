/**
 * Goal: a part of an answer that was let go comes back byte for byte, from where the bytes are now, or fails clearly.
 * Method: real produce and fetch over a memory store; each chunk of an answer is asked for again.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handleFetch } from '#gateway/api/fetch.ts'
import { handleProduce } from '#gateway/api/produce.ts'
import type { ReadAgain } from '#gateway/listener/output.ts'
import { release } from '#shared/binary/memory-pool.ts'
import type { FetchRequest, FetchResponse } from '#shared/wire/api/fetch.ts'
import { makeBatch } from '#test/support/batches.ts'
import { dataTwin, type DataTwin } from '#test/support/data-twin.ts'
import { contextOf, topic } from '#test/support/gateway-twin.ts'

type Fetched = { readonly slices: Uint8Array[]; readonly readAgain: ReadAgain; readonly finish: () => void }

async function write(t: DataTwin, valueBytes: number, recordCount: number): Promise<void> {
  const topicData = [{ name: 'orders', partitionData: [{ index: 0, records: makeBatch({ valueBytes, recordCount }) }] }]
  const request = { transactionalId: null, acks: -1, timeoutMs: 60_000, topicData }
  const done = Promise.resolve(handleProduce(contextOf(), 9, request, t.services))
  await t.runtime.advance(10)
  assert.equal((await done)?.responses[0]?.partitionResponses[0]?.errorCode, 0)
}

async function fetch(t: DataTwin, fetchOffset: number): Promise<Fetched> {
  const request: FetchRequest = {
    clusterId: null, replicaId: -1, maxWaitMs: 0, minBytes: 1, maxBytes: 50_000_000, isolationLevel: 0, sessionId: 0,
    sessionEpoch: -1, forgottenTopicsData: [], rackId: '', topics: [{ topic: 'orders', partitions: [{
      partition: 0, fetchOffset, partitionMaxBytes: 50_000_000,
      currentLeaderEpoch: -1, lastFetchedEpoch: -1, logStartOffset: -1
    }] }]
  }
  const afterwards: (() => void)[] = []
  let readAgain: ReadAgain = () => null
  const context = contextOf({ afterwards: (fn) => { afterwards.push(fn) }, mayReadAgain: (fn) => { readAgain = fn } })
  let answer: FetchResponse | null = null as FetchResponse | null
  void Promise.resolve(handleFetch(context, 11, request, t.services)).then((response) => { answer = response })
  await t.runtime.settle()
  const [partition] = answer!.responses.flatMap(({ partitions }) => partitions)
  const slices = partition!.records as Uint8Array[]
  return { slices, readAgain, finish: () => { for (const fn of afterwards) fn() } }
}

for (const logCacheBytesMax of [0, 100_000_000]) {
  const from = logCacheBytesMax === 0 ? 'the zone\'s reader' : 'the log cache'
  test(`read-again: every chunk of an answer comes back as it was, though ${from} has let go of it`, async () => {
    const t = dataTwin({ logCacheBytesMax })
    t.catalog.add(topic('orders', { partitionCount: 1 }))
    const written = [[1_000, 7], [300_000, 2], [90_000, 9], [500, 3]] as const
    for (const [valueBytes, recordCount] of written) await write(t, valueBytes, recordCount)
    const { slices, readAgain, finish } = await fetch(t, 3)
    assert.equal(slices.reduce((sum, { length }) => sum + length, 0), 7_061 + 600_061 + 810_061 + 1_561)
    const copies = slices.map((slice) => Buffer.from(slice))
    const stored = slices.map((slice) => readAgain(slice)!)
    finish()
    t.ingest.cache.clear()
    for (const [i, one] of stored.entries()) {
      const loading = one.load((length) => t.pool.take(length))
      await t.runtime.settle()
      const bytes = await loading
      assert.equal(one.length, bytes.length)
      assert.ok(copies[i]!.equals(bytes))
      release(bytes)
    }
    t.ingest.arena.close()
    assert.equal(t.pool.heldBytes, 0)
  })
}

test('read-again: bytes that are no slice of the answer are nowhere else', async () => {
  const t = dataTwin()
  t.catalog.add(topic('orders', { partitionCount: 1 }))
  await write(t, 1_000, 1)
  const { slices, readAgain } = await fetch(t, 0)
  assert.equal(readAgain(slices[0]!.subarray(0)), null)
})

test('read-again: what cannot be read now fails, and leaves nothing held', async () => {
  const t = dataTwin()
  t.catalog.add(topic('orders', { partitionCount: 1 }))
  await write(t, 1_000, 1)
  const { slices, readAgain, finish } = await fetch(t, 0)
  const stored = readAgain(slices[0]!)!
  finish()
  t.broker.canRead = () => false
  const failing = assert.rejects(stored.load((length) => t.pool.take(length)), { code: 'STORE_UNAVAILABLE' })
  await t.runtime.settle()
  await failing
  t.ingest.arena.close()
  assert.equal(t.pool.heldBytes, 0)
})
