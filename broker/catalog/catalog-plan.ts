/**
 * Decisions of the catalog, with Kafka's error codes, and what is left to do of them. Pure: the driver draws ids and
 * time, journals what is decided here, and carries it to the shards.
 */
import { shardOfPartition } from '#shared/cluster/placement.ts'
import { topicConfigFault } from '#shared/config/topic-configs.ts'
import type { CreatePartitionsRequest, CreateTopicRequest } from '#shared/rpc/admin.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { Entry } from '../shard/entry.ts'
import {
  encodePartitionsIntent, encodeProducerIdBlock, encodeTopicDelete, encodeTopicIntent, type ProducerIdBlock
} from './catalog-entries.ts'
import { nextProducerId, type CatalogState, type CatalogTopic } from './catalog-state.ts'

export type CatalogLimits = {
  readonly topicPartitionsMax: number
  readonly partitionsMax: number // of all topics
  readonly producerIdsMax: number // of one block
  readonly defaultPartitionCount: number // where a request says -1
  readonly defaultReplicationFactor: number
}

export const TOPIC_NAME = { lengthMax: 249, pattern: /^[a-zA-Z0-9._-]+$/ } as const
export const REPLICATION_FACTOR_MAX = 3

export type Refusal = { readonly kind: 'refused'; readonly errorCode: number; readonly errorMessage: string }
/** `entry` null: it is so already, or on its way. */
export type Decision = { readonly kind: 'decided'; readonly entry: Entry | null }
export type CreateDecision = {
  readonly kind: 'decided'; readonly entry: Entry; readonly partitionCount: number; readonly replicationFactor: number
}

/** What a topic still needs on its shards: partitions [first, count), or to be dropped. */
export type Step = {
  readonly topicId: string
  readonly drop: boolean
  readonly firstPartition: number
  readonly partitionCount: number
  readonly createdMs: number
}

function refused(errorCode: number, errorMessage: string): Refusal {
  return { kind: 'refused', errorCode, errorMessage }
}

/** Decides a creation under the fresh `topicId`. */
export function planCreateTopic(
  state: CatalogState, request: CreateTopicRequest, fresh: { readonly topicId: string; readonly nowMs: number },
  limits: CatalogLimits
): CreateDecision | Refusal {
  const { name } = request
  const nameFault = topicNameFault(name)
  if (nameFault !== null) return refused(KAFKA_ERROR.INVALID_TOPIC_EXCEPTION, nameFault)
  if (state.topicsByName.has(name)) return refused(KAFKA_ERROR.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`)
  const partitionCount = request.partitionCount === -1 ? limits.defaultPartitionCount : request.partitionCount
  if (partitionCount < 1) return refused(KAFKA_ERROR.INVALID_PARTITIONS, 'Number of partitions must be larger than 0.')
  const replicationFactor =
    request.replicationFactor === -1 ? limits.defaultReplicationFactor : request.replicationFactor
  if (replicationFactor < 1 || replicationFactor > REPLICATION_FACTOR_MAX)
    return refused(
      KAFKA_ERROR.INVALID_REPLICATION_FACTOR,
      `Replication factor must be from 1 to ${REPLICATION_FACTOR_MAX}; storage replicates by itself.`
    )
  const bound = boundFault(state, { before: 0, after: partitionCount }, limits)
  if (bound !== null) return bound
  const configs = new Map<string, string>()
  for (const config of request.configs) {
    const fault =
      configs.has(config.name) ? `Config ${config.name} is given twice` : topicConfigFault(config.name, config.value)
    if (fault !== null) return refused(KAFKA_ERROR.INVALID_CONFIG, fault)
    configs.set(config.name, config.value ?? '')
  }
  const entry = encodeTopicIntent({
    topicId: fresh.topicId, name, partitionCount, replicationFactor, createdMs: fresh.nowMs,
    configs: [...configs].map(([configName, value]) => ({ name: configName, value }))
  })
  return { kind: 'decided', entry, partitionCount, replicationFactor }
}

/** Decides a deletion. A topic on its way out is deleted once more without an entry: whoever asks waits for its end. */
export function planDeleteTopic(state: CatalogState, topicId: string): Decision | Refusal {
  const topic = state.topics.get(topicId)
  if (topic === undefined) return refused(KAFKA_ERROR.UNKNOWN_TOPIC_ID, 'This server does not host this topic ID.')
  return { kind: 'decided', entry: topic.state === 'deleting' ? null : encodeTopicDelete({ topicId }) }
}

export function planCreatePartitions(
  state: CatalogState, request: CreatePartitionsRequest, limits: CatalogLimits
): Decision | Refusal {
  const { topicId, partitionCount } = request
  const topic = state.topics.get(topicId)
  if (topic === undefined || topic.state === 'deleting')
    return refused(KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, 'This server does not host this topic-partition.')
  if (topic.readyPartitionCount < topic.partitionCount) {
    // asked again
    if (topic.state === 'ready' && partitionCount === topic.partitionCount) return { kind: 'decided', entry: null }
    return refused(
      KAFKA_ERROR.REASSIGNMENT_IN_PROGRESS, `Partitions of topic '${topic.name}' are being created; try again.`
    )
  }
  if (partitionCount <= topic.partitionCount) {
    const has =
      `Topic currently has ${topic.partitionCount} partitions, which is higher than the requested ${partitionCount}.`
    const same = `Topic already has ${topic.partitionCount} partition(s).`
    return refused(KAFKA_ERROR.INVALID_PARTITIONS, partitionCount === topic.partitionCount ? same : has)
  }
  const bound = boundFault(state, { before: topic.partitionCount, after: partitionCount }, limits)
  return bound ?? { kind: 'decided', entry: encodePartitionsIntent({ topicId, partitionCount }) }
}

export function planProducerIds(
  state: CatalogState, asked: { readonly count: number; readonly nowMs: number }, limits: CatalogLimits
): { readonly entry: Entry; readonly block: ProducerIdBlock } {
  const count = Math.min(Math.max(asked.count, 1), limits.producerIdsMax)
  const block: ProducerIdBlock = { firstId: nextProducerId(state), count, timeMs: asked.nowMs }
  return { entry: encodeProducerIdBlock(block), block }
}

/** Why a topic cannot have this name; null: it can. */
export function topicNameFault(name: string): string | null {
  if (name === '') return 'Topic name is invalid: the empty string is not allowed'
  if (name === '.' || name === '..') return `Topic name is invalid: '${name}' is not allowed`
  if (name.length > TOPIC_NAME.lengthMax) {
    return `Topic name is invalid: the length is longer than the max allowed ${TOPIC_NAME.lengthMax}`
  }
  if (!TOPIC_NAME.pattern.test(name)) {
    return 'Topic name is invalid: it may hold ASCII letters, digits, \'.\', \'_\' and \'-\' only'
  }
  return null
}

function boundFault(
  state: CatalogState, { before, after }: { readonly before: number; readonly after: number }, limits: CatalogLimits
): Refusal | null {
  if (after > limits.topicPartitionsMax)
    return refused(KAFKA_ERROR.INVALID_PARTITIONS, `A topic has at most ${limits.topicPartitionsMax} partitions here.`)
  if (state.partitionCount + after - before > limits.partitionsMax)
    return refused(
      KAFKA_ERROR.POLICY_VIOLATION,
      `The cluster has at most ${limits.partitionsMax} partitions; it has ${state.partitionCount}.`
    )
  return null
}

/** What is left to do for a topic; null: nothing, or it is gone. */
export function stepOf(topic: CatalogTopic | undefined): Step | null {
  if (topic === undefined) return null
  const { topicId, state, readyPartitionCount, partitionCount, createdMs } = topic
  const drop = state === 'deleting'
  if (!drop && readyPartitionCount === partitionCount) return null
  return { topicId, drop, firstPartition: drop ? 0 : readyPartitionCount, partitionCount, createdMs }
}

/** Ids of the topics with a step left, in the order of their creation. */
export function unfinishedTopics(state: CatalogState): string[] {
  return [...state.topics.values()].filter((topic) => stepOf(topic) !== null).map(({ topicId }) => topicId)
}

/** The shards that hold partitions [first, count) of a topic, ascending. */
export function shardsOfStep({ topicId, firstPartition, partitionCount }: Step, shardCount: number): number[] {
  const shards = new Set<number>()
  for (let partition = firstPartition; partition < partitionCount && shards.size < shardCount; partition++)
    shards.add(shardOfPartition(topicId, partition, shardCount))
  return [...shards].sort((a, b) => a - b)
}
