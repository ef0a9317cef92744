/**
 * Carries topics' unfinished steps to the shards during one leadership of the catalog, and journals their end.
 * One worker a topic, so that a topic's steps never overlap; a step goes out only when its intent is durable, and is
 * repeated until every shard concerned has done it or the leadership ends.
 */
import { leaderOf } from '#shared/cluster/placement.ts'
import type { Membership } from '#shared/cluster/membership.ts'
import { ZonewiseError, type ErrorContext } from '#shared/errors/zonewise-error.ts'
import type { Log } from '#shared/log/log.ts'
import { shardTopicCall } from '#shared/rpc/admin.ts'
import { sleep, type Timer } from '#shared/runtime/runtime.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { Entry } from '../shard/entry.ts'
import type { ShardLeader } from '../shard/shard-leader.ts'
import { encodeTopicDone, encodeTopicGone } from './catalog-entries.ts'
import { shardsOfStep, stepOf, unfinishedTopics, type Step } from './catalog-plan.ts'

export type StepSettings = {
  readonly topicsMax: number // topics in work at a time, the others wait
  readonly callTimeoutMs: number // wait for one shard
  readonly retryMinMs: number // doubles up to retryMaxMs
  readonly retryMaxMs: number
}

export type StepParts = {
  readonly transport: Transport
  readonly membership: Membership
  readonly timer: Timer
  readonly log: Log
  readonly settings: StepSettings
}

const QUIET_ATTEMPTS = 5 // shards change hands: only what lasts is worth a warning, once for the same shards and reason

export class TopicSteps {
  readonly leader: ShardLeader
  readonly #parts: StepParts
  readonly #workers = new Map<string, Promise<void>>() // by topic id
  readonly #intents = new Map<string, Promise<void>>() // the newest append of a topic, until it is durable
  readonly #waiting: (() => void)[] = [] // workers beyond topicsMax
  #busy = 0

  constructor(leader: ShardLeader, parts: StepParts) {
    this.leader = leader
    this.#parts = parts
    for (const topicId of unfinishedTopics(leader.state.catalog)) {
      this.finish(topicId).catch((error: unknown) => {
        // else the next leader goes on
        if (!leader.ended.aborted) parts.log.error('a topic is left unfinished', { topicId, error })
      })
    }
  }

  /**
   * Journals a topic's intent, at once in the speculative state; resolves when durable.
   * @throws as ShardLeader.append
   */
  async intend(topicId: string, entry: Entry): Promise<void> {
    const durable = this.leader.append([entry])
    this.#intents.set(topicId, durable)
    try {
      await durable
    } finally {
      if (this.#intents.get(topicId) === durable) this.#intents.delete(topicId)
    }
  }

  /**
   * Resolves when the topic has no step left, durably.
   * @throws ZonewiseError JOURNAL_UNSETTLED: the leadership ended.
   */
  finish(topicId: string): Promise<void> {
    let worker = this.#workers.get(topicId)
    if (worker === undefined) this.#workers.set(topicId, (worker = this.#work(topicId)))
    return worker
  }

  async #work(topicId: string): Promise<void> {
    await this.#turn()
    try {
      for (;;) {
        for (let intent = this.#intents.get(topicId); intent !== undefined; intent = this.#intents.get(topicId)) {
          await intent
        }
        const step = stepOf(this.leader.state.catalog.topics.get(topicId))
        if (this.leader.ended.aborted) throw ended(topicId) // what the state says may never have become durable
        if (step === null) return
        await this.#carry(step)
        if (!isSame(step, stepOf(this.leader.state.catalog.topics.get(topicId)))) continue // deleted meanwhile
        const { partitionCount } = step
        await this.leader.append(
          [step.drop ? encodeTopicGone({ topicId }) : encodeTopicDone({ topicId, partitionCount })]
        )
      }
    } finally {
      this.#workers.delete(topicId) // before anyone else runs: whoever intends more from now on starts anew
      this.#busy -= 1
      this.#waiting.shift()?.()
    }
  }

  async #turn(): Promise<void> {
    while (this.#busy >= this.#parts.settings.topicsMax) {
      await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    }
    this.#busy += 1
  }

  /** Resolves when all shards have done the step, or it is no longer what the topic needs. */
  async #carry(step: Step): Promise<void> {
    const { membership, timer, log, settings } = this.#parts
    const { topicId } = step
    let shards = shardsOfStep(step, membership.current().shardCount)
    for (let [attempt, said] = [1, '']; ; attempt++) {
      const failures =
        (await Promise.all(shards.map((shard) => this.#ask(shard, step)))).filter((failure) => failure !== null)
      if (this.leader.ended.aborted) throw ended(topicId)
      if (failures.length === 0 || !isSame(step, stepOf(this.leader.state.catalog.topics.get(topicId)))) return
      shards = failures.map(({ shard }) => shard)
      const first = failures[0]!.why
      const news = `${shards.join()} ${first}`
      const context: ErrorContext = { topicId, drop: step.drop, attempt, shards: shards.join(), first }
      if (attempt <= QUIET_ATTEMPTS || news === said) log.debug('topic step is repeated', context)
      else {
        log.warn('topic step is repeated', context)
        said = news
      }
      // ended: seen next
      await sleep(timer, Math.min(settings.retryMinMs * 2 ** (attempt - 1), settings.retryMaxMs), this.leader.ended)
        .catch(() => {})
    }
  }

  async #ask(shard: number, step: Step): Promise<{ readonly shard: number; readonly why: string } | null> {
    const { transport, membership, settings } = this.#parts
    const { topicId, drop, firstPartition, partitionCount, createdMs } = step
    const request = { shard, topicId, drop, firstPartition, partitionCount, createdMs }
    try {
      const options = { deadlineMs: settings.callTimeoutMs, signal: this.leader.ended }
      const { response } = await transport.call(leaderOf(membership.current(), shard), shardTopicCall, request, options)
      return response.errorCode === KAFKA_ERROR.NONE ? null : { shard, why: `error ${response.errorCode}` }
    } catch (error) {
      if (error instanceof ZonewiseError) return { shard, why: error.code }
      if (this.leader.ended.aborted) return { shard, why: 'ended' } // the signal's own reason
      throw error
    }
  }
}

function ended(topicId: string): ZonewiseError {
  return new ZonewiseError('JOURNAL_UNSETTLED', 'leadership of the catalog ended', { topicId })
}

function isSame(step: Step, now: Step | null): boolean {
  return now !== null &&
    now.drop === step.drop && now.firstPartition === step.firstPartition && now.partitionCount === step.partitionCount
}
