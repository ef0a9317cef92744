/**
 * Goal: a leader answers a chunk when its decision is durable, the same chunk always alike, and says at once what it
 * did not decide (DESIGN section 3). Method: real hosts with a journal that a test holds.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommitService } from '#broker/partition/commit-service.ts'
import type { CatalogReader } from '#shared/cluster/catalog-reader.ts'
import { writeRows } from '#shared/rpc/commit-rows.ts'
import { CHUNK_STATUS, commitCall, type CommitResponse } from '#shared/rpc/commit.ts'
import { silentLog } from '#shared/log/log.ts'
import { entryOf, ShardCluster } from '#test/support/shard-cluster.ts'

const TOPIC = 'abcdefghijklmnopqrstuw' // of entryOf
const SOURCE = { nodeId: 7, nodeEpoch: 1, nonce: '00000000000000aa', lane: 0 }
const JOURNAL_BYTES_MAX = 1_000_000

async function setUp(groupBytesMax = 1_000_000) {
  let held: Promise<void> = Promise.resolve()
  const cluster = await ShardCluster.start(1, [1], {
    settings: { groupBytesMax },
    journal: (journal) => ({ ...journal, append: async (...args) => { await held; return journal.append(...args) } })
  })
  const { host, membership } = cluster.hosts.get(1)!
  const known = { producerIdIssuedMs: () => null, topicById: () => null, clusterVersion: () => 2 }
  const catalog = known as unknown as CatalogReader
  const transport = cluster.hub.port(1)!
  const settings = { journalBytesMax: JOURNAL_BYTES_MAX }
  new CommitService({ host, transport, membership, catalog, log: silentLog, settings })
  void host.leader(0)!.append([entryOf(0)])
  await cluster.runtime.settle()
  const rows = writeRows([{ topicId: TOPIC, partition: 0, batches: [{
    position: 0, length: 100, recordCount: 2, maxTimestamp: 1, producerId: -1, producerEpoch: -1, baseSequence: -1,
    attributes: 0
  }] }])
  const commit = (...chunkSeqs: number[]): { response: CommitResponse | null } => {
    const watched: { response: CommitResponse | null } = { response: null }
    const chunks = chunkSeqs.map((chunkSeq) => ({ chunkSeq, checksum: chunkSeq, rows }))
    void transport.call(1, commitCall, { shard: 0, source: SOURCE, floor: 1, chunks }, { deadlineMs: 60_000 })
      .then(({ response }) => { watched.response = response })
    return watched
  }
  const hold = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    held = promise
    return resolve
  }
  return { cluster, commit, hold }
}

const statuses = ({ response }: { response: CommitResponse | null }): number[] | null =>
  response?.chunks.map(({ status }) => status) ?? null
const { answered, notDecided, refused, unknown } = CHUNK_STATUS

test('commit-service: a chunk, and the same chunk again, is answered when its decision is durable, and alike', async () => {
  const { cluster, commit, hold } = await setUp()
  const letGo = hold()
  const first = commit(1, 2)
  await cluster.runtime.settle()
  const again = commit(1, 2)
  await cluster.runtime.settle()
  assert.deepEqual([first.response, again.response], [null, null])
  letGo()
  await cluster.runtime.settle()
  assert.deepEqual([statuses(first), statuses(again)], [[answered, answered], [answered, answered]])
  assert.deepEqual(again.response!.chunks, first.response!.chunks)
  cluster.stop()
})

test('commit-service: what is not decided is said at once, whatever is in flight', async () => {
  const { cluster, commit, hold } = await setUp(1)
  const letGo = hold()
  const first = commit(1)
  await cluster.runtime.settle()
  const second = commit(2) // fills the open group
  await cluster.runtime.settle()
  const third = commit(3, 4)
  await cluster.runtime.settle()
  assert.deepEqual([statuses(first), statuses(second), statuses(third)], [null, null, [notDecided, notDecided]])
  letGo()
  await cluster.runtime.settle()
  const retried = commit(3, 4)
  await cluster.runtime.settle()
  assert.deepEqual(
    [statuses(first), statuses(second), statuses(retried)], [[answered], [answered], [answered, notDecided]]
  )
  cluster.stop()
})

test('commit-service: a chunk below the window is refused; a leadership that ends calls its chunks unknown', async () => {
  const { cluster, commit, hold } = await setUp()
  for (let chunkSeq = 2; chunkSeq <= 12; chunkSeq++) {
    commit(chunkSeq)
    await cluster.runtime.settle()
  }
  const old = commit(1)
  await cluster.runtime.settle()
  assert.deepEqual(statuses(old), [refused])
  const letGo = hold()
  const last = commit(13)
  await cluster.runtime.settle()
  await (await cluster.journal(0)).lead(0)
  letGo()
  await cluster.runtime.settle()
  assert.deepEqual(statuses(last), [unknown])
  const next = commit(13)
  await cluster.runtime.settle()
  assert.deepEqual([next.response?.leader, statuses(next)], [0, []])
  cluster.stop()
})
