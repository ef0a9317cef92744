/**
 * Serves the admin calls on the node that leads the catalog: decides, journals the intent, has the shards do their part
 * and answers when the end is durable, or REQUEST_TIMED_OUT with the intent kept. Whoever leads next goes on with it.
 */
import { UUID_ZERO, uuidFromBytes } from '#shared/binary/uuid.ts'
import { CLUSTER_VERSIONS, nextClusterVersion } from '#shared/cluster/cluster-version.ts'
import { CATALOG_SHARD, type Membership } from '#shared/cluster/membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Log } from '#shared/log/log.ts'
import {
  createPartitionsCall, createTopicCall, deleteTopicCall, producerIdsCall, type CreatePartitionsRequest,
  type CreateTopicRequest, type CreateTopicResponse, type DeleteTopicRequest, type OutcomeResponse,
  type ProducerIdsRequest, type ProducerIdsResponse
} from '#shared/rpc/admin.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { ShardLeader, ShardLeaders } from '../shard/shard-leader.ts'
import { encodeCluster } from './catalog-entries.ts'
import { CatalogUpkeep, type UpkeepSettings } from './catalog-upkeep.ts'
import {
  planCreatePartitions, planCreateTopic, planDeleteTopic, planProducerIds, type CatalogLimits
} from './catalog-plan.ts'
import type { CatalogState } from './catalog-state.ts'
import { TopicSteps, type StepSettings } from './topic-steps.ts'

export type CatalogDriverOptions = {
  readonly leaders: ShardLeaders
  readonly membership: Membership
  readonly transport: Transport
  readonly runtime: Runtime
  readonly log: Log
  readonly limits: CatalogLimits
  readonly upkeep: UpkeepSettings
  readonly settings: StepSettings & { readonly callsMax: number } // admin calls waiting at a time
}

export class CatalogDriver {
  readonly #options: CatalogDriverOptions
  #steps: TopicSteps | null = null // of the present leadership
  #calls = 0

  constructor(options: CatalogDriverOptions) {
    this.#options = options
    const { transport, leaders } = options
    transport.serve(createTopicCall, (request) => this.#counted(() => this.#createTopic(request)))
    transport.serve(deleteTopicCall, (request) => this.#counted(() => this.#deleteTopic(request)))
    transport.serve(createPartitionsCall, (request) => this.#counted(() => this.#createPartitions(request)))
    transport.serve(producerIdsCall, (request) => this.#counted(() => this.#producerIds(request)))
    leaders.onLead((leader) => { if (leader.shard === CATALOG_SHARD) this.#takeOver(leader) })
  }

  #takeOver(leader: ShardLeader): void {
    const { membership, log, runtime } = this.#options
    const { clusterId, shardCount } = membership.current()
    const { cluster } = leader.state.catalog
    if (cluster === null) {
      const durable = leader.append([encodeCluster({ clusterId, shardCount, clusterVersion: this.#firstVersion() })])
      durable.catch(() => {}) // the leadership ended: the next leader does it
    } else if (cluster.clusterId !== clusterId || cluster.shardCount !== shardCount) {
      log.error('the catalog belongs to another cluster', {
        clusterId, shardCount, journaled: cluster.clusterId, journaledShards: cluster.shardCount
      })
      return
    }
    this.#steps = new TopicSteps(leader, { ...this.#options, timer: runtime.timer })
    new CatalogUpkeep(leader, { ...this.#options, settings: this.#options.upkeep })
  }

  /** Of a cluster that is just being made: what all its nodes know. */
  #firstVersion(): number {
    const { membership, upkeep } = this.#options
    const common = nextClusterVersion(CLUSTER_VERSIONS.min, membership.versions()) ?? CLUSTER_VERSIONS.min
    return Math.min(common, upkeep.versionMax)
  }

  /** Null: this node does not lead the catalog. */
  #leading(): TopicSteps | null {
    const leader = this.#options.leaders.leader(CATALOG_SHARD)
    return leader !== null && this.#steps?.leader === leader ? this.#steps : null
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    const { callsMax } = this.#options.settings
    if (this.#calls >= callsMax) throw new ZonewiseError('OVERLOADED', 'too many admin calls wait', { callsMax })
    this.#calls += 1
    try {
      return await work()
    } finally {
      this.#calls -= 1
    }
  }

  async #createTopic(request: CreateTopicRequest): Promise<CreateTopicResponse> {
    const steps = this.#leading()
    const none =
      { topicId: UUID_ZERO, partitionCount: request.partitionCount, replicationFactor: request.replicationFactor }
    if (steps === null) return { ...NOT_CONTROLLER, ...none }
    const { leader } = steps
    const topicId = this.#freshTopicId(leader.state.catalog)
    const plan =
      planCreateTopic(leader.state.catalog, request, { topicId, nowMs: leader.nowMs() }, this.#options.limits)
    if (plan.kind === 'refused') {
      await leader.proof()
      return { ...outcome(plan.errorCode, plan.errorMessage), ...none }
    }
    const { entry, partitionCount, replicationFactor } = plan
    if (request.validateOnly) {
      await leader.proof()
      return { ...outcome(KAFKA_ERROR.NONE), topicId: UUID_ZERO, partitionCount, replicationFactor }
    }
    await steps.intend(topicId, entry)
    return { ...await this.#finished(steps, topicId, request.timeoutMs), topicId, partitionCount, replicationFactor }
  }

  async #deleteTopic({ topicId, timeoutMs }: DeleteTopicRequest): Promise<OutcomeResponse> {
    const steps = this.#leading()
    if (steps === null) return NOT_CONTROLLER
    const plan = planDeleteTopic(steps.leader.state.catalog, topicId)
    if (plan.kind === 'refused') {
      await steps.leader.proof()
      return outcome(plan.errorCode, plan.errorMessage)
    }
    if (plan.entry !== null) await steps.intend(topicId, plan.entry)
    return this.#finished(steps, topicId, timeoutMs)
  }

  async #createPartitions(request: CreatePartitionsRequest): Promise<OutcomeResponse> {
    const steps = this.#leading()
    if (steps === null) return NOT_CONTROLLER
    const { topicId, validateOnly, timeoutMs } = request
    const plan = planCreatePartitions(steps.leader.state.catalog, request, this.#options.limits)
    if (plan.kind === 'refused' || validateOnly) {
      await steps.leader.proof()
      return plan.kind === 'refused' ? outcome(plan.errorCode, plan.errorMessage) : outcome(KAFKA_ERROR.NONE)
    }
    if (plan.entry !== null) await steps.intend(topicId, plan.entry)
    return this.#finished(steps, topicId, timeoutMs)
  }

  /** @throws ZonewiseError NOT_LEADER: ask the leader of the catalog. */
  async #producerIds({ count }: ProducerIdsRequest): Promise<ProducerIdsResponse> {
    const steps = this.#leading()
    if (steps === null) throw new ZonewiseError('NOT_LEADER', 'node does not lead the catalog')
    const { leader } = steps
    const { entry, block } =
      planProducerIds(leader.state.catalog, { count, nowMs: leader.nowMs() }, this.#options.limits)
    await leader.append([entry])
    return { firstId: block.firstId, count: block.count }
  }

  #freshTopicId({ topics }: CatalogState): string {
    for (;;) {
      const topicId = uuidFromBytes(this.#options.runtime.chance.bytes(16))
      // As Kafka: no id that a command line would take for an option.
      if (topicId !== UUID_ZERO && !topicId.startsWith('-') && !topics.has(topicId)) return topicId
    }
  }

  async #finished(steps: TopicSteps, topicId: string, timeoutMs: number): Promise<OutcomeResponse> {
    const { promise: late, resolve } = Promise.withResolvers<typeof TIMED_OUT>()
    const cancel = this.#options.runtime.timer.after(Math.max(timeoutMs, 0), () => resolve(TIMED_OUT))
    try {
      return await Promise.race([steps.finish(topicId).then(() => outcome(KAFKA_ERROR.NONE)), late])
    } finally {
      cancel()
    }
  }
}

function outcome(errorCode: number, errorMessage: string | null = null): OutcomeResponse {
  return { errorCode, errorMessage }
}

const NOT_CONTROLLER = outcome(KAFKA_ERROR.NOT_CONTROLLER, 'This node does not lead the catalog.')
const TIMED_OUT = outcome(KAFKA_ERROR.REQUEST_TIMED_OUT, 'The request goes on, but did not end in time.')
