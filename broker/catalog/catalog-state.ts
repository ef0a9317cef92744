/**
 * The catalog: topics, the cluster's own facts, producer id blocks. Pure; changed by `applyCatalogEntry` only. Topics
 * are values: a change puts a new one in the old one's place, so what was handed out stays as it was.
 * Invariants: a name belongs to at most one topic that is not being deleted; producer id blocks are dense from 0.
 */
import assert from 'node:assert/strict'
import {
  array, decodeMessage, encodeMessage, field, float64, int16, int32, message, string, struct, uint8, uuid
} from '#shared/binary/message.ts'
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import type { TopicInfo } from '#shared/cluster/catalog-reader.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { ENTRY_KIND, type Entry } from '../shard/entry.ts'
import { PRODUCER_EXPIRY_MS } from '../partition/producer-state.ts'
import {
  configFields, decodeCatalogEntry, type ClusterFact, type NodeLife, type ProducerIdBlock, type TopicCount,
  type TopicIntent
} from './catalog-entries.ts'

export type CatalogTopic = TopicInfo & { readonly createdMs: number }

/** Ids [firstId, endId) were given out at `timeMs` or up to a minute earlier. */
export type ProducerIdRange = { readonly firstId: number; readonly endId: number; readonly timeMs: number }

export type CatalogState = {
  cluster: ClusterFact | null // null until the cluster is created
  readonly topics: Map<string, CatalogTopic> // by id, deleting ones too
  readonly topicsByName: Map<string, CatalogTopic> // without deleting ones
  partitionCount: number // of all topics, as intended, deleting ones too
  readonly producerIds: ProducerIdRange[] // ascending, dense
  /** When each name became free again by a deletion, oldest first, until it is taken, or no producer remembers it. */
  readonly freedNames: Map<string, number>
  /** Nodes ever seen: bounded by the ids that operators give out. */
  readonly lives: Map<number, NodeLife>
}

/**
 * Ranges of one minute are kept as one, under the minute's end; beyond `rangesMax` the oldest two become one under the
 * newer's time. That many minutes are longer than any producer is remembered, so nobody sees the difference.
 */
const PRODUCER_IDS = { grainMs: 60_000, rangesMax: 4_096 } as const

const FREED_NAMES_MAX = 10_000 // beyond it the oldest are forgotten

export function newCatalogState(): CatalogState {
  return {
    cluster: null, topics: new Map(), topicsByName: new Map(), partitionCount: 0, producerIds: [],
    freedNames: new Map(),
    lives: new Map()
  }
}

/** The first producer id that was never given out. */
export function nextProducerId(state: CatalogState): number {
  return state.producerIds.at(-1)?.endId ?? 0
}

/** Applies an entry in place; a step of a topic that is gone changes nothing. @throws ZonewiseError FRAME_INVALID */
export function applyCatalogEntry(state: CatalogState, entry: Entry, timeMs: number): void {
  const decoded = decodeCatalogEntry(entry)
  assert(decoded !== null)
  const { kind, fact } = decoded
  switch (kind) {
    case ENTRY_KIND.cluster: state.cluster = fact; return
    case ENTRY_KIND.topicIntent: return applyIntent(state, fact)
    case ENTRY_KIND.partitionsIntent: return applyPartitionsIntent(state, fact)
    case ENTRY_KIND.topicDone: return applyDone(state, fact)
    case ENTRY_KIND.topicDelete: return applyDelete(state, fact.topicId, timeMs)
    case ENTRY_KIND.topicGone: return applyGone(state, fact.topicId)
    case ENTRY_KIND.producerIdBlock: return applyProducerIdBlock(state.producerIds, fact)
    case ENTRY_KIND.nodeLife: state.lives.set(fact.nodeId, fact)
  }
}

function put(state: CatalogState, topic: CatalogTopic): void {
  state.topics.set(topic.topicId, topic)
  if (topic.state === 'deleting') {
    if (state.topicsByName.get(topic.name)?.topicId === topic.topicId) state.topicsByName.delete(topic.name)
  } else state.topicsByName.set(topic.name, topic)
}

function applyIntent(state: CatalogState, intent: TopicIntent): void {
  const { topicId, name, partitionCount, replicationFactor, createdMs } = intent
  assert(!state.topics.has(topicId))
  assert(!state.topicsByName.has(name))
  const configs = Object.fromEntries(intent.configs.map((config) => [config.name, config.value]))
  const freedMs = state.freedNames.get(name)
  const replacedMs = freedMs !== undefined && createdMs - freedMs <= PRODUCER_EXPIRY_MS ? createdMs : null
  state.freedNames.delete(name)
  put(state, {
    topicId, name, partitionCount, replicationFactor, configs, createdMs, state: 'creating', readyPartitionCount: 0,
    replacedMs
  })
  state.partitionCount += partitionCount
}

function applyPartitionsIntent(state: CatalogState, { topicId, partitionCount }: TopicCount): void {
  const topic = state.topics.get(topicId)
  if (topic?.state !== 'ready') return
  assert(partitionCount > topic.partitionCount)
  state.partitionCount += partitionCount - topic.partitionCount
  put(state, { ...topic, partitionCount })
}

function applyDone(state: CatalogState, { topicId, partitionCount }: TopicCount): void {
  const topic = state.topics.get(topicId)
  if (topic === undefined || topic.state === 'deleting' || partitionCount <= topic.readyPartitionCount) return
  assert(partitionCount <= topic.partitionCount)
  put(state, { ...topic, state: 'ready', readyPartitionCount: partitionCount })
}

function applyDelete(state: CatalogState, topicId: string, timeMs: number): void {
  const topic = state.topics.get(topicId)
  if (topic === undefined) return
  const { freedNames } = state
  if (topic.state !== 'deleting') freedNames.set(topic.name, timeMs)
  for (const [name, freedMs] of freedNames) {
    if (freedNames.size <= FREED_NAMES_MAX && timeMs - freedMs <= PRODUCER_EXPIRY_MS) break
    freedNames.delete(name)
  }
  put(state, { ...topic, state: 'deleting' })
}

function applyGone(state: CatalogState, topicId: string): void {
  const topic = state.topics.get(topicId)
  if (topic === undefined) return
  assert.equal(topic.state, 'deleting')
  state.topics.delete(topicId)
  state.partitionCount -= topic.partitionCount
}

function applyProducerIdBlock(ranges: ProducerIdRange[], { firstId, count, timeMs }: ProducerIdBlock): void {
  const last = ranges.at(-1)
  assert.equal(firstId, last?.endId ?? 0)
  const endId = firstId + count
  assert(Number.isSafeInteger(endId))
  const minuteMs = Math.ceil(timeMs / PRODUCER_IDS.grainMs) * PRODUCER_IDS.grainMs
  if (last !== undefined && last.timeMs >= minuteMs) ranges[ranges.length - 1] = { ...last, endId }
  else ranges.push({ firstId, endId, timeMs: minuteMs })
  if (ranges.length > PRODUCER_IDS.rangesMax) ranges.splice(0, 2, { ...ranges[1]!, firstId: ranges[0]!.firstId })
}

const TOPIC_STATES = ['creating', 'ready', 'deleting'] as const
const FORMAT_FIRST = 1 // of version 0 of the message
const NEVER_MS = -1
const VERSION_BEFORE_LIVES = 1

/** Snapshot of a catalog, behind one byte of format (docs/object-format.md). */
export const CATALOG_SNAPSHOT = message('CatalogSnapshot', { versions: [0, 2], flexibleSince: null }, {
  // none or one
  cluster: field(array(struct({ clusterId: field(string), shardCount: field(int32), clusterVersion: field(int32) }))),
  topics: field(array(struct({
    topicId: field(uuid), name: field(string), partitionCount: field(int32), readyPartitionCount: field(int32),
    replicationFactor: field(int16), configs: field(array(struct(configFields))), createdMs: field(float64),
    state: field(uint8),
    replacedMs: field(float64, { since: 1, default: NEVER_MS })
  }))),
  producerIds: field(array(struct({ firstId: field(float64), endId: field(float64), timeMs: field(float64) }))),
  freedNames: field(array(struct({ name: field(string), freedMs: field(float64) })), { since: 1 }),
  lives: field(array(struct(
    { nodeId: field(int32), nodeEpoch: field(float64), closedEpoch: field(float64) }
  )), { since: 2 })
})

/** Copies the state out: the chunks no longer change when it does. */
export function encodeCatalogState(state: CatalogState): Uint8Array[] {
  const w = new Writer(4_096)
  const version = state.lives.size > 0 ? CATALOG_SNAPSHOT.versionMax : VERSION_BEFORE_LIVES // as old as it can be
  w.uint8(FORMAT_FIRST + version)
  encodeMessage(CATALOG_SNAPSHOT, version, {
    cluster: state.cluster === null ? [] : [state.cluster],
    topics: [...state.topics.values()].map((topic) => ({
      ...topic,
      replacedMs: topic.replacedMs ?? NEVER_MS,
      configs: Object.entries(topic.configs).map(([name, value]) => ({ name, value })),
      state: TOPIC_STATES.indexOf(topic.state)
    })),
    producerIds: state.producerIds,
    freedNames: Array.from(state.freedNames, ([name, freedMs]) => ({ name, freedMs })),
    lives: [...state.lives.values()]
  }, w)
  return w.finish()
}

/** @throws ZonewiseError FORMAT_TOO_NEW, FRAME_INVALID */
export function decodeCatalogState(bytes: Uint8Array): CatalogState {
  const r = new Reader(bytes)
  const version = r.uint8() - FORMAT_FIRST
  if (version < 0 || version > CATALOG_SNAPSHOT.versionMax) {
    throw new ZonewiseError('FORMAT_TOO_NEW', 'snapshot of the catalog has an unknown format', { version })
  }
  const held = decodeMessage(CATALOG_SNAPSHOT, version, r)
  r.expectEnd()
  const state = newCatalogState()
  state.cluster = held.cluster[0] ?? null
  for (const topic of held.topics) {
    const topicState = TOPIC_STATES[topic.state]
    if (topicState === undefined) {
      throw new ZonewiseError('FRAME_INVALID', 'topic of an unknown state', { topicId: topic.topicId })
    }
    const replacedMs = topic.replacedMs === NEVER_MS ? null : topic.replacedMs
    put(state, {
      ...topic, replacedMs, configs: Object.fromEntries(topic.configs.map(({ name, value }) => [name, value])),
      state: topicState
    })
    state.partitionCount += topic.partitionCount
  }
  state.producerIds.push(...held.producerIds)
  for (const { name, freedMs } of held.freedNames) state.freedNames.set(name, freedMs)
  for (const life of held.lives) state.lives.set(life.nodeId, life)
  return state
}
