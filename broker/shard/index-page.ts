/**
 * Pages of a shard's index in snapshots. Chunks are taken into the index in the order of their commits, so a page is a
 * range of objects with all entries that name them; it never changes again, and any copy of the shard that applied as
 * much could write the same one. Columns lie as in memory, little-endian: every platform that Node runs on is.
 *   head       format u8 | firstObject u32 | objectCount u32 | firstSource u32 | sourceCount u32 | partitionCount u32
 *   source     nodeId i32 | nodeEpoch f64 | nonce string | lane u8                          those first named here
 *   objects    sourceIndex u32 each | chunkSeq f64 each                                     columns
 *   partition  localId u32 | entryCount u32, then columns: baseOffset f64, maxTimestamp f64, runningMax f64,
 *              offsetCount u32, objectId u32, position u32, length u32                      40 bytes an entry
 */
import assert from 'node:assert/strict'
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { sourceName, type Source } from '#shared/object/chunk-ref.ts'
import { newPartitionIndex, newShardIndex, type PartitionIndex, type ShardIndex } from './shard-index.ts'

const FORMAT = 1
const ENTRY_BYTES = 40
const OBJECT_BYTES = 12
const FLOATS = ['baseOffset', 'maxTimestamp', 'runningMax'] as const
const WORDS = ['offsetCount', 'objectId', 'position', 'length'] as const

/** How far the pages before this one reach; exclusive. */
export type PageEnd = { readonly objects: number; readonly sources: number }

export const PAGE_NONE: PageEnd = { objects: 0, sources: 0 }

/** How far a page written now reaches. */
export function pageEnd({ objects }: ShardIndex): PageEnd {
  return { objects: objects.count, sources: objects.sources.length }
}

/** About the bytes of a page from `from` on. */
export function pageBytes(index: ShardIndex, from: PageEnd): number {
  let entries = 0
  for (const partition of index.partitions) if (partition !== undefined) entries += partition.entryCount - firstOf(partition, from.objects)
  return entries * ENTRY_BYTES + (index.objects.count - from.objects) * OBJECT_BYTES
}

/**
 * Lays out the page of everything from `from` on. Long columns are referenced: what is in the index already never changes
 * there, and a column that grows is replaced.
 */
export function encodeIndexPage(index: ShardIndex, from: PageEnd): Uint8Array[] {
  const { objects } = index
  const changed = [...index.partitions.entries()].flatMap(([localId, partition]) => {
    const first = partition === undefined ? 0 : firstOf(partition, from.objects)
    return partition === undefined || first === partition.entryCount ? [] : [{ localId, partition, first }]
  })
  const w = new Writer(64 * 1024)
  w.uint8(FORMAT)
  w.uint32(from.objects)
  w.uint32(objects.count - from.objects)
  w.uint32(from.sources)
  w.uint32(objects.sources.length - from.sources)
  w.uint32(changed.length)
  for (const { nodeId, nodeEpoch, nonce, lane } of objects.sources.slice(from.sources)) {
    w.int32(nodeId)
    w.float64(nodeEpoch)
    w.string(nonce, false)
    w.uint8(lane)
  }
  w.raw(bytesOf(objects.sourceIndex, from.objects, objects.count))
  w.raw(bytesOf(objects.chunkSeq, from.objects, objects.count))
  for (const { localId, partition, first } of changed) {
    w.uint32(localId)
    w.uint32(partition.entryCount - first)
    for (const column of [...FLOATS, ...WORDS]) w.raw(bytesOf(partition[column], first, partition.entryCount))
  }
  return w.finish()
}

/** Where a partition is found that local id `localId` stands for; undefined: it was dropped. */
export type PartitionNames = readonly ({ readonly topicId: string; readonly partition: number } | undefined)[]

/**
 * The index that `pages`, in order, and the shard's partitions make up. Entries of dropped partitions are left out.
 * @throws ZonewiseError FORMAT_TOO_NEW, FRAME_INVALID, OBJECT_CORRUPT: the pages do not follow each other
 */
export function decodeIndexPages(pages: readonly Uint8Array[], names: PartitionNames): ShardIndex {
  const index = newShardIndex()
  for (const name of names) index.partitions.push(name === undefined ? undefined : newPartitionIndex(name.topicId, name.partition))
  const read = pages.map((page) => readHead(page))
  const counts = new Map<number, number>()
  for (const { partitions } of read)
    for (const { localId, entryCount } of partitions) counts.set(localId, (counts.get(localId) ?? 0) + entryCount)
  for (const [localId, entryCount] of counts) {
    const partition = index.partitions[localId]
    if (partition !== undefined) allocate(partition, entryCount)
  }
  const objectCount = read.reduce((sum, page) => sum + page.objectCount, 0)
  index.objects.sourceIndex = new Uint32Array(objectCount)
  index.objects.chunkSeq = new Float64Array(objectCount)
  for (const page of read) append(index, page)
  return index
}

type Columns = { readonly localId: number; readonly entryCount: number; readonly bytes: Uint8Array }
type Page = {
  readonly firstObject: number; readonly objectCount: number; readonly firstSource: number
  readonly sources: readonly Source[]; readonly objects: Uint8Array; readonly partitions: readonly Columns[]
}

function readHead(bytes: Uint8Array): Page {
  const r = new Reader(bytes)
  const format = r.uint8()
  if (format !== FORMAT) throw new ZonewiseError('FORMAT_TOO_NEW', 'page of an index has an unknown format', { format })
  const [firstObject, objectCount, firstSource, sourceCount, partitionCount] = [r.uint32(), r.uint32(), r.uint32(), r.uint32(), r.uint32()]
  const sources: Source[] = []
  for (let left = sourceCount; left > 0; left--)
    sources.push({ nodeId: r.int32(), nodeEpoch: r.float64(), nonce: r.string(false), lane: r.uint8() })
  const objects = r.slice(objectCount * OBJECT_BYTES)
  const partitions: Columns[] = []
  for (let left = partitionCount; left > 0; left--) {
    const [localId, entryCount] = [r.uint32(), r.uint32()]
    partitions.push({ localId, entryCount, bytes: r.slice(entryCount * ENTRY_BYTES) })
  }
  r.expectEnd()
  return { firstObject, objectCount, firstSource, sources, objects, partitions }
}

function append(index: ShardIndex, page: Page): void {
  const { objects } = index
  if (page.firstObject !== objects.count || page.firstSource !== objects.sources.length)
    throw new ZonewiseError('OBJECT_CORRUPT', 'pages of an index do not follow each other', { expected: objects.count, found: page.firstObject })
  for (const source of page.sources) objects.sourceIndexByName.set(sourceName(source), objects.sources.push(source) - 1)
  const wordBytes = page.objectCount * 4
  bytesOf(objects.sourceIndex, objects.count, objects.count + page.objectCount).set(page.objects.subarray(0, wordBytes))
  bytesOf(objects.chunkSeq, objects.count, objects.count + page.objectCount).set(page.objects.subarray(wordBytes))
  objects.count += page.objectCount
  for (const { localId, entryCount, bytes } of page.partitions) {
    const partition = index.partitions[localId]
    if (partition === undefined) continue
    const [from, to] = [partition.entryCount, partition.entryCount + entryCount]
    let at = 0
    for (const column of [...FLOATS, ...WORDS]) {
      const target = bytesOf(partition[column], from, to)
      target.set(bytes.subarray(at, at + target.byteLength))
      at += target.byteLength
    }
    partition.entryCount = to
  }
}

function allocate(partition: PartitionIndex, entryCount: number): void {
  for (const column of FLOATS) partition[column] = new Float64Array(entryCount)
  for (const column of WORDS) partition[column] = new Uint32Array(entryCount)
}

/** The bytes of [from, to) of a column, by reference. */
function bytesOf(column: Float64Array | Uint32Array, from: number, to: number): Uint8Array {
  assert(to <= column.length)
  return new Uint8Array(column.buffer, column.byteOffset + from * column.BYTES_PER_ELEMENT, (to - from) * column.BYTES_PER_ELEMENT)
}

/** The first entry that names an object from `object` on: objects only rise inside a partition. */
function firstOf({ objectId, entryCount }: PartitionIndex, object: number): number {
  let [low, high] = [0, entryCount]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (objectId[middle]! < object) low = middle + 1
    else high = middle
  }
  return low
}
