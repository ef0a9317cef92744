/**
 * Entries by which a shard takes up and lets go of partitions (docs/object-format.md):
 *   createPartitions  topicId 16 bytes | createdMs f64 | count u32 | partition u32 each
 *   dropPartitions    topicId 16 bytes
 * and by which it lets go of dead writers:
 *   closeSources      count u32 | (nodeId i32 | nodeEpoch f64: this life of the node and all before it) each
 */
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import { ENTRY_KIND, type Entry } from '../shard/entry.ts'

export type CreatePartitions =
  { readonly topicId: string; readonly createdMs: number; readonly partitions: readonly number[] }
/** Lives of a node up to `nodeEpoch`. */
export type ClosedLives = { readonly nodeId: number; readonly nodeEpoch: number }
export type DropPartitions = { readonly topicId: string }

export function encodeCreatePartitions({ topicId, createdMs, partitions }: CreatePartitions): Entry {
  const w = new Writer(32 + 4 * partitions.length)
  w.uuid(topicId)
  w.float64(createdMs)
  w.uint32(partitions.length)
  for (const partition of partitions) w.uint32(partition)
  return { kind: ENTRY_KIND.createPartitions, body: Buffer.concat(w.finish()) }
}

export function decodeCreatePartitions(body: Uint8Array): CreatePartitions {
  const r = new Reader(body)
  const topicId = r.uuid()
  const createdMs = r.float64()
  const partitions: number[] = Array.from({ length: r.uint32() }, () => r.uint32())
  r.expectEnd()
  return { topicId, createdMs, partitions }
}

export function encodeDropPartitions({ topicId }: DropPartitions): Entry {
  const w = new Writer(16)
  w.uuid(topicId)
  return { kind: ENTRY_KIND.dropPartitions, body: Buffer.concat(w.finish()) }
}

export function decodeDropPartitions(body: Uint8Array): DropPartitions {
  const r = new Reader(body)
  const topicId = r.uuid()
  r.expectEnd()
  return { topicId }
}

export function encodeCloseSources(lives: readonly ClosedLives[]): Entry {
  const w = new Writer(4 + 12 * lives.length)
  w.uint32(lives.length)
  for (const { nodeId, nodeEpoch } of lives) {
    w.int32(nodeId)
    w.float64(nodeEpoch)
  }
  return { kind: ENTRY_KIND.closeSources, body: Buffer.concat(w.finish()) }
}

export function decodeCloseSources(body: Uint8Array): ClosedLives[] {
  const r = new Reader(body)
  const lives = Array.from({ length: r.uint32() }, () => ({ nodeId: r.int32(), nodeEpoch: r.float64() }))
  r.expectEnd()
  return lives
}
