/**
 * OffsetForLeaderEpoch: there is one epoch, 0, and it ends at the high watermark: the log never
 * truncates (PROTOCOL 32).
 */
import { shardOfPartition, leaderOf, zoneReaderOf } from '#shared/cluster/placement.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { offsetsCall } from '#shared/rpc/read.ts'
import type {
  OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse
} from '#shared/wire/api/offset-for-leader-epoch.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { askZone } from '../zone/ask-zone.ts'
import { authorize, throttle, type GatewayServices, type Handler, type RequestContext } from './handler.ts'
import { checkNamed, mapTogether } from './request-bounds.ts'
import { findTopics } from './topic-lookup.ts'

type PartitionAsked = OffsetForLeaderEpochRequest['topics'][number]['partitions'][number]
type PartitionAnswer = OffsetForLeaderEpochResponse['topics'][number]['partitions'][number]
type Wanted = { readonly shard: number; readonly topicId: string; readonly asked: PartitionAsked }

const LEADER_EPOCH = 0
const TIMESTAMP_LATEST = -1
const READ_UNCOMMITTED = 0
const DEADLINE_MS = 10_000

export const handleOffsetForLeaderEpoch: Handler<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse> = async (
  context, _version, request, services
) => {
  checkNamed(services, request.topics.reduce((count, { partitions }) => count + 1 + partitions.length, 0))
  const { topics, fresh } = await findTopics(services, request.topics.map(({ topic, partitions }) => {
    const partitionCount = partitions.reduce((count, { partition }) => Math.max(count, partition + 1), 0)
    return { name: topic, topicId: null, partitionCount }
  }))
  if (context.mustMove) return refuseAll(request, KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER)
  const { shardCount } = services.membership.current()
  const wanted: Wanted[] = []
  for (const [i, { partitions }] of request.topics.entries()) {
    const topic = topics[i]!
    if (topic === null || !authorize(context, 'describe', { type: 'topic', name: topic.name })) continue
    for (const asked of partitions) {
      if (asked.partition < 0 || asked.partition >= topic.partitionCount) continue
      wanted.push(
        { shard: shardOfPartition(topic.topicId, asked.partition, shardCount), topicId: topic.topicId, asked }
      )
    }
  }
  const ends = await endOffsets(context, services, wanted)
  const missing = fresh ? KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION : KAFKA_ERROR.LEADER_NOT_AVAILABLE
  const answered = request.topics.map(({ topic, partitions }, i) => ({
    topic,
    partitions: partitions.map((asked): PartitionAnswer => {
      const known = topics[i]!
      if (known === null || asked.partition < 0 || asked.partition >= known.partitionCount) {
        return unknown(asked, missing)
      }
      return ends.get(asked) ?? unknown(asked, KAFKA_ERROR.TOPIC_AUTHORIZATION_FAILED)
    })
  }))
  return { throttleTimeMs: throttle(context, 0), topics: answered }
}

function refuseAll({ topics }: OffsetForLeaderEpochRequest, errorCode: number): OffsetForLeaderEpochResponse {
  const refused = topics.map(({ topic, partitions }) =>
    ({ topic, partitions: partitions.map((asked) => unknown(asked, errorCode)) }))
  return { throttleTimeMs: 0, topics: refused }
}

function unknown({ partition }: PartitionAsked, errorCode: number): PartitionAnswer {
  return { errorCode, partition, leaderEpoch: -1, endOffset: -1 }
}

async function endOffsets(
  context: RequestContext, services: GatewayServices, wanted: readonly Wanted[]
): Promise<Map<PartitionAsked, PartitionAnswer>> {
  const byShard = Map.groupBy(wanted, ({ shard }) => shard)
  const answers = new Map<PartitionAsked, PartitionAnswer>()
  await mapTogether([...byShard], async ([shard, ofShard]) => {
    const offsets = await latestOffsets(context, services, shard, ofShard)
    for (const [i, { asked }] of ofShard.entries()) {
      const { errorCode, offset } = offsets[i]!
      // Of an epoch before or behind the only one nothing is known, which is no error.
      answers.set(asked, errorCode === KAFKA_ERROR.NONE && asked.leaderEpoch === LEADER_EPOCH
        ? { errorCode, partition: asked.partition, leaderEpoch: LEADER_EPOCH, endOffset: offset }
        : unknown(asked, errorCode))
    }
  })
  return answers
}

async function latestOffsets(
  context: RequestContext, services: GatewayServices, shard: number, wanted: readonly Wanted[]
): Promise<readonly { readonly errorCode: number; readonly offset: number }[]> {
  const { membership, transport, zone } = services
  const pick = (unreachable: ReadonlySet<number>): number | null => {
    const snapshot = membership.current()
    const node = zoneReaderOf(snapshot, zone, shard, unreachable) ?? leaderOf(snapshot, shard)
    return unreachable.has(node) ? null : node
  }
  const partitions = wanted.map(({ topicId, asked: { partition, currentLeaderEpoch } }) =>
    ({ topicId, partition, currentLeaderEpoch, timestamp: TIMESTAMP_LATEST }))
  const request = { shard, isolationLevel: READ_UNCOMMITTED, partitions }
  try {
    const options = { deadlineMs: DEADLINE_MS, signal: context.signal }
    const ask = (node: number) => transport.call(node, offsetsCall, request, options)
    return (await askZone(pick, ask)).response.partitions
  } catch (error) {
    if (!(error instanceof ZonewiseError)) throw error
    services.log.debug('offsets call failed', { shard, code: error.code })
    const errorCode = error.retriable ? KAFKA_ERROR.LEADER_NOT_AVAILABLE : error.kafkaCode
    return wanted.map(() => ({ errorCode, offset: -1 }))
  }
}
