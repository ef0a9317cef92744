/** A view of one shard that a test fills: each commit is one chunk, put into a store as it is. */
import { encodeCreatePartitions } from '#broker/partition/partition-entries.ts'
import { CommitEntryWriter } from '#broker/partition/commit-entry.ts'
import { applyIndexEntry, newShardIndex, type ShardIndex } from '#broker/shard/shard-index.ts'
import { applyEntry, newShardState, type ShardState } from '#broker/shard/shard-state.ts'
import type { Entry } from '#broker/shard/entry.ts'
import type { ShardView, ShardViews } from '#broker/shard/shard-view.ts'
import { chunkKey, LANE, type Source } from '#shared/object/chunk-ref.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { makeBatch, type BatchSpec } from './batches.ts'

export const TWIN_SOURCE: Source = { nodeId: 1, nodeEpoch: 3, nonce: '00000000000000aa', lane: LANE.region }
const TIME_MS = 5

export class ViewTwin implements ShardView, ShardViews {
  readonly shard = 0
  readonly state: ShardState = newShardState()
  readonly index: ShardIndex = newShardIndex()
  ageMs = 0
  readonly #listeners = new Set<(localIds: ReadonlySet<number>) => void>()
  readonly #store: ObjectStore | null
  /** What only a barrier shows. */
  hidden: (() => Promise<void>)[] = []
  barriers = 0
  chunkSeq = 0

  constructor(store: ObjectStore | null = null) {
    this.#store = store
  }

  view(): Promise<ShardView> {
    return Promise.resolve(this)
  }

  async barrier(): Promise<void> {
    this.barriers += 1
    for (const show of this.hidden.splice(0)) await show()
  }

  touch(): void {}

  onAdvance(fn: (localIds: ReadonlySet<number>) => void): () => void {
    this.#listeners.add(fn)
    return () => { this.#listeners.delete(fn) }
  }

  create(topicId: string, partitions: readonly number[]): void {
    this.#apply(encodeCreatePartitions({ topicId, createdMs: TIME_MS, partitions }))
  }

  /** One chunk with these batches, by local id. @returns its key */
  async commit(...batches: readonly (readonly [localId: number, spec: BatchSpec])[]): Promise<string> {
    const chunkSeq = ++this.chunkSeq
    const sorted = batches.toSorted(([a], [b]) => a - b)
    const writer = new CommitEntryWriter(TWIN_SOURCE, chunkSeq, 1, { partitionCount: batches.length, batchCount: batches.length })
    const payload: Uint8Array[] = []
    let position = 0
    for (const [localId, ofOne] of Map.groupBy(sorted, ([id]) => id)) {
      writer.partition(localId, this.state.partitions.byLocalId[localId]!.nextOffset, 0, ofOne.length)
      for (const [, spec] of ofOne) {
        const bytes = makeBatch(spec)
        payload.push(bytes)
        writer.accepted(position, bytes.byteLength, spec.recordCount ?? 1, spec.maxTimestamp ?? 1_000, -1, -1, -1)
        position += bytes.byteLength
      }
    }
    const key = chunkKey({ source: TWIN_SOURCE, chunkSeq })
    await this.#store?.put(key, payload)
    this.#apply(writer.finish())
    const changed = new Set(batches.map(([localId]) => localId))
    for (const listener of [...this.#listeners]) listener(changed)
    return key
  }

  #apply(entry: Entry): void {
    applyEntry(this.state, entry, TIME_MS)
    applyIndexEntry(this.index, entry)
  }
}
