/**
 * One group as its coordinator sees it: who is a member, who waits for what, and until when. Pure; time comes in as
 * the step's `nowMs` (monotonic). It is lost in a takeover: then `groupFromRecord` starts from what is durable, with
 * fresh timers. A group without members and pending ids is not kept at all: its record says everything.
 * States, as Kafka's: Empty -> PreparingRebalance -> CompletingRebalance -> Stable, and back to PreparingRebalance.
 */
import assert from 'node:assert/strict'
import type { JoinGroupResponse } from '#shared/wire/api/join-group.ts'
import type { SyncGroupResponse } from '#shared/wire/api/sync-group.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { Entry } from '../shard/entry.ts'
import { groupGenerationEntry, type MemberRecord } from './group-entries.ts'
import type { GroupRecord } from './groups-state.ts'

export type GroupPhase = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'

export type GroupLimits = {
  readonly groupMinSessionTimeoutMs: number
  readonly groupMaxSessionTimeoutMs: number
  readonly groupInitialRebalanceDelayMs: number
  readonly groupSizeMax: number // members
  readonly groupMemberBytesMax: number // metadata of one member, over its protocols
  readonly groupAssignmentBytesMax: number // subscriptions and assignments of a generation
}

export type Protocol = { readonly name: string; readonly metadata: Uint8Array }

export type Member = {
  readonly memberId: string
  readonly groupInstanceId: string | null // static member (KIP-345)
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: readonly Protocol[] // in its order of preference
  assignment: Uint8Array
  joinRequestId: string | null // waits for the next generation
  syncRequestId: string | null // waits for its assignment
  lastJoin: { readonly requestId: string; readonly response: JoinGroupResponse } | null // newest join that was answered
  deadlineMs: number // end of its session; counts only while it waits for nothing
}

export type Group = {
  readonly groupId: string
  readonly limits: GroupLimits
  phase: GroupPhase
  generation: number
  generationGiven: number // newest one that a member may have been told, by an earlier leader too
  protocolType: string | null
  protocolName: string | null
  leaderId: string | null
  readonly members: Map<string, Member>
  readonly staticIds: Map<string, string> // member id by instance id
  readonly pending: Map<string, number> // ids given out by MEMBER_ID_REQUIRED, with their deadlines
  readonly protocolCounts: Map<string, number> // members by protocol they know
  joiningCount: number // members that wait for the next generation
  readonly pendingSyncs: Set<string> // were told the generation, did not ask for their assignment yet
  storing: boolean // the assignment of this generation is on its way to the journal
  initialRemainingMs: number | null // in the first rebalance of an empty group: how much longer it may wait for company
  newMemberAdded: boolean // since the initial delay began (again)
  rebalanceDueMs: number // PreparingRebalance ends
  syncDueMs: number // members that did not sync are removed; Infinity: none
}

export type GroupAnswer =
  | { readonly kind: 'join'; readonly requestId: string; readonly response: JoinGroupResponse }
  | { readonly kind: 'sync'; readonly requestId: string; readonly response: SyncGroupResponse }

/** What one command did: `entries` go to the journal, `answers` out once they (or a proof) are durable. */
export type GroupStep = {
  readonly nowMs: number // monotonic
  readonly answers: GroupAnswer[]
  readonly entries: Entry[]
  storing: number | null // call `assignmentStored` with this generation once the entries are durable
  dueMs: number // earliest deadline that the step set
}

export function newStep(nowMs: number): GroupStep {
  return { nowMs, answers: [], entries: [], storing: null, dueMs: Infinity }
}

export function newGroup(groupId: string, limits: GroupLimits): Group {
  return {
    groupId, limits, phase: 'Empty', generation: 0, generationGiven: 0, protocolType: null, protocolName: null,
    leaderId: null,
    members: new Map(), staticIds: new Map(), pending: new Map(), protocolCounts: new Map(), joiningCount: 0,
    pendingSyncs: new Set(), storing: false, initialRemainingMs: null, newMemberAdded: false, rebalanceDueMs: Infinity,
    syncDueMs: Infinity
  }
}

/** Takes a group up from its record: Stable if it has members, whose sessions start afresh. */
export function groupFromRecord(record: GroupRecord, limits: GroupLimits, step: GroupStep): Group {
  const group = newGroup(record.groupId, limits)
  group.generation = record.generation
  group.generationGiven = record.generationGiven
  group.protocolType = record.protocolType
  for (const saved of record.members) {
    const {
      memberId, groupInstanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, subscription, assignment
    } =
      saved
    const protocols = [{ name: record.protocolName ?? '', metadata: subscription }]
    const member: Member = {
      memberId, groupInstanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols, assignment,
      joinRequestId: null, syncRequestId: null, lastJoin: null, deadlineMs: 0
    }
    insertMember(group, member)
    renewSession(member, step)
  }
  if (record.members.length === 0) return group
  group.phase = 'Stable'
  group.protocolName = record.protocolName
  group.leaderId = record.leaderId
  return group
}

/** True if the record alone describes the group, so that this one need not be kept. */
export function isForgettable(group: Group): boolean {
  return group.phase === 'Empty' && group.pending.size === 0
}

export function insertMember(group: Group, member: Member): void {
  assert(!group.members.has(member.memberId))
  group.members.set(member.memberId, member)
  if (member.groupInstanceId !== null) group.staticIds.set(member.groupInstanceId, member.memberId)
  countProtocols(group, member.protocols, 1)
  if (member.joinRequestId !== null) group.joiningCount += 1
  group.leaderId ??= member.memberId
}

/** Takes a member out; whoever waits for it must have been answered. */
export function dropMember(group: Group, member: Member): void {
  assert(member.joinRequestId === null && member.syncRequestId === null)
  group.members.delete(member.memberId)
  if (member.groupInstanceId !== null) group.staticIds.delete(member.groupInstanceId)
  countProtocols(group, member.protocols, -1)
  group.pendingSyncs.delete(member.memberId)
  if (group.leaderId === member.memberId) group.leaderId = group.members.keys().next().value ?? null
}

export function setProtocols(group: Group, member: Member, protocols: readonly Protocol[]): void {
  countProtocols(group, member.protocols, -1)
  member.protocols = protocols
  countProtocols(group, protocols, 1)
}

function countProtocols(group: Group, protocols: readonly Protocol[], by: 1 | -1): void {
  for (const name of new Set(protocols.map((protocol) => protocol.name))) {
    const count = (group.protocolCounts.get(name) ?? 0) + by
    if (count === 0) group.protocolCounts.delete(name)
    else group.protocolCounts.set(name, count)
  }
}

/** True if a member with these protocols has one in common with all others. */
export function supportsProtocols(group: Group, protocolType: string, protocols: readonly Protocol[]): boolean {
  if (protocols.length === 0 || protocolType === '') return false
  if (group.members.size === 0) return true
  return group.protocolType === protocolType && protocols.some(({ name }) =>
    group.protocolCounts.get(name) === group.members.size)
}

/** The protocol that most members like best, of those that all know. */
export function selectProtocol(group: Group): string {
  const votes = new Map<string, number>()
  for (const { protocols } of group.members.values()) {
    const choice = protocols.find(({ name }) => group.protocolCounts.get(name) === group.members.size)
    assert(choice !== undefined) // a member without a common protocol is never let in
    votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1)
  }
  let [selected, most] = ['', 0]
  for (const [name, count] of votes) if (count > most) [selected, most] = [name, count]
  return selected
}

/** The member's metadata for the group's protocol. */
export function subscriptionOf(group: Group, member: Member): Uint8Array {
  return member.protocols.find(({ name }) => name === group.protocolName)?.metadata ?? EMPTY
}

export function renewSession(member: Member, step: GroupStep): void {
  member.deadlineMs = step.nowMs + member.sessionTimeoutMs
  wakeAt(step, member.deadlineMs)
}

export function wakeAt(step: GroupStep, dueMs: number): void {
  if (dueMs < step.dueMs) step.dueMs = dueMs
}

/** A caller must be the member it says it is, a static one under its newest id. */
export function memberError(group: Group, memberId: string, groupInstanceId: string | null): number {
  if (groupInstanceId !== null) {
    const current = group.staticIds.get(groupInstanceId)
    if (current === undefined) return KAFKA_ERROR.UNKNOWN_MEMBER_ID
    return current === memberId ? KAFKA_ERROR.NONE : KAFKA_ERROR.FENCED_INSTANCE_ID
  }
  return group.members.has(memberId) ? KAFKA_ERROR.NONE : KAFKA_ERROR.UNKNOWN_MEMBER_ID
}

export function waits(member: Member): boolean {
  return member.joinRequestId !== null || member.syncRequestId !== null
}

const EMPTY = new Uint8Array(0)

export function answerSync(
  group: Group, requestId: string, errorCode: number, assignment: Uint8Array, step: GroupStep
): void {
  const ok = errorCode === KAFKA_ERROR.NONE
  step.answers.push({
    kind: 'sync', requestId,
    response: {
      throttleTimeMs: 0, errorCode, protocolType: ok ? group.protocolType : null,
      protocolName: ok ? group.protocolName : null, assignment
    }
  })
}

export function answerJoinError(requestId: string, errorCode: number, memberId: string, step: GroupStep): void {
  step.answers.push({ kind: 'join', requestId, response: joinError(errorCode, memberId) })
}

export function joinError(errorCode: number, memberId: string): JoinGroupResponse {
  return {
    throttleTimeMs: 0, errorCode, generationId: -1, protocolType: null, protocolName: '', leader: '',
    skipAssignment: false, memberId,
    members: []
  }
}

/** Answers whatever the member waits for with an error. */
export function refuseWaiting(group: Group, member: Member, errorCode: number, step: GroupStep): void {
  if (member.joinRequestId !== null) {
    answerJoinError(
      member.joinRequestId, errorCode, errorCode === KAFKA_ERROR.UNKNOWN_MEMBER_ID ? '' : member.memberId, step
    )
    member.joinRequestId = null
    group.joiningCount -= 1
  }
  if (member.syncRequestId !== null) {
    answerSync(group, member.syncRequestId, errorCode, EMPTY, step)
    member.syncRequestId = null
  }
}

/** Journals the group as it is now: its members with subscription and assignment. */
export function settledEntry(group: Group): Entry {
  const { groupId, generation, protocolType, protocolName, leaderId } = group
  const members = Array.from(group.members.values(), (member): MemberRecord => ({
    memberId: member.memberId, groupInstanceId: member.groupInstanceId, clientId: member.clientId,
    clientHost: member.clientHost,
    sessionTimeoutMs: member.sessionTimeoutMs, rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    subscription: subscriptionOf(group, member), assignment: member.assignment
  }))
  return groupGenerationEntry({ groupId, generation, settled: { protocolType, protocolName, leaderId, members } })
}
