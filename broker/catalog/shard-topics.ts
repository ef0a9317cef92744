/**
 * What the leader of the catalog asks of the leader of a data shard: the second step of topic creation and deletion
 * (journals `create` or `drop`), and the end of dead nodes' sources.
 * A create that was long on its way must not come after the topic's drop: both hold the topic's lock, and a create asks
 * the catalog, by a barrier begun under the lock, whether the topic still is. A drop is only ever sent after the
 * deletion is durable in the catalog, so a create behind it sees the deletion, and one before it is undone by it.
 */
import type { CatalogReader } from '#shared/cluster/catalog-reader.ts'
import { shardOfPartition } from '#shared/cluster/placement.ts'
import { closeSourcesCall, shardTopicCall, type OutcomeResponse, type ShardTopicRequest } from '#shared/rpc/admin.ts'
import type { CallContext, Transport } from '#shared/transport/transport.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { encodeCloseSources, encodeCreatePartitions, encodeDropPartitions } from '../partition/partition-entries.ts'
import { findPartition } from '../partition/partitions-state.ts'
import type { ShardLeader, ShardLeaders } from '../shard/shard-leader.ts'
import { KeyedLock } from './keyed-lock.ts'

export type ShardTopicsOptions = {
  readonly transport: Transport
  readonly leaders: ShardLeaders
  readonly catalog: Pick<CatalogReader, 'barrier' | 'topicById'>
  readonly shardCount: number
}

const DONE: OutcomeResponse = { errorCode: KAFKA_ERROR.NONE, errorMessage: null }

/**
 * Serves closeSourcesCall, and shardTopicCall: NOT_LEADER_OR_FOLLOWER where this node does not lead, UNKNOWN_TOPIC_ID
 * for a deleted topic.
 */
export function serveShardTopics({ transport, leaders, catalog, shardCount }: ShardTopicsOptions): void {
  const locks = new KeyedLock()
  transport.serve(shardTopicCall, (
    request, { signal }
  ) => locks.run(`${request.shard}/${request.topicId}`, async () => {
    const leader = leaders.leader(request.shard)
    if (leader === null) return { errorCode: KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER, errorMessage: null }
    signal.throwIfAborted() // the caller gave up while this waited, and asks again
    return request.drop ? drop(leader, request) : create(leader, request, signal)
  }))

  transport.serve(closeSourcesCall, async ({ shard, lives }) => {
    const leader = leaders.leader(shard)
    if (leader === null) return { errorCode: KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER, errorMessage: null }
    const { closedEpochs } = leader.state.partitions
    const open = lives.filter(({ nodeId, nodeEpoch }) => nodeEpoch > (closedEpochs.get(nodeId) ?? -Infinity))
    if (open.length > 0) await leader.append([encodeCloseSources(open)])
    else await leader.proof()
    return DONE
  })

  async function create(
    leader: ShardLeader, request: ShardTopicRequest, signal: CallContext['signal']
  ): Promise<OutcomeResponse> {
    await unlessAborted(catalog.barrier(), signal) // so that a slow barrier does not hold the lock for ever
    const { topicId, createdMs } = request
    const topic = catalog.topicById(topicId)
    if (topic === null || topic.state === 'deleting') {
      return { errorCode: KAFKA_ERROR.UNKNOWN_TOPIC_ID, errorMessage: null }
    }
    const partitions = partitionsHere(request, topic.partitionCount)
      .filter((partition) => findPartition(leader.state.partitions, topicId, partition) === undefined)
    if (partitions.length > 0) await leader.append([encodeCreatePartitions({ topicId, createdMs, partitions })])
    else await leader.proof()
    return DONE
  }

  async function drop(leader: ShardLeader, request: ShardTopicRequest): Promise<OutcomeResponse> {
    const { topicId, partitionCount } = request
    const isHere = partitionsHere(request, partitionCount)
      .some((partition) => findPartition(leader.state.partitions, topicId, partition) !== undefined)
    if (isHere) await leader.append([encodeDropPartitions({ topicId })])
    else await leader.proof()
    return DONE
  }

  function partitionsHere(
    { topicId, shard, firstPartition, partitionCount }: ShardTopicRequest, countMax: number
  ): number[] {
    const partitions: number[] = []
    for (let partition = firstPartition; partition < Math.min(partitionCount, countMax); partition++)
      if (shardOfPartition(topicId, partition, shardCount) === shard) partitions.push(partition)
    return partitions
  }
}

/** As `wait`, but rejects with the signal's reason as soon as it is aborted. */
function unlessAborted(wait: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onAbort = (): void => reject(signal.reason)
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  wait.then(resolve, reject)
  return promise.finally(() => signal.removeEventListener('abort', onAbort))
}
