/**
 * The chunk that takes batches now, and its sealed form. Pure: no clock, no I/O.
 * A batch keeps its place in arrival order inside its partition; sealing sorts partitions and fixes positions.
 */
import { chunkKey, type ChunkRef } from '#shared/object/chunk-ref.ts'
import { encodeFooter, type ChunkPartition } from '#shared/object/chunk.ts'

export type BatchAnswer = (errorCode: number, baseOffset: number, logAppendTimeMs: number, logStartOffset: number) =>
  void

/** One batch from the door to its answer. `bytes` is exactly one batch and is referenced, not copied. */
export type PendingBatch = {
  readonly bytes: Uint8Array
  readonly shard: number
  readonly topicId: string
  readonly partition: number
  readonly recordCount: number
  readonly maxTimestamp: number
  readonly producerId: number // -1: not idempotent
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly attributes: number
  readonly crc: number
  readonly origin: string // connection: order is kept per (partition, producer or connection)
  readonly answer: BatchAnswer
}

export type PlacedBatch = { readonly batch: PendingBatch; position: number; leftOut: boolean }
export type PartitionBatches = {
  readonly shard: number; readonly topicId: string; readonly partition: number; readonly placed: PlacedBatch[]
}

export class OpenChunk {
  readonly #partitions = new Map<string, PartitionBatches>()
  bytes = 0

  add(batch: PendingBatch): void {
    const key = `${batch.topicId}/${batch.partition}`
    let partition = this.#partitions.get(key)
    if (partition === undefined) {
      partition = { shard: batch.shard, topicId: batch.topicId, partition: batch.partition, placed: [] }
      this.#partitions.set(key, partition)
    }
    partition.placed.push({ batch, position: 0, leftOut: false })
    this.bytes += batch.bytes.byteLength
  }

  partitions(): Iterable<PartitionBatches> {
    return this.#partitions.values()
  }

  /** Removes what was left out; true if nothing remains. */
  dropLeftOut(): boolean {
    for (const [key, partition] of this.#partitions) {
      const { placed } = partition
      const kept = placed.filter(({ leftOut, batch }) => {
        if (leftOut) this.bytes -= batch.bytes.byteLength
        return !leftOut
      })
      if (kept.length === 0) this.#partitions.delete(key)
      else if (kept.length < placed.length) this.#partitions.set(key, { ...partition, placed: kept })
    }
    return this.#partitions.size === 0
  }

  seal(ref: ChunkRef, clusterId: string): SealedChunk {
    const partitions = [...this.#partitions.values()].sort((a, b) =>
      a.shard - b.shard || (a.topicId < b.topicId ? -1 : a.topicId > b.topicId ? 1 : a.partition - b.partition))
    const payload: Uint8Array[] = []
    let position = 0
    for (const { placed } of partitions)
      for (const entry of placed) {
        entry.position = position
        position += entry.batch.bytes.byteLength
        payload.push(entry.batch.bytes)
      }
    const footer = encodeFooter({ ref, clusterId, partitions: partitions.map(toFooter) })
    return {
      ref, key: chunkKey(ref), partitions, payload, payloadBytes: position, footer: footer.bytes,
      checksum: footer.checksum
    }
  }
}

export type SealedChunk = {
  readonly ref: ChunkRef
  readonly key: string
  readonly partitions: readonly PartitionBatches[] // sorted by shard, topicId, partition
  readonly payload: readonly Uint8Array[] // one buffer a batch, in order of position
  readonly payloadBytes: number
  readonly footer: Uint8Array
  readonly checksum: number
}

function toFooter({ shard, topicId, partition, placed }: PartitionBatches): ChunkPartition {
  return {
    shard, topicId, partition,
    batches: placed.map(({ position, batch }) => ({
      position, length: batch.bytes.byteLength, recordCount: batch.recordCount, maxTimestamp: batch.maxTimestamp,
      crc: batch.crc
    }))
  }
}
