/**
 * ListOffsets: asked of the zone's readers, after a barrier, so that no answer is older than the
 * question (PROTOCOL 36-37).
 */
import { shardOfPartition, zoneReaderOf } from '#shared/cluster/placement.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { offsetsCall } from '#shared/rpc/read.ts'
import type { ListOffsetsRequest, ListOffsetsResponse } from '#shared/wire/api/list-offsets.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { askZone } from '../zone/ask-zone.ts'
import { authorize, throttle, type Handler } from './handler.ts'
import { checkNamed, mapTogether } from './request-bounds.ts'
import { findTopics } from './topic-lookup.ts'

type Asked = ListOffsetsRequest['topics'][number]['partitions'][number]
type Answer = ListOffsetsResponse['topics'][number]['partitions'][number]
type Wanted = { readonly shard: number; readonly topicId: string; readonly asked: Asked }

const DEADLINE_MS = 10_000
/** Version since which a special timestamp may be asked for; one below it, or unknown, is UNSUPPORTED_VERSION. */
const SPECIAL_SINCE: Readonly<Record<number, number>> = { [-1]: 1, [-2]: 1, [-3]: 7, [-4]: 8, [-5]: 9, [-6]: 11 }

export const handleListOffsets: Handler<ListOffsetsRequest, ListOffsetsResponse> =
  async (context, version, request, services) => {
  checkNamed(services, request.topics.reduce((count, { partitions }) => count + 1 + partitions.length, 0))
  const { topics, fresh } = await findTopics(services, request.topics.map(({ name, partitions }) => ({
    name, topicId: null, partitionCount: partitions.reduce((count, { partitionIndex }) =>
      Math.max(count, partitionIndex + 1), 0)
  })))
  const { shardCount } = services.membership.current()
  const missing = fresh ? KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION : KAFKA_ERROR.LEADER_NOT_AVAILABLE
  const wanted: Wanted[] = []
  const answers = new Map<Asked, Answer>()
  const seen = new Set<string>()
  const twice = new Set<string>()
  for (const { name, partitions } of request.topics)
    for (const { partitionIndex } of partitions) {
      (seen.has(`${name}/${partitionIndex}`) ? twice : seen).add(`${name}/${partitionIndex}`)
    }
  for (const [t, { name, partitions }] of request.topics.entries()) {
    const topic = topics[t] ?? null
    const allowed = authorize(context, 'describe', { type: 'topic', name })
    for (const asked of partitions) {
      const since = asked.timestamp >= 0 ? 1 : SPECIAL_SINCE[asked.timestamp]
      const error = twice.has(`${name}/${asked.partitionIndex}`) ? KAFKA_ERROR.INVALID_REQUEST
        : !allowed ? KAFKA_ERROR.TOPIC_AUTHORIZATION_FAILED
          : context.mustMove ? KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER
            : topic === null || asked.partitionIndex < 0 || asked.partitionIndex >= topic.readyPartitionCount ? missing
              : since === undefined || version < since ? KAFKA_ERROR.UNSUPPORTED_VERSION : 0
      if (error !== 0 || topic === null) answers.set(asked, failed(asked, error))
      else {
        wanted.push(
          { shard: shardOfPartition(topic.topicId, asked.partitionIndex, shardCount), topicId: topic.topicId, asked }
        )
      }
    }
  }
  await mapTogether([...Map.groupBy(wanted, ({ shard }) => shard)], async ([shard, ofShard]) => {
    const { membership, transport, zone } = services
    const question = {
      shard, isolationLevel: request.isolationLevel,
      partitions: ofShard.map(({ topicId, asked }) => ({
        topicId, partition: asked.partitionIndex, currentLeaderEpoch: asked.currentLeaderEpoch,
        timestamp: asked.timestamp
      }))
    }
    const options = { deadlineMs: DEADLINE_MS, signal: context.signal }
    try {
      const { response } = await askZone(
        (unreachable) => zoneReaderOf(membership.current(), zone, shard, unreachable),
        (reader) => transport.call(reader, offsetsCall, question, options)
      )
      ofShard.forEach(({ asked }, i) => {
        const { errorCode, offset, timestamp } = response.partitions[i]!
        answers.set(asked, errorCode !== 0 ? failed(asked, errorCode) : {
          partitionIndex: asked.partitionIndex, errorCode, offset, timestamp, leaderEpoch: offset < 0 ? -1 : 0
        })
      })
    } catch (error) {
      if (!(error instanceof ZonewiseError)) throw error
      const code = version >= 5 ? KAFKA_ERROR.OFFSET_NOT_AVAILABLE : KAFKA_ERROR.LEADER_NOT_AVAILABLE
      for (const { asked } of ofShard) answers.set(asked, failed(asked, code))
    }
  })
  return {
    throttleTimeMs: throttle(context, 0),
    topics: request.topics.map(({ name, partitions }) => (
      { name, partitions: partitions.map((asked) => answers.get(asked) ?? failed(asked, missing)) }
    ))
  }
}

function failed({ partitionIndex }: Asked, errorCode: number): Answer {
  return { partitionIndex, errorCode, timestamp: -1, offset: -1, leaderEpoch: -1 }
}
