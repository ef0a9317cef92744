/**
 * JoinGroup. Pure. The caller's call is answered in this step or, where it must wait for the others, in a later one.
 * Source: PROTOCOL: JoinGroup; KIP-394 (member id first), KIP-345 (static members), KIP-814 (skipAssignment).
 */
import type { JoinGroupResponse } from '#shared/wire/api/join-group.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import {
  answerJoin, currentJoin, maybeCompleteRebalance, memberList, prepareRebalance, removeMember
} from './group-rebalance.ts'
import {
  answerJoinError, insertMember, memberError, refuseWaiting, renewSession, selectProtocol, setProtocols, settledEntry,
  subscriptionOf, supportsProtocols, wakeAt, type Group, type GroupStep, type Member, type Protocol
} from './group-state.ts'
import { sameSubscription } from './subscription-topics.ts'

export type JoinCommand = {
  readonly requestId: string
  readonly version: number // the client's
  readonly memberId: string // '' of one that has none yet
  readonly drawnMemberId: string // its id then
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  readonly protocols: readonly Protocol[] // kept
}

/** What can be said of the command alone. */
export function joinCommandError(groupId: string, command: JoinCommand, limits: Group['limits']): number {
  if (groupId === '') return KAFKA_ERROR.INVALID_GROUP_ID
  const { sessionTimeoutMs } = command
  if (sessionTimeoutMs < limits.groupMinSessionTimeoutMs || sessionTimeoutMs > limits.groupMaxSessionTimeoutMs)
    return KAFKA_ERROR.INVALID_SESSION_TIMEOUT
  if (command.protocols.length === 0 || command.protocolType === '') return KAFKA_ERROR.INCONSISTENT_GROUP_PROTOCOL
  let memberBytes = 0
  for (const { name, metadata } of command.protocols) memberBytes += name.length + metadata.byteLength
  return memberBytes > limits.groupMemberBytesMax ? KAFKA_ERROR.MESSAGE_TOO_LARGE : KAFKA_ERROR.NONE
}

/** Takes one JoinGroup that `joinCommandError` lets through. */
export function join(group: Group, command: JoinCommand, step: GroupStep): void {
  decideJoin(group, command, step)
  maybeCompleteRebalance(group, step)
}

function decideJoin(group: Group, command: JoinCommand, step: GroupStep): void {
  const { requestId, memberId, drawnMemberId } = command
  const known = group.members.get(memberId === '' ? drawnMemberId : memberId)
  if (known !== undefined && repeatJoin(group, known, requestId, step)) return
  // A call forwarded again under the id that it was given the first time comes from that member.
  const callerId = memberId === '' && known !== undefined ? drawnMemberId : memberId
  if (!hasRoom(group, known)) {
    if (known !== undefined) removeMember(group, known, step)
    answerJoinError(requestId, KAFKA_ERROR.GROUP_MAX_SIZE_REACHED, memberId, step)
  } else if (!supportsProtocols(group, command.protocolType, command.protocols)) {
    answerJoinError(requestId, KAFKA_ERROR.INCONSISTENT_GROUP_PROTOCOL, memberId, step)
  } else if (callerId === '') joinNew(group, command, step)
  else if (group.pending.has(callerId) && command.groupInstanceId === null) addMember(group, callerId, command, step)
  else joinAgain(group, callerId, command, step)
}

/** Answers the same call sent again with what it was answered before, while that still holds. */
function repeatJoin(group: Group, member: Member, requestId: string, step: GroupStep): boolean {
  if (member.joinRequestId === requestId) return true // it still waits
  const settled = group.phase === 'CompletingRebalance' || group.phase === 'Stable'
  if (
    !settled || member.lastJoin?.requestId !== requestId || member.lastJoin.response.generationId !== group.generation
  ) {
    return false
  }
  answerJoin(group, member, requestId, member.lastJoin.response, step)
  return true
}

function hasRoom(group: Group, known: Member | undefined): boolean {
  const { groupSizeMax } = group.limits
  if (group.phase === 'Empty') return true
  if (group.phase === 'PreparingRebalance') {
    return (known?.joinRequestId ?? null) !== null || group.joiningCount < groupSizeMax
  }
  return known !== undefined || group.members.size < groupSizeMax
}

function joinNew(group: Group, command: JoinCommand, step: GroupStep): void {
  const { requestId, drawnMemberId, groupInstanceId } = command
  if (groupInstanceId !== null) {
    const oldId = group.staticIds.get(groupInstanceId)
    if (oldId === undefined) addMember(group, drawnMemberId, command, step)
    else replaceStatic(group, group.members.get(oldId)!, command, step)
  } else if (command.version < 4) addMember(group, drawnMemberId, command, step)
  else if (group.pending.size >= group.limits.groupSizeMax && !group.pending.has(drawnMemberId)) {
    answerJoinError(requestId, KAFKA_ERROR.GROUP_MAX_SIZE_REACHED, '', step)
  } else {
    const deadlineMs = step.nowMs + command.sessionTimeoutMs
    group.pending.set(drawnMemberId, deadlineMs)
    wakeAt(step, deadlineMs)
    answerJoinError(requestId, KAFKA_ERROR.MEMBER_ID_REQUIRED, drawnMemberId, step)
  }
}

function addMember(group: Group, memberId: string, command: JoinCommand, step: GroupStep): void {
  const { requestId, groupInstanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols } = command
  group.pending.delete(memberId)
  if (group.members.size === 0) group.protocolType = command.protocolType
  if (group.initialRemainingMs !== null) group.newMemberAdded = true
  insertMember(group, {
    memberId, groupInstanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols,
    assignment: new Uint8Array(0), joinRequestId: requestId, syncRequestId: null, lastJoin: null, deadlineMs: 0
  })
  prepareRebalance(group, step)
}

function joinAgain(group: Group, memberId: string, command: JoinCommand, step: GroupStep): void {
  const { requestId } = command
  const errorCode = memberError(group, memberId, command.groupInstanceId)
  if (errorCode !== KAFKA_ERROR.NONE) {
    answerJoinError(requestId, errorCode, command.memberId, step)
    return
  }
  const member = group.members.get(memberId)!
  const leads = group.leaderId === memberId
  const unchanged = sameProtocols(member.protocols, command.protocols)
  if (group.phase === 'CompletingRebalance' && unchanged) {
    answerJoin(group, member, requestId, currentJoin(group, member), step)
  } else if (group.phase === 'Stable' && unchanged && !leads) {
    answerJoin(group, member, requestId, currentJoin(group, member), step)
  } else {
    updateMember(group, member, command, step)
    waitForGeneration(group, member, requestId, step)
  }
}

function sameProtocols(a: readonly Protocol[], b: readonly Protocol[]): boolean {
  return a.length === b.length && a.every(({ name, metadata }, i) =>
    name === b[i]!.name && Buffer.compare(metadata, b[i]!.metadata) === 0)
}

function updateMember(group: Group, member: Member, command: JoinCommand, step: GroupStep): void {
  // Who still waits under an older call has gone: a client has one at a time.
  refuseWaiting(group, member, KAFKA_ERROR.REBALANCE_IN_PROGRESS, step)
  setProtocols(group, member, command.protocols)
  member.clientId = command.clientId
  member.clientHost = command.clientHost
  member.sessionTimeoutMs = command.sessionTimeoutMs
  member.rebalanceTimeoutMs = command.rebalanceTimeoutMs
}

function waitForGeneration(group: Group, member: Member, requestId: string, step: GroupStep): void {
  member.joinRequestId = requestId
  group.joiningCount += 1
  prepareRebalance(group, step)
}

/** A static member came back without its id: it gets a new one and fences the old. */
function replaceStatic(group: Group, old: Member, command: JoinCommand, step: GroupStep): void {
  const { requestId, drawnMemberId } = command
  const leaderBefore = group.leaderId
  const subscriptionBefore = subscriptionOf(group, old)
  refuseWaiting(group, old, KAFKA_ERROR.FENCED_INSTANCE_ID, step)
  const member: Member = { ...old, memberId: drawnMemberId, lastJoin: null }
  renameMember(group, old, member)
  updateMember(group, member, command, step)
  const keeps = group.phase === 'Stable' && selectProtocol(group) === group.protocolName &&
    sameSubscription(group.protocolType ?? '', subscriptionBefore, subscriptionOf(group, member))
  if (!keeps) {
    waitForGeneration(group, member, requestId, step)
    return
  }
  step.entries.push(settledEntry(group))
  answerJoin(group, member, requestId, keptJoin(group, member, leaderBefore ?? '', command.version), step)
}

/**
 * Before v9 a leader that came back is told its own old id as the leader's, so that it assigns nothing: nobody would
 * take the assignment of a stable group.
 */
function keptJoin(group: Group, member: Member, leaderBefore: string, version: number): JoinGroupResponse {
  const response = currentJoin(group, member)
  const leads = group.leaderId === member.memberId
  if (version >= 9) return { ...response, skipAssignment: leads, members: leads ? memberList(group) : [] }
  return { ...response, leader: leaderBefore, members: [] }
}

function renameMember(group: Group, old: Member, member: Member): void {
  group.members.delete(old.memberId)
  group.members.set(member.memberId, member)
  group.staticIds.set(member.groupInstanceId!, member.memberId)
  if (group.leaderId === old.memberId) group.leaderId = member.memberId
  if (group.pendingSyncs.delete(old.memberId)) group.pendingSyncs.add(member.memberId)
}

/** The caller of a join gave up: the member has one session's time to come back, the others do not wait longer. */
export function cancelJoin(group: Group, memberId: string, requestId: string, step: GroupStep): void {
  const member = group.members.get(memberId)
  if (member?.joinRequestId !== requestId) return
  member.joinRequestId = null
  group.joiningCount -= 1
  renewSession(member, step)
}
