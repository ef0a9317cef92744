/**
 * Partitions of a shard: offsets, producers and the windows of sources. Pure; changed by `applyPartitionEntry` only.
 * On a view `nextOffset` is the high watermark, on the leader the next offset to be given out.
 */
import assert from 'node:assert/strict'
import type { Source } from '#shared/object/chunk-ref.ts'
import { AnswersWriter } from '#shared/rpc/commit-rows.ts'
import { ENTRY_KIND, type Entry } from '../shard/entry.ts'
import { UNKNOWN_PARTITION } from './commit-decisions.ts'
import { isCommit, readCommitEntry } from './commit-entry.ts'
import { decodeCloseSources, decodeCreatePartitions, decodeDropPartitions } from './partition-entries.ts'
import { PRODUCER_EXPIRY_MS, withBatch, type ProducerState } from './producer-state.ts'
import { closeLives, rememberChunk, type SourceWindow } from './source-window.ts'

export type PartitionState = {
  readonly localId: number // small, stable, never used again in this shard
  readonly topicId: string
  readonly partition: number
  nextOffset: number
  logStartOffset: number
  readonly producers: Map<number, ProducerState>
  producersSweptMs: number // entry time of the last sweep of silent producers
}

export type PartitionsState = {
  readonly byKey: Map<string, PartitionState>
  readonly byLocalId: (PartitionState | undefined)[]
  readonly sources: Map<string, SourceWindow>
  readonly closedEpochs: Map<number, number> // node id to the newest of its lives that is closed
}

export function newPartitionsState(): PartitionsState {
  return { byKey: new Map(), byLocalId: [], sources: new Map(), closedEpochs: new Map() }
}

export function partitionKey(topicId: string, partition: number): string {
  return `${topicId}/${partition}`
}

export function findPartition(state: PartitionsState, topicId: string, partition: number): PartitionState | undefined {
  return state.byKey.get(partitionKey(topicId, partition))
}

/** Applies createPartitions, dropPartitions, a commit or closeSources, in place. */
export function applyPartitionEntry(state: PartitionsState, entry: Entry, timeMs: number): void {
  if (isCommit(entry)) applyCommit(state, entry, timeMs)
  else if (entry.kind === ENTRY_KIND.createPartitions) applyCreate(state, entry.body)
  else if (entry.kind === ENTRY_KIND.dropPartitions) applyDrop(state, entry.body)
  else if (entry.kind === ENTRY_KIND.closeSources) applyClose(state, entry.body)
  else assert.fail(`entry kind ${entry.kind} is not a partition's`)
}

function applyCreate(state: PartitionsState, body: Uint8Array): void {
  const { topicId, partitions } = decodeCreatePartitions(body)
  for (const partition of partitions) {
    const key = partitionKey(topicId, partition)
    if (state.byKey.has(key)) continue // a repeated step
    const created: PartitionState = {
      localId: state.byLocalId.length, topicId, partition, nextOffset: 0, logStartOffset: 0, producers: new Map(),
      producersSweptMs: 0
    }
    state.byKey.set(key, created)
    state.byLocalId.push(created)
  }
}

function applyDrop(state: PartitionsState, body: Uint8Array): void {
  const { topicId } = decodeDropPartitions(body)
  for (const partition of state.byLocalId) {
    if (partition?.topicId !== topicId) continue
    state.byKey.delete(partitionKey(topicId, partition.partition))
    state.byLocalId[partition.localId] = undefined
  }
}

function applyClose({ sources, closedEpochs }: PartitionsState, body: Uint8Array): void {
  for (const { nodeId, nodeEpoch } of decodeCloseSources(body)) closeLives(sources, closedEpochs, nodeId, nodeEpoch)
}

function applyCommit(state: PartitionsState, entry: Entry, timeMs: number): void {
  const answers = new AnswersWriter()
  let current: PartitionState | undefined
  let [logStart, checksum, chunkSeq, floor] = [0, 0, 0, -1]
  let source: Source | null = null
  readCommitEntry(entry, {
    chunk(chunkSource, seq, sum, stated) { source = chunkSource; chunkSeq = seq; checksum = sum; floor = stated },
    partition(localId, baseOffset, logStartOffset) {
      logStart = logStartOffset
      current = localId === UNKNOWN_PARTITION ? undefined : state.byLocalId[localId]
      // The journal holds decisions made on exactly this state: anything else means a fork.
      if (current !== undefined) assert.equal(baseOffset, current.nextOffset)
      else assert.equal(localId, UNKNOWN_PARTITION)
      if (current !== undefined && timeMs - current.producersSweptMs > PRODUCER_EXPIRY_MS / 24) {
        sweepProducers(current, timeMs)
      }
    },
    batch(_localId, _position, _length, recordCount, _maxTimestamp, baseOffset, producerId, epoch, baseSequence) {
      assert(current !== undefined)
      current.nextOffset = baseOffset + recordCount
      if (producerId !== -1)
        current.producers.set(producerId, withBatch(
          current.producers.get(producerId), { epoch, baseSequence, recordCount, baseOffset }, timeMs
        ))
      answers.add(0, baseOffset, -1, logStart)
    },
    refused(_localId, errorCode, baseOffset) { answers.add(errorCode, baseOffset, -1, errorCode === 0 ? logStart : -1) }
  })
  assert(source !== null)
  rememberChunk(state.sources, source, { chunkSeq, checksum, answers: answers.finish() }, floor)
}

function sweepProducers(partition: PartitionState, timeMs: number): void {
  partition.producersSweptMs = timeMs
  for (const [producerId, producer] of partition.producers)
    if (timeMs - producer.lastMs > PRODUCER_EXPIRY_MS) partition.producers.delete(producerId)
}
