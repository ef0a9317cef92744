/**
 * How a generation comes about: members are asked to join again, and once all did, or their time is over, the next
 * generation is given to those that are there. Pure. The number is journaled before a member learns it, so that no two
 * leaders of the shard ever give the same one.
 * Source: PROTOCOL: JoinGroup; KIP-134 (initial delay), KIP-345 (static members).
 */
import assert from 'node:assert/strict'
import type { JoinGroupResponse } from '#shared/wire/api/join-group.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { groupGenerationEntry } from './group-entries.ts'
import {
  dropMember, refuseWaiting, renewSession, selectProtocol, settledEntry, subscriptionOf, waits, wakeAt,
  type Group, type GroupStep, type Member
} from './group-state.ts'

const EMPTY = new Uint8Array(0)

/** Begins a rebalance unless one is under way. */
export function prepareRebalance(group: Group, step: GroupStep): void {
  if (group.phase === 'PreparingRebalance') return
  if (group.phase === 'CompletingRebalance') dropAssignments(group, KAFKA_ERROR.REBALANCE_IN_PROGRESS, step)
  group.pendingSyncs.clear()
  group.syncDueMs = Infinity
  group.storing = false
  const timeoutMs = rebalanceTimeoutMs(group)
  if (group.phase === 'Empty') {
    const delayMs = group.limits.groupInitialRebalanceDelayMs
    group.initialRemainingMs = Math.max(timeoutMs - delayMs, 0)
    group.newMemberAdded = false
    group.rebalanceDueMs = step.nowMs + delayMs
  } else group.rebalanceDueMs = step.nowMs + timeoutMs
  wakeAt(step, group.rebalanceDueMs)
  group.phase = 'PreparingRebalance'
}

/** Tells all that wait for an assignment of this generation that there will be none. */
export function dropAssignments(group: Group, errorCode: number, step: GroupStep): void {
  for (const member of group.members.values()) {
    member.assignment = EMPTY
    if (member.syncRequestId === null) continue
    refuseWaiting(group, member, errorCode, step)
    renewSession(member, step)
  }
}

function rebalanceTimeoutMs(group: Group): number {
  let timeoutMs = 0
  for (const member of group.members.values()) timeoutMs = Math.max(timeoutMs, member.rebalanceTimeoutMs)
  return timeoutMs
}

/** Ends the rebalance if nobody is missing, or if its time is over. Call it last in every step that may matter. */
export function maybeCompleteRebalance(group: Group, step: GroupStep): void {
  if (group.phase !== 'PreparingRebalance') return
  const due = step.nowMs >= group.rebalanceDueMs
  if (group.initialRemainingMs !== null) {
    if (due && !extendInitialDelay(group, group.initialRemainingMs, step)) completeRebalance(group, step)
  } else if (due || (group.joiningCount === group.members.size && group.pending.size === 0)) {
    completeRebalance(group, step)
  }
}

/** Waits once more while members keep coming, up to the rebalance timeout. */
function extendInitialDelay(group: Group, remainingMs: number, step: GroupStep): boolean {
  if (!group.newMemberAdded || remainingMs === 0) return false
  const delayMs = Math.min(group.limits.groupInitialRebalanceDelayMs, remainingMs)
  group.newMemberAdded = false
  group.initialRemainingMs = remainingMs - delayMs
  group.rebalanceDueMs = step.nowMs + delayMs
  wakeAt(step, group.rebalanceDueMs)
  return true
}

function completeRebalance(group: Group, step: GroupStep): void {
  for (const member of group.members.values())
    if (member.joinRequestId === null && member.groupInstanceId === null) dropMember(group, member)
  if (group.members.size > 0 && !electJoinedLeader(group)) {
    // Only static members, and none came: their sessions decide how long they are waited for.
    group.rebalanceDueMs = step.nowMs + rebalanceTimeoutMs(group)
    wakeAt(step, group.rebalanceDueMs)
    return
  }
  group.initialRemainingMs = null
  group.rebalanceDueMs = Infinity
  group.generation = group.generationGiven += 1
  if (group.members.size === 0) becomeEmpty(group, step)
  else giveGeneration(group, step)
}

function electJoinedLeader(group: Group): boolean {
  const leader = group.leaderId === null ? undefined : group.members.get(group.leaderId)
  if (leader !== undefined && leader.joinRequestId !== null) return true
  for (const member of group.members.values()) {
    if (member.joinRequestId === null) continue
    group.leaderId = member.memberId
    return true
  }
  return false
}

function becomeEmpty(group: Group, step: GroupStep): void {
  group.phase = 'Empty'
  group.protocolName = null
  group.leaderId = null
  step.entries.push(settledEntry(group))
}

function giveGeneration(group: Group, step: GroupStep): void {
  group.phase = 'CompletingRebalance'
  group.protocolName = selectProtocol(group)
  group.syncDueMs = step.nowMs + rebalanceTimeoutMs(group)
  wakeAt(step, group.syncDueMs)
  step.entries.push(groupGenerationEntry({ groupId: group.groupId, generation: group.generation, settled: null }))
  for (const member of group.members.values()) {
    group.pendingSyncs.add(member.memberId)
    if (member.joinRequestId === null) continue // static, not here: keeps its place until its session ends
    answerJoin(group, member, member.joinRequestId, currentJoin(group, member), step)
  }
}

/** Tells a member the generation; its session starts afresh. */
export function answerJoin(
  group: Group, member: Member, requestId: string, response: JoinGroupResponse, step: GroupStep
): void {
  if (member.joinRequestId !== null) {
    member.joinRequestId = null
    group.joiningCount -= 1
  }
  member.lastJoin = { requestId, response }
  renewSession(member, step)
  step.answers.push({ kind: 'join', requestId, response })
}

/** What a member of the current generation is told: the leader alone gets the list of members. */
export function currentJoin(group: Group, member: Member): JoinGroupResponse {
  assert(group.leaderId !== null)
  return {
    throttleTimeMs: 0, errorCode: KAFKA_ERROR.NONE, generationId: group.generation, protocolType: group.protocolType,
    protocolName: group.protocolName, leader: group.leaderId, skipAssignment: false, memberId: member.memberId,
    members: group.leaderId === member.memberId ? memberList(group) : []
  }
}

export function memberList(group: Group): JoinGroupResponse['members'] {
  return Array.from(group.members.values(), (member) =>
    ({ memberId: member.memberId, groupInstanceId: member.groupInstanceId, metadata: subscriptionOf(group, member) }))
}

/** Takes a member out, tells it so if it waits, and lets the others go on without it. */
export function removeMember(group: Group, member: Member, step: GroupStep): void {
  refuseWaiting(group, member, KAFKA_ERROR.UNKNOWN_MEMBER_ID, step)
  dropMember(group, member)
  prepareRebalance(group, step)
}

/** Acts on every deadline that is over. */
export function expire(group: Group, step: GroupStep): void {
  const { nowMs } = step
  for (const [memberId, deadlineMs] of group.pending) if (deadlineMs <= nowMs) group.pending.delete(memberId)
  for (const member of group.members.values()) {
    if (!waits(member) && member.deadlineMs <= nowMs) removeMember(group, member, step)
  }
  if (group.syncDueMs <= nowMs) {
    group.syncDueMs = Infinity
    for (const memberId of [...group.pendingSyncs]) removeMember(group, group.members.get(memberId)!, step)
  }
  maybeCompleteRebalance(group, step)
}

/** When `expire` has something to do, or Infinity. */
export function nextDueMs(group: Group): number {
  let dueMs = Math.min(group.rebalanceDueMs, group.syncDueMs)
  for (const deadlineMs of group.pending.values()) dueMs = Math.min(dueMs, deadlineMs)
  for (const member of group.members.values()) if (!waits(member)) dueMs = Math.min(dueMs, member.deadlineMs)
  return dueMs
}
