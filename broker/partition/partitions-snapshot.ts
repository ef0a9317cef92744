/**
 * The partitions' part of a snapshot's page (docs/object-format.md):
 *   head       formatVersion u8 | localIdCount u32, then for each local id in order
 *   partition  here u8 (0: a gap, nothing follows) | topicId 16 bytes | partition u32 | nextOffset f64 |
 *              logStartOffset f64 | producersSweptMs f64 | producerCount u32
 *   producer   producerId f64 | epoch i16 | lastMs f64 | batchCount u8
 *   batch      baseSequence i32 | lastSequence i32 | baseOffset f64
 * then the windows of sources, whose remembered answers make a chunk that comes again harmless:
 *   sources    count u32
 *   source     nodeId i32 | nodeEpoch f64 | nonce string (hex) | lane u8 | newestSeq f64 | floor f64 | chunkCount u8
 *   chunk      chunkSeq f64 | checksum u32 | answers: length i32 | rows as answered, 26 bytes each
 * and what is closed of nodes:
 *   closed     count u32 | (nodeId i32 | nodeEpoch f64) each
 * Format 1 has neither floor nor closed; it is written where there are none, so that older software reads it.
 */
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { ProducerBatch } from './producer-state.ts'
import { newPartitionsState, partitionKey, type PartitionState, type PartitionsState } from './partitions-state.ts'
import { windowKey, type RememberedChunk } from './source-window.ts'

const FORMAT_MAX = 2
const FORMAT_FLOORS = 2 // the first with floors and closed lives

export function encodePartitionsState(state: PartitionsState): Uint8Array[] {
  const w = new Writer(64 * 1024)
  const format = formatFor(state)
  w.uint8(format)
  w.uint32(state.byLocalId.length)
  for (const partition of state.byLocalId) {
    w.bool(partition !== undefined)
    if (partition !== undefined) encodePartition(w, partition)
  }
  w.uint32(state.sources.size)
  for (const { source, newestSeq, floor, recent } of state.sources.values()) {
    w.int32(source.nodeId)
    w.float64(source.nodeEpoch)
    w.string(source.nonce, false)
    w.uint8(source.lane)
    w.float64(newestSeq)
    if (format >= FORMAT_FLOORS) w.float64(floor)
    w.uint8(recent.length)
    for (const chunk of recent) {
      w.float64(chunk.chunkSeq)
      w.uint32(chunk.checksum)
      w.bytes(chunk.answers, false)
    }
  }
  if (format >= FORMAT_FLOORS) {
    w.uint32(state.closedEpochs.size)
    for (const [nodeId, nodeEpoch] of state.closedEpochs) {
      w.int32(nodeId)
      w.float64(nodeEpoch)
    }
  }
  return w.finish()
}

function formatFor({ sources, closedEpochs }: PartitionsState): number {
  return closedEpochs.size > 0 || sources.values().some(({ floor }) => floor > 0) ? FORMAT_FLOORS : 1
}

function encodePartition(w: Writer, partition: PartitionState): void {
  w.uuid(partition.topicId)
  w.uint32(partition.partition)
  w.float64(partition.nextOffset)
  w.float64(partition.logStartOffset)
  w.float64(partition.producersSweptMs)
  w.uint32(partition.producers.size)
  for (const [producerId, producer] of partition.producers) {
    w.float64(producerId)
    w.int16(producer.epoch)
    w.float64(producer.lastMs)
    w.uint8(producer.batches.length)
    for (const batch of producer.batches) {
      w.int32(batch.baseSequence)
      w.int32(batch.lastSequence)
      w.float64(batch.baseOffset)
    }
  }
}

/** @throws ZonewiseError FORMAT_TOO_NEW, FRAME_INVALID */
export function decodePartitionsState(bytes: Uint8Array): PartitionsState {
  const r = new Reader(bytes)
  const version = r.uint8()
  if (version < 1 || version > FORMAT_MAX) {
    throw new ZonewiseError('FORMAT_TOO_NEW', 'snapshot of partitions has an unknown format', { version })
  }
  const state = newPartitionsState()
  const localCount = r.uint32()
  for (let localId = 0; localId < localCount; localId++) {
    if (!r.bool()) { state.byLocalId.push(undefined); continue }
    const partition = decodePartition(r, localId)
    state.byLocalId.push(partition)
    state.byKey.set(partitionKey(partition.topicId, partition.partition), partition)
  }
  for (let left = r.uint32(); left > 0; left--) {
    const source = { nodeId: r.int32(), nodeEpoch: r.float64(), nonce: r.string(false), lane: r.uint8() }
    const newestSeq = r.float64()
    const floor = version < FORMAT_FLOORS ? 0 : r.float64()
    const recent: RememberedChunk[] = Array.from({ length: r.uint8() }, () => ({
      chunkSeq: r.float64(), checksum: r.uint32(), answers: Uint8Array.from(r.bytes(false))
    }))
    state.sources.set(windowKey(source), { source, newestSeq, floor, recent })
  }
  if (version >= FORMAT_FLOORS)
    for (let left = r.uint32(); left > 0; left--) state.closedEpochs.set(r.int32(), r.float64())
  r.expectEnd()
  return state
}

function decodePartition(r: Reader, localId: number): PartitionState {
  const partition: PartitionState = {
    localId, topicId: r.uuid(), partition: r.uint32(), nextOffset: r.float64(), logStartOffset: r.float64(),
    producersSweptMs: r.float64(), producers: new Map()
  }
  for (let left = r.uint32(); left > 0; left--) {
    const producerId = r.float64()
    const epoch = r.int16()
    const lastMs = r.float64()
    const batches: ProducerBatch[] = Array.from({ length: r.uint8() }, () => ({
      baseSequence: r.int32(), lastSequence: r.int32(), baseOffset: r.float64()
    }))
    partition.producers.set(producerId, { epoch, lastMs, batches })
  }
  return partition
}
