/**
 * SyncGroup. Pure. The leader's assignment is journaled before anyone is answered; who does not ask for its own in time
 * is taken out (group-rebalance.ts, `expire`).
 * Source: PROTOCOL: SyncGroup; KIP-559 (protocol type and name).
 */
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { dropAssignments, maybeCompleteRebalance, prepareRebalance } from './group-rebalance.ts'
import {
  answerSync, memberError, renewSession, settledEntry, subscriptionOf, type Group, type GroupStep
} from './group-state.ts'

export type SyncCommand = {
  readonly requestId: string
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly protocolType: string | null // null: not told
  readonly protocolName: string | null
  readonly assignments: ReadonlyMap<string, Uint8Array> // by member id; kept
}

const EMPTY = new Uint8Array(0)

export function sync(group: Group, command: SyncCommand, step: GroupStep): void {
  const { requestId, memberId } = command
  const errorCode = syncError(group, command)
  if (errorCode !== KAFKA_ERROR.NONE) {
    answerSync(group, requestId, errorCode, EMPTY, step)
    return
  }
  const member = group.members.get(memberId)!
  group.pendingSyncs.delete(memberId)
  if (group.pendingSyncs.size === 0) group.syncDueMs = Infinity
  if (group.phase === 'Stable') {
    renewSession(member, step)
    answerSync(group, requestId, KAFKA_ERROR.NONE, member.assignment, step)
    return
  }
  if (member.syncRequestId !== null && member.syncRequestId !== requestId)
    answerSync(group, member.syncRequestId, KAFKA_ERROR.REBALANCE_IN_PROGRESS, EMPTY, step)
  member.syncRequestId = requestId
  if (group.leaderId === memberId && !group.storing) storeAssignments(group, command.assignments, step)
}

function syncError(group: Group, command: SyncCommand): number {
  const errorCode = memberError(group, command.memberId, command.groupInstanceId)
  if (errorCode !== KAFKA_ERROR.NONE) return errorCode
  if (command.generationId !== group.generation) return KAFKA_ERROR.ILLEGAL_GENERATION
  const { protocolType, protocolName } = command
  if (protocolType !== null && protocolType !== group.protocolType) return KAFKA_ERROR.INCONSISTENT_GROUP_PROTOCOL
  // Before a generation is given the name is that of the last one: the member cannot be told better than "rebalance".
  if (group.phase === 'PreparingRebalance') return KAFKA_ERROR.REBALANCE_IN_PROGRESS
  if (protocolName !== null && protocolName !== group.protocolName) return KAFKA_ERROR.INCONSISTENT_GROUP_PROTOCOL
  return KAFKA_ERROR.NONE
}

function storeAssignments(group: Group, assignments: ReadonlyMap<string, Uint8Array>, step: GroupStep): void {
  let storedBytes = 0
  for (const member of group.members.values()) {
    member.assignment = assignments.get(member.memberId) ?? EMPTY
    storedBytes += member.assignment.byteLength + subscriptionOf(group, member).byteLength
  }
  if (storedBytes > group.limits.groupAssignmentBytesMax) {
    dropAssignments(group, KAFKA_ERROR.UNKNOWN_SERVER_ERROR, step)
    prepareRebalance(group, step)
    maybeCompleteRebalance(group, step)
    return
  }
  group.storing = true
  step.entries.push(settledEntry(group))
  step.storing = group.generation
}

/** The assignment of `generation` is durable: everyone who waits gets its own, unless a new rebalance has begun. */
export function assignmentStored(group: Group, generation: number, step: GroupStep): void {
  if (group.phase !== 'CompletingRebalance' || group.generation !== generation) return
  group.storing = false
  group.phase = 'Stable'
  for (const member of group.members.values()) {
    if (member.syncRequestId === null) continue
    answerSync(group, member.syncRequestId, KAFKA_ERROR.NONE, member.assignment, step)
    member.syncRequestId = null
    renewSession(member, step)
  }
}

/** The caller of a sync gave up: the member's session goes on. */
export function cancelSync(group: Group, memberId: string, requestId: string, step: GroupStep): void {
  const member = group.members.get(memberId)
  if (member?.syncRequestId !== requestId) return
  member.syncRequestId = null
  renewSession(member, step)
}
