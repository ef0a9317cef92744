/**
 * The groups of one shard during one leadership: takes commands to the pure steps, their entries to the journal, and
 * their answers out when what they rest on is durable. Keeps one timer a group. Dropped with the leadership.
 * Invariant: a kept group without members does not exist; whatever else is known of a group is in its record.
 */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Log } from '#shared/log/log.ts'
import type { Cancel, Runtime } from '#shared/runtime/runtime.ts'
import type { DescribeGroupsResponse } from '#shared/wire/api/describe-groups.ts'
import type { JoinGroupResponse } from '#shared/wire/api/join-group.ts'
import type { ListGroupsRequest, ListGroupsResponse } from '#shared/wire/api/list-groups.ts'
import type { OffsetCommitRequest, OffsetCommitResponse } from '#shared/wire/api/offset-commit.ts'
import type { OffsetFetchRequest, OffsetFetchResponse } from '#shared/wire/api/offset-fetch.ts'
import type { SyncGroupResponse } from '#shared/wire/api/sync-group.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { Entry } from '../shard/entry.ts'
import type { ShardLeader } from '../shard/shard-leader.ts'
import { describeGroup, listGroups } from './group-describe.ts'
import { groupDeleteEntry } from './group-entries.ts'
import { heartbeat, leave, type HeartbeatCommand, type LeavingMember } from './group-heartbeat.ts'
import { cancelJoin, join, joinCommandError, type JoinCommand } from './group-join.ts'
import { commitError, fetchOffsets, planCommit, refusedCommit, type CommitLimits } from './group-offsets.ts'
import { expire, nextDueMs } from './group-rebalance.ts'
import { planRetention } from './group-retention-plan.ts'
import {
  groupFromRecord, isForgettable, joinError, newGroup, newStep, type Group, type GroupAnswer, type GroupLimits,
  type GroupStep
} from './group-state.ts'
import { assignmentStored, cancelSync, sync, type SyncCommand } from './group-sync.ts'
import { GroupWaiters } from './group-waiters.ts'
import type { GroupRecord } from './groups-state.ts'
import type { GroupMetrics } from './metrics.ts'
import { type KnownTopics, topicCheck } from './topic-check.ts'

export type GroupSettings = GroupLimits & CommitLimits & {
  readonly groupCountMax: number
  readonly groupCallsMax: number
  readonly groupCommitBytesMax: number
  readonly offsetsRetentionMs: number
  readonly offsetsRetentionCheckMs: number
}

export type GroupRunnerParts = {
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics?: GroupMetrics | undefined
  readonly settings: GroupSettings
  readonly topics: KnownTopics | null // null: every topic id is taken to exist
}

type Kept = { readonly group: Group; dueMs: number; cancel: Cancel }

const HEARTBEAT_PROOF_AGE_MS = 1_000
const RETENTION_ENTRIES_MAX = 1_000 // of one check: the rest is for the next one
const NOTHING: Cancel = () => {}

export class GroupRunner {
  readonly leader: ShardLeader
  readonly #parts: GroupRunnerParts
  readonly #kept = new Map<string, Kept>()
  readonly #joins = new GroupWaiters<JoinGroupResponse>()
  readonly #syncs = new GroupWaiters<SyncGroupResponse>()
  #commitBytes = 0
  #cancelRetention: Cancel = NOTHING

  constructor(leader: ShardLeader, parts: GroupRunnerParts) {
    this.leader = leader
    this.#parts = parts
    for (const record of this.#records.values()) {
      if (record.members.length === 0) continue
      const step = this.#step()
      this.#keep(groupFromRecord(record, parts.settings, step), step)
    }
    this.#scheduleRetention()
    leader.ended.addEventListener('abort', () => this.#end(), { once: true })
  }

  async join(groupId: string, command: JoinCommand, signal: AbortSignal): Promise<JoinGroupResponse> {
    const { requestId, memberId, drawnMemberId } = command
    const errorCode = joinCommandError(groupId, command, this.#parts.settings)
    if (errorCode !== KAFKA_ERROR.NONE) return this.#proven(joinError(errorCode, memberId))
    const group = memberId === '' ? this.#findOrCreate(groupId) : this.#find(groupId)
    if (group === null) return this.#proven(joinError(KAFKA_ERROR.UNKNOWN_MEMBER_ID, memberId))
    const answered = this.#joins.wait(requestId, signal, () => {
      this.#update(groupId, (kept, step) =>
        cancelJoin(kept, memberId === '' ? drawnMemberId : memberId, requestId, step))
    })
    const step = this.#step()
    join(group, command, step)
    void this.#finish(group, step)
    return answered
  }

  async sync(groupId: string, command: SyncCommand, signal: AbortSignal): Promise<SyncGroupResponse> {
    const { requestId, memberId } = command
    const group = this.#find(groupId)
    if (group === null) {
      return this.#proven(syncError(groupId === '' ? KAFKA_ERROR.INVALID_GROUP_ID : KAFKA_ERROR.UNKNOWN_MEMBER_ID))
    }
    const answered = this.#syncs.wait(requestId, signal, () => {
      this.#update(groupId, (kept, step) => cancelSync(kept, memberId, requestId, step))
    })
    const step = this.#step()
    sync(group, command, step)
    void this.#finish(group, step)
    return answered
  }

  /** Counts on arrival, whatever the proof says later. */
  async heartbeat(groupId: string, command: HeartbeatCommand): Promise<number> {
    const group = this.#find(groupId)
    let errorCode: number = groupId === '' ? KAFKA_ERROR.INVALID_GROUP_ID : KAFKA_ERROR.UNKNOWN_MEMBER_ID
    if (group !== null) {
      const step = this.#step()
      errorCode = heartbeat(group, command, step)
      this.#keep(group, step)
    }
    await this.leader.recentProof(HEARTBEAT_PROOF_AGE_MS)
    return errorCode
  }

  async leave(groupId: string, leaving: readonly LeavingMember[]): Promise<number[]> {
    const group = this.#find(groupId)
    if (group === null) return this.#proven(leaving.map(() => KAFKA_ERROR.UNKNOWN_MEMBER_ID))
    const step = this.#step()
    const outcomes = leave(group, leaving, step)
    const durable = this.#finish(group, step)
    await (step.entries.length > 0 ? durable : this.leader.proof())
    return outcomes
  }

  async commit(request: OffsetCommitRequest, clientVersion: number): Promise<OffsetCommitResponse> {
    const { groupId } = request
    const check = await topicCheck(this.#parts.topics, request, clientVersion)
    const group = this.#kept.get(groupId)?.group ?? null
    const record = this.#records.get(groupId)
    const step = this.#step()
    const exists = group !== null || record !== undefined
    const { generationIdOrMemberEpoch: generationId, memberId, groupInstanceId } = request
    const errorCode =
      commitError(group, exists, { generationId, memberId, groupInstanceId, version: clientVersion }, step)
    if (errorCode !== KAFKA_ERROR.NONE) return this.#proven(refusedCommit(request, errorCode))
    if (!exists) this.#refuseIfFull()
    if (group !== null) this.#keep(group, step)
    const { entry, topics } = planCommit(request, record, this.#parts.settings, check)
    if (entry === null) await this.leader.proof()
    else await this.#appendCommit(entry)
    return { throttleTimeMs: 0, topics }
  }

  fetch(asked: OffsetFetchRequest['groups']): Promise<OffsetFetchResponse['groups']> {
    return this.#proven(asked.map((group) => fetchOffsets(this.#records.get(group.groupId), group)))
  }

  describe(groupIds: readonly string[], clientVersion: number): Promise<DescribeGroupsResponse['groups']> {
    return this.#proven(groupIds.map((groupId) =>
      describeGroup(groupId, this.#kept.get(groupId)?.group ?? null, this.#records.get(groupId), clientVersion)))
  }

  list(filters: ListGroupsRequest): Promise<ListGroupsResponse['groups']> {
    const groups = new Map(Array.from(this.#kept, ([groupId, { group }]) => [groupId, group]))
    return this.#proven(listGroups(groups, this.#records, filters))
  }

  /** Deletes groups without members, offsets and all; returns the outcome of each. */
  async delete(groupIds: readonly string[]): Promise<number[]> {
    const entries: Entry[] = []
    const outcomes = groupIds.map((groupId): number => {
      if (groupId === '') return KAFKA_ERROR.INVALID_GROUP_ID
      const group = this.#kept.get(groupId)?.group
      const record = this.#records.get(groupId)
      if (group === undefined && record === undefined) return KAFKA_ERROR.GROUP_ID_NOT_FOUND
      if (group !== undefined && group.phase !== 'Empty') return KAFKA_ERROR.NON_EMPTY_GROUP
      this.#forget(groupId)
      if (record !== undefined) entries.push(groupDeleteEntry(groupId))
      return KAFKA_ERROR.NONE
    })
    if (entries.length === 0) return this.#proven(outcomes)
    await this.leader.append(entries)
    return outcomes
  }

  get #records(): ReadonlyMap<string, GroupRecord> {
    return this.leader.state.groups.groups
  }

  #step(): GroupStep {
    return newStep(this.#parts.runtime.clock.monotonicMs())
  }

  /** For an answer that was decided now, without an entry of its own. */
  async #proven<T>(answer: T): Promise<T> {
    await this.leader.proof()
    return answer
  }

  #find(groupId: string): Group | null {
    const kept = this.#kept.get(groupId)
    if (kept !== undefined) return kept.group
    const record = this.#records.get(groupId)
    return record === undefined ? null : groupFromRecord(record, this.#parts.settings, this.#step())
  }

  #findOrCreate(groupId: string): Group {
    const found = this.#find(groupId)
    if (found !== null) return found
    this.#refuseIfFull()
    return newGroup(groupId, this.#parts.settings)
  }

  /** @throws ZonewiseError OVERLOADED: nothing was decided. */
  #refuseIfFull(): void {
    const { groupCountMax } = this.#parts.settings
    if (this.#records.size < groupCountMax && this.#kept.size < groupCountMax) return
    throw new ZonewiseError('OVERLOADED', 'shard has too many groups', { shard: this.leader.shard, groupCountMax })
  }

  #update(groupId: string, change: (group: Group, step: GroupStep) => void): void {
    const kept = this.#kept.get(groupId)
    if (kept === undefined || this.leader.ended.aborted) return
    const step = this.#step()
    change(kept.group, step)
    void this.#finish(kept.group, step)
  }

  /**
   * Sees a step through: settles when its entries (or, of answers alone, a proof) are durable, or with the leadership.
   */
  #finish(group: Group, step: GroupStep): Promise<void> {
    this.#keep(group, step)
    const { answers, entries, storing } = step
    if (entries.length === 0 && answers.length === 0) return Promise.resolve()
    const durable = entries.length > 0 ? this.leader.append(entries) : this.leader.proof()
    durable.then(() => {
      for (const answer of answers) this.#answer(answer)
      if (storing !== null) this.#stored(group, storing)
    }, (error: unknown) => {
      for (const answer of answers) this.#refuse(answer, error as Error)
    })
    return durable
  }

  /** The append that stored the assignment is proof enough for those who waited for it. */
  #stored(group: Group, generation: number): void {
    if (this.#kept.get(group.groupId)?.group !== group || this.leader.ended.aborted) return
    const step = this.#step()
    assignmentStored(group, generation, step)
    this.#keep(group, step)
    for (const answer of step.answers) this.#answer(answer)
    this.#parts.metrics?.generations.add(1)
    this.#parts.log.info('group has a new generation', {
      group: group.groupId, generation, members: group.members.size, protocol: group.protocolName,
      shard: this.leader.shard
    })
  }

  #answer(answer: GroupAnswer): void {
    if (answer.kind === 'join') this.#joins.answer(answer.requestId, answer.response)
    else this.#syncs.answer(answer.requestId, answer.response)
  }

  #refuse(answer: GroupAnswer, error: Error): void {
    if (answer.kind === 'join') this.#joins.refuse(answer.requestId, error)
    else this.#syncs.refuse(answer.requestId, error)
  }

  async #appendCommit(entry: Entry): Promise<void> {
    const { groupCommitBytesMax } = this.#parts.settings
    const { byteLength } = entry.body
    if (this.#commitBytes > 0 && this.#commitBytes + byteLength > groupCommitBytesMax)
      throw new ZonewiseError('OVERLOADED', 'too many offset commits wait for the journal', { groupCommitBytesMax })
    this.#commitBytes += byteLength
    try {
      await this.leader.append([entry])
    } finally {
      this.#commitBytes -= byteLength
    }
  }

  /** Remembers the group while there is something to remember, and wakes it no later than the step asked for. */
  #keep(group: Group, step: GroupStep): void {
    if (isForgettable(group)) {
      this.#forget(group.groupId)
      return
    }
    let kept = this.#kept.get(group.groupId)
    if (kept === undefined) this.#kept.set(group.groupId, (kept = { group, dueMs: Infinity, cancel: NOTHING }))
    if (step.dueMs < kept.dueMs) this.#arm(kept, step.dueMs)
  }

  #arm(kept: Kept, dueMs: number): void {
    kept.cancel()
    kept.dueMs = dueMs
    if (dueMs === Infinity) return
    const afterMs = Math.max(0, dueMs - this.#parts.runtime.clock.monotonicMs())
    kept.cancel = this.#parts.runtime.timer.after(afterMs, () => this.#onDue(kept))
  }

  #onDue(kept: Kept): void {
    kept.dueMs = Infinity
    const step = this.#step()
    expire(kept.group, step)
    void this.#finish(kept.group, step)
    // Sessions that were renewed since did not move the timer: look for the true next deadline now.
    if (this.#kept.get(kept.group.groupId) === kept) this.#arm(kept, nextDueMs(kept.group))
  }

  #forget(groupId: string): void {
    this.#kept.get(groupId)?.cancel()
    this.#kept.delete(groupId)
  }

  #scheduleRetention(): void {
    const { runtime, settings, log } = this.#parts
    this.#cancelRetention = runtime.timer.after(settings.offsetsRetentionCheckMs, () => {
      this.#expireOffsets()
        .catch((error: unknown) => { log.debug('offset retention put off', { shard: this.leader.shard, error }) })
        .finally(() => { if (!this.leader.ended.aborted) this.#scheduleRetention() })
    })
  }

  async #expireOffsets(): Promise<void> {
    const { topics, settings } = this.#parts
    if (this.#records.size === 0) return
    if (topics !== null) await topics.barrier()
    if (this.leader.ended.aborted) return
    const entries = planRetention(this.leader.state.groups, {
      nowMs: this.leader.nowMs(), retentionMs: settings.offsetsRetentionMs,
      isActive: (groupId) => this.#kept.has(groupId),
      isTopicGone: (topicId) => topics !== null && topics.topicById(topicId) === null
    }).slice(0, RETENTION_ENTRIES_MAX)
    if (entries.length > 0) await this.leader.append(entries)
  }

  #end(): void {
    this.#cancelRetention()
    for (const groupId of [...this.#kept.keys()]) this.#forget(groupId)
    this.#joins.refuseAll(this.leader.ended.reason as Error)
    this.#syncs.refuseAll(this.leader.ended.reason as Error)
  }
}

function syncError(errorCode: number): SyncGroupResponse {
  return { throttleTimeMs: 0, errorCode, protocolType: null, protocolName: null, assignment: new Uint8Array(0) }
}
