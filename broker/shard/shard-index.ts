/**
 * Where the bytes of a shard's partitions are: per partition columns in typed arrays, one entry for neighbouring
 * batches of a partition in one chunk, so that it grows with chunks x partitions. Pure; changed by `applyIndexEntry` only.
 * An entry takes 40 bytes: baseOffset, maxTimestamp, runningMax f64; offsetCount, objectId, position, length u32.
 * In a snapshot (docs/object-format.md):
 *   head       formatVersion u8 | sourceCount u32, then nodeId i32 | nodeEpoch f64 | nonce string | lane u8 each
 *   objects    count u32, then two columns: index of the source u32, chunkSeq f64
 *   partition  count u32 of local ids, then here u8 (0: a gap) | topicId 16 bytes | partition u32 | entryCount u32 |
 *              the seven columns of its entries, in the order above
 * Columns lie as they are in memory: little-endian, all values of one field, then all of the next.
 */
import { sourceName, type ChunkRef, type Source } from '#shared/object/chunk-ref.ts'
import { isCommit, readCommitEntry } from '../partition/commit-entry.ts'
import { decodeCreatePartitions, decodeDropPartitions } from '../partition/partition-entries.ts'
import { ENTRY_KIND, type Entry } from './entry.ts'

const CAPACITY_FIRST = 4
const NO_FLOATS = new Float64Array(0)
const NO_WORDS = new Uint32Array(0)
const FLOATS = ['baseOffset', 'maxTimestamp', 'runningMax'] as const
const WORDS = ['offsetCount', 'objectId', 'position', 'length'] as const

/** Entries of one partition, ascending by offset. */
export type PartitionIndex = {
  readonly topicId: string
  readonly partition: number
  entryCount: number
  baseOffset: Float64Array
  maxTimestamp: Float64Array
  runningMax: Float64Array // of maxTimestamp up to and with this entry: ascending, for time lookups
  offsetCount: Uint32Array
  objectId: Uint32Array
  position: Uint32Array
  length: Uint32Array
}

/** Chunks by a small id: which source, which chunkSeq. */
export type ObjectTable = {
  count: number
  sourceIndex: Uint32Array
  chunkSeq: Float64Array
  readonly sources: Source[]
  readonly sourceIndexByName: Map<string, number>
}

export type ShardIndex = { readonly partitions: (PartitionIndex | undefined)[]; readonly objects: ObjectTable }

export type IndexRun = {
  readonly chunk: ChunkRef; readonly position: number; readonly length: number
  readonly baseOffset: number; readonly endOffset: number; readonly maxTimestamp: number
  readonly chunksBehind: number // newer chunks that the shard has
}

/** `runsMax` bounds a plan over many small runs. */
export type RunLimits = { readonly bytesMax: number; readonly runsMax: number }

export function newShardIndex(): ShardIndex {
  return { partitions: [], objects: newObjectTable() }
}

function newObjectTable(): ObjectTable {
  return { count: 0, sourceIndex: NO_WORDS, chunkSeq: NO_FLOATS, sources: [], sourceIndexByName: new Map() }
}

/** Without columns of its own: most partitions of a big topic may never see a batch. */
export function newPartitionIndex(topicId: string, partition: number): PartitionIndex {
  return {
    topicId, partition, entryCount: 0, baseOffset: NO_FLOATS, maxTimestamp: NO_FLOATS, runningMax: NO_FLOATS,
    offsetCount: NO_WORDS, objectId: NO_WORDS, position: NO_WORDS, length: NO_WORDS
  }
}

/** Applies one entry, in place, after the shard's state took it; entries of other kinds change nothing here. */
export function applyIndexEntry(index: ShardIndex, entry: Entry): void {
  if (isCommit(entry)) applyCommit(index, entry)
  else if (entry.kind === ENTRY_KIND.createPartitions) applyCreate(index, entry.body)
  else if (entry.kind === ENTRY_KIND.dropPartitions) applyDrop(index, entry.body)
}

function applyCommit(index: ShardIndex, entry: Entry): void {
  let source: Source | null = null
  let chunkSeq = 0
  let objectId = -1
  readCommitEntry(entry, {
    chunk(chunkSource, seq) { source = chunkSource; chunkSeq = seq },
    batch(localId, position, length, recordCount, maxTimestamp, baseOffset) {
      if (objectId === -1 && source !== null) objectId = addObject(index.objects, source, chunkSeq)
      const of = index.partitions[localId]
      if (of !== undefined) addBatch(of, objectId, position, length, recordCount, maxTimestamp, baseOffset)
    }
  })
}

/** Local ids are given out in the order of creation, exactly as in partitions-state. */
function applyCreate(index: ShardIndex, body: Uint8Array): void {
  const { topicId, partitions } = decodeCreatePartitions(body)
  const known = new Set<number>()
  for (const partition of index.partitions) if (partition?.topicId === topicId) known.add(partition.partition)
  for (const partition of partitions) {
    if (known.has(partition)) continue // a repeated step
    known.add(partition)
    index.partitions.push(newPartitionIndex(topicId, partition))
  }
}

function applyDrop(index: ShardIndex, body: Uint8Array): void {
  const { topicId } = decodeDropPartitions(body)
  for (const [localId, partition] of index.partitions.entries())
    if (partition?.topicId === topicId) index.partitions[localId] = undefined
}

function addObject(objects: ObjectTable, source: Source, chunkSeq: number): number {
  const name = sourceName(source)
  let sourceIndex = objects.sourceIndexByName.get(name)
  if (sourceIndex === undefined) {
    sourceIndex = objects.sources.push(source) - 1
    objects.sourceIndexByName.set(name, sourceIndex)
  }
  if (objects.count === objects.chunkSeq.length) {
    const capacity = Math.max(CAPACITY_FIRST, objects.count * 2)
    objects.sourceIndex = grown(objects.sourceIndex, new Uint32Array(capacity))
    objects.chunkSeq = grown(objects.chunkSeq, new Float64Array(capacity))
  }
  objects.sourceIndex[objects.count] = sourceIndex
  objects.chunkSeq[objects.count] = chunkSeq
  return objects.count++
}

function addBatch(
  index: PartitionIndex, objectId: number, position: number, length: number,
  recordCount: number, maxTimestamp: number, baseOffset: number
): void {
  const last = index.entryCount - 1
  if (last >= 0 && index.objectId[last] === objectId && index.position[last]! + index.length[last]! === position
    && index.baseOffset[last]! + index.offsetCount[last]! === baseOffset) {
    index.length[last]! += length
    index.offsetCount[last]! += recordCount
    if (maxTimestamp > index.maxTimestamp[last]!) index.maxTimestamp[last] = maxTimestamp
    if (maxTimestamp > index.runningMax[last]!) index.runningMax[last] = maxTimestamp
    return
  }
  if (index.entryCount === index.baseOffset.length) grow(index)
  const at = index.entryCount++
  index.baseOffset[at] = baseOffset
  index.maxTimestamp[at] = maxTimestamp
  index.runningMax[at] = last >= 0 ? Math.max(index.runningMax[last]!, maxTimestamp) : maxTimestamp
  index.offsetCount[at] = recordCount
  index.objectId[at] = objectId
  index.position[at] = position
  index.length[at] = length
}

function grow(index: PartitionIndex): void {
  const capacity = Math.max(CAPACITY_FIRST, index.baseOffset.length * 2)
  for (const column of FLOATS) index[column] = grown(index[column], new Float64Array(capacity))
  for (const column of WORDS) index[column] = grown(index[column], new Uint32Array(capacity))
}

function grown<T extends Float64Array | Uint32Array>(from: T, to: T): T {
  to.set(from)
  return to
}

/** The entry that holds `offset`, or the first one above it; entryCount if there is none. */
export function findEntry(index: PartitionIndex, offset: number): number {
  let [low, high] = [0, index.entryCount]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (index.baseOffset[middle]! + index.offsetCount[middle]! <= offset) low = middle + 1
    else high = middle
  }
  return low
}

/** The first entry that holds a batch with maxTimestamp >= `timestamp`; entryCount if there is none. */
export function findByTimestamp(index: PartitionIndex, timestamp: number): number {
  let [low, high] = [0, index.entryCount]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (index.runningMax[middle]! < timestamp) low = middle + 1
    else high = middle
  }
  return low
}

/** Entry `at` as a run. */
export function runAt(index: ShardIndex, partition: PartitionIndex, at: number): IndexRun {
  const objectId = partition.objectId[at]!
  const source = index.objects.sources[index.objects.sourceIndex[objectId]!]!
  const baseOffset = partition.baseOffset[at]!
  return {
    chunk: { source, chunkSeq: index.objects.chunkSeq[objectId]! },
    position: partition.position[at]!, length: partition.length[at]!,
    baseOffset, endOffset: baseOffset + partition.offsetCount[at]!, maxTimestamp: partition.maxTimestamp[at]!,
    chunksBehind: index.objects.count - 1 - objectId
  }
}

/** Runs from the one that holds `offset` on, until `bytesMax` is passed: one run may be larger. */
export function runsFrom(
  index: ShardIndex, partition: PartitionIndex, offset: number, { bytesMax, runsMax }: RunLimits
): IndexRun[] {
  const runs: IndexRun[] = []
  let bytes = 0
  for (let at = findEntry(partition, offset); at < partition.entryCount && runs.length < runsMax; at++) {
    const run = runAt(index, partition, at)
    runs.push(run)
    bytes += run.length
    if (bytes >= bytesMax) break
  }
  return runs
}

export function entryCount(index: ShardIndex): number {
  return index.partitions.reduce((sum, partition) => sum + (partition?.entryCount ?? 0), 0)
}
