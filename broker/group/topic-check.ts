/** Whether the partitions that an offset commit names exist. */
import type { CatalogReader } from '#shared/cluster/catalog-reader.ts'
import type { OffsetCommitRequest } from '#shared/wire/api/offset-commit.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { TopicCheck } from './group-offsets.ts'

export type KnownTopics = Pick<CatalogReader, 'topicById' | 'barrier'>

const TOPIC_ID_SINCE = 10 // version of OffsetCommit that names topics by id

/**
 * Says the error code of each partition. A topic that the local catalog does not know is looked for once more behind a
 * barrier: its view may lag.
 */
export async function topicCheck(
  topics: KnownTopics | null, request: OffsetCommitRequest, clientVersion: number
): Promise<TopicCheck> {
  if (topics === null) return () => KAFKA_ERROR.NONE
  const { UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION, NONE } = KAFKA_ERROR
  const unknown = clientVersion >= TOPIC_ID_SINCE ? UNKNOWN_TOPIC_ID : UNKNOWN_TOPIC_OR_PARTITION
  const check: TopicCheck = (topicId, partition) => {
    const topic = topics.topicById(topicId)
    if (topic === null || topic.state === 'deleting') return unknown
    return partition >= 0 && partition < topic.partitionCount ? NONE : UNKNOWN_TOPIC_OR_PARTITION
  }
  const allKnown = request.topics.every(({ topicId, partitions }) =>
    partitions.every(({ partitionIndex }) => check(topicId, partitionIndex) === NONE))
  if (!allKnown) await topics.barrier()
  return check
}
