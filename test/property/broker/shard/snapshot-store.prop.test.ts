/**
 * Goal: whatever is committed, created and dropped between snapshots, the newest one gives back the shard as it was, costs
 * about what changed, and nothing that no kept head names is left; damage to any part is named.
 * Method: seeded entries applied to a shard; snapshots at random times by two writers in turn, as leaders change.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommitEntryWriter } from '#broker/partition/commit-entry.ts'
import { encodeCreatePartitions, encodeDropPartitions } from '#broker/partition/partition-entries.ts'
import { newDurableShard, takeGroup, type DurableShard } from '#broker/shard/durable-shard.ts'
import { encodeGroup, type Entry } from '#broker/shard/entry.ts'
import { entryCount, type PartitionIndex } from '#broker/shard/shard-index.ts'
import { SnapshotStore } from '#broker/shard/snapshot-store.ts'
import { pagesToKeep, type SnapshotPage } from '#broker/shard/snapshot.ts'
import type { Source } from '#shared/object/chunk-ref.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import { RecordingLog } from '#test/support/gateway-twin.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'
import { seeds } from '#test/support/seeds.ts'

const SHARD = 3
const PARTITIONS = 4
const topicOf = (n: number): string => `${'A'.repeat(19)}${String.fromCharCode(65 + n)}AQ`

/** A shard that grows by random entries, as a leader's journal would make it. */
class Grower {
  readonly durable: DurableShard = newDurableShard(SHARD)
  readonly #rng: Rng
  readonly #chunkSeqs = new Map<string, number>()
  #topics = 0
  #crc = 1

  constructor(rng: Rng) {
    this.#rng = rng
    this.#create()
  }

  grow(): void {
    const draw = this.#rng.below(40)
    if (draw === 0) this.#create()
    else if (draw === 1) this.#drop()
    else this.#commit()
  }

  #take(entry: Entry): void {
    const { position, crc } = this.durable
    const next = { epoch: 1, seq: position.seq + 1 }
    const body = Buffer.concat(encodeGroup(1_000 + next.seq, [entry]))
    assert.equal(takeGroup(this.durable, { position: next, after: position, afterCrc: crc, crc: this.#crc++, body }).kind, 'applied')
  }

  #create(): void {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)
    this.#take(encodeCreatePartitions({ topicId: topicOf(this.#topics++), createdMs: 1, partitions }))
  }

  #drop(): void {
    const topicIds = [...new Set(this.durable.state.partitions.byLocalId.flatMap((each) => (each === undefined ? [] : [each.topicId])))]
    if (topicIds.length > 1) this.#take(encodeDropPartitions({ topicId: this.#rng.pick(topicIds) }))
  }

  #commit(): void {
    const rng = this.#rng
    const source: Source = { nodeId: 1 + rng.below(3), nodeEpoch: 2, nonce: '00000000000000aa', lane: 0 }
    const name = String(source.nodeId)
    const chunkSeq = (this.#chunkSeqs.get(name) ?? 0) + 1
    this.#chunkSeqs.set(name, chunkSeq)
    const live = this.durable.state.partitions.byLocalId.filter((each) => each !== undefined)
    const writer = new CommitEntryWriter(source, chunkSeq, 7, { partitionCount: live.length, batchCount: live.length })
    let position = 0
    for (const { localId, nextOffset } of live) {
      if (rng.below(3) === 0) continue
      writer.partition(localId, nextOffset, 0, 1)
      writer.accepted(position, 100, 1 + rng.below(5), rng.below(1_000), 900 + rng.below(3), 0, 0)
      position += 100 + rng.below(2) * 50
    }
    this.#take(writer.finish())
  }
}

for (const seed of seeds(15)) {
  test(`snapshot-store: gives back the shard as it was, and keeps no more than it names (seed ${seed})`, async () => {
    const rng = new Rng(seed)
    const store = new MemoryStore(new ManualRuntime().clock)
    const writers = [new SnapshotStore(store, 'c'), new SnapshotStore(store, 'c')]
    const grower = new Grower(rng)
    let written: unknown = null
    for (let turn = 0; turn < 400; turn++) {
      grower.grow()
      if (rng.below(20) !== 0) continue
      const writer = rng.pick(writers)
      assert.deepEqual(await writer.write(grower.durable), grower.durable.position)
      await writer.prune(SHARD)
      written = structuredClone(grower.durable)
      const read = await rng.pick(writers).newest(SHARD)
      assert(read !== null)
      assert.deepEqual(read.state, (written as DurableShard).state)
      assert.deepEqual([read.position, read.crc], [grower.durable.position, grower.durable.crc])
      assert.equal(entryCount(read.index), entryCount(grower.durable.index))
      for (const [localId, partition] of grower.durable.index.partitions.entries()) {
        const other: PartitionIndex | undefined = read.index.partitions[localId]
        assert.equal(other === undefined, partition === undefined)
        if (partition === undefined || other === undefined) continue
        for (const column of ['baseOffset', 'maxTimestamp', 'runningMax', 'offsetCount', 'objectId', 'position', 'length'] as const)
          assert.deepEqual([...other[column].subarray(0, other.entryCount)], [...partition[column].subarray(0, partition.entryCount)])
      }
    }
    const keys = (await store.list('snapshots/')).map(({ key }) => key)
    assert.equal(keys.filter((key) => key.endsWith('.head')).length, 2)
    assert(keys.filter((key) => key.endsWith('.page')).length <= 2 * Math.log2(400) + 2)
  })
}

test('snapshot-store: a part that is damaged is named in the log, and the snapshot is not taken', async () => {
  const store = new MemoryStore(new ManualRuntime().clock)
  const log = new RecordingLog()
  const snapshots = new SnapshotStore(store, 'c', log)
  const grower = new Grower(new Rng(5))
  for (let i = 0; i < 50; i++) grower.grow()
  await snapshots.write(grower.durable)
  for (const { key } of await store.list('snapshots/')) {
    const content = await store.get(key)
    const flipped = Uint8Array.from(content)
    flipped[content.byteLength >> 1]! ^= 1
    await store.put(key, [flipped])
    assert.equal(await snapshots.newest(SHARD), null)
    assert.match(String(log.lines.at(-1)?.fields['reason']), new RegExp(key.replaceAll('.', '\\.')))
    await store.put(key, [content])
  }
  assert.notEqual(await snapshots.newest(SHARD), null)
  await assert.rejects(new SnapshotStore(store, 'other').newest(SHARD), { code: 'CLUSTER_MISMATCH' })
})

test('snapshot-store: one that led long ago adds nothing to a newer snapshot', async () => {
  const store = new MemoryStore(new ManualRuntime().clock)
  const snapshots = new SnapshotStore(store, 'c')
  const grower = new Grower(new Rng(6))
  const stale = structuredClone(grower.durable)
  for (let i = 0; i < 50; i++) grower.grow()
  const position = await snapshots.write(grower.durable)
  const before = (await store.list('snapshots/')).length
  assert.deepEqual(await snapshots.write(stale), position)
  assert.equal((await store.list('snapshots/')).length, before)
})

test('snapshot: pages stay few, each byte is written about log2 times, and what was dropped is let go', () => {
  const rng = new Rng(9)
  let pages: readonly SnapshotPage[] = []
  let [objects, written] = [0, 0]
  for (let turn = 0; turn < 2_000; turn++) {
    objects += 1 + rng.below(10)
    pages = pagesToKeep(pages, (from) => objects - from.objects)
    const bytes = objects - (pages.at(-1)?.objects ?? 0)
    pages = [...pages, { key: `${turn}`, bytes, crc32c: 0, objects, sources: 1 }]
    written += bytes
  }
  assert(pages.length <= Math.log2(objects) + 1)
  assert(written <= objects * (Math.log2(2_000) + 2), `${written} of ${objects}`)
  assert.deepEqual(pagesToKeep(pages, () => 3), []) // all but 3 bytes belonged to dropped partitions
})
