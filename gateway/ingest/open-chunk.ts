/**
 * The chunk that takes batches now, and its sealed form. Pure: no clock, no I/O.
 * A batch keeps its place in arrival order inside its partition; sealing sorts partitions and fixes positions.
 */
import { chunkKey, type ChunkRef } from '#shared/object/chunk-ref.ts'
import { encodeFooter } from '#shared/object/chunk.ts'

/** One batch from the door to its answer. `bytes` is exactly one batch and is referenced, not copied. */
export type PendingBatch = {
  readonly bytes: Uint8Array
  readonly length: number // of `bytes`, which may be other bytes once the batch is given up
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
  position: number // in its chunk, once that is sealed
  leftOut: boolean // has failed, and is not committed
  /** Called once, with what was decided. */
  answer(errorCode: number, baseOffset: number, logAppendTimeMs: number, logStartOffset: number): void
}

export type PartitionBatches = {
  readonly shard: number; readonly topicId: string; readonly partition: number; readonly batches: PendingBatch[]
}

export class OpenChunk {
  readonly #topics = new Map<string, Map<number, PartitionBatches>>() // by topicId and partition
  bytes = 0

  add(batch: PendingBatch): void {
    const { shard, topicId, partition } = batch
    let partitions = this.#topics.get(topicId)
    if (partitions === undefined) this.#topics.set(topicId, (partitions = new Map<number, PartitionBatches>()))
    const known = partitions.get(partition)
    if (known === undefined) partitions.set(partition, { shard, topicId, partition, batches: [batch] })
    else known.batches.push(batch)
    this.bytes += batch.length
  }

  partitions(): PartitionBatches[] {
    return [...this.#topics.values()].flatMap((partitions) => [...partitions.values()])
  }

  /** Removes what was left out; true if nothing remains. */
  dropLeftOut(): boolean {
    for (const [topicId, partitions] of this.#topics) {
      for (const [partition, of] of partitions) {
        const kept = of.batches.filter(({ leftOut, length }) => {
          if (leftOut) this.bytes -= length
          return !leftOut
        })
        if (kept.length === 0) partitions.delete(partition)
        else if (kept.length < of.batches.length) partitions.set(partition, { ...of, batches: kept })
      }
      if (partitions.size === 0) this.#topics.delete(topicId)
    }
    return this.#topics.size === 0
  }

  seal(ref: ChunkRef, clusterId: string): SealedChunk {
    const partitions = this.partitions().sort((a, b) =>
      a.shard - b.shard || (a.topicId < b.topicId ? -1 : a.topicId > b.topicId ? 1 : a.partition - b.partition))
    const payload: Uint8Array[] = []
    let payloadBytes = 0
    for (const { batches } of partitions) {
      for (const batch of batches) {
        batch.position = payloadBytes
        payloadBytes += batch.length
        payload.push(batch.bytes)
      }
    }
    const footer = encodeFooter({ ref, clusterId, partitions })
    return {
      ref, key: chunkKey(ref), partitions, payload, payloadBytes, footer: footer.bytes, checksum: footer.checksum
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
