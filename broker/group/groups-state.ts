/**
 * Groups of a shard, as far as they are durable: settled generations with their members, and committed offsets. Pure;
 * changed by `applyGroupEntry` only. What a takeover may lose (who waits, who is late) is in group-state.ts.
 * Invariants: `generation <= generationGiven`, and neither ever falls while the group lives.
 */
import assert from 'node:assert/strict'
import { ENTRY_KIND, type Entry } from '../shard/entry.ts'
import {
  decodeGroupDelete, decodeGroupGeneration, decodeGroupOffsets, decodeGroupsSnapshot, encodeGroupsSnapshot,
  type GroupGenerationEntry, type GroupOffsetsEntry, type MemberRecord, type SettledRecord
} from './group-entries.ts'

export type CommittedOffset = {
  readonly offset: number
  readonly leaderEpoch: number // -1: not told
  readonly metadata: string
  readonly committedMs: number // entry time
}

export type GroupRecord = {
  readonly groupId: string
  generation: number // newest settled one; 0: none yet
  generationGiven: number // newest one that a member may have been told
  protocolType: string | null // null: a simple consumer, offsets only
  protocolName: string | null
  leaderId: string | null
  members: readonly MemberRecord[]
  emptySinceMs: number // entry time; counts only while there are no members
  readonly offsets: Map<string, Map<number, CommittedOffset>> // by topicId and partition
  offsetCount: number
}

export type GroupsState = { readonly groups: Map<string, GroupRecord> }

export function newGroupsState(): GroupsState {
  return { groups: new Map() }
}

/** The committed offset of a partition, or null where the group (if it exists) has none. */
export function committedOffset(
  state: GroupsState, groupId: string, topicId: string, partition: number
): CommittedOffset | null {
  return state.groups.get(groupId)?.offsets.get(topicId)?.get(partition) ?? null
}

/** Applies groupGeneration, groupOffsets or groupDelete, in place. Copies what it keeps of the entry. */
export function applyGroupEntry(state: GroupsState, entry: Entry, timeMs: number): void {
  if (entry.kind === ENTRY_KIND.groupOffsets) applyOffsets(state, decodeGroupOffsets(entry.body), timeMs)
  else if (entry.kind === ENTRY_KIND.groupGeneration) applyGeneration(state, decodeGroupGeneration(entry.body), timeMs)
  else if (entry.kind === ENTRY_KIND.groupDelete) state.groups.delete(decodeGroupDelete(entry.body).groupId)
  else assert.fail(`entry kind ${entry.kind} is not a group's`)
}

function applyGeneration(
  state: GroupsState, { groupId, generation, settled }: GroupGenerationEntry, timeMs: number
): void {
  const group = groupOf(state, groupId, timeMs)
  assert(generation >= group.generation) // else the journal forked
  // After a takeover a static member may change its id in a settled generation older than the one given last.
  if (generation > group.generationGiven) group.generationGiven = generation
  if (settled === null) return
  group.generation = generation
  settle(group, settled)
  if (settled.members.length === 0) group.emptySinceMs = timeMs
}

function settle(group: GroupRecord, { protocolType, protocolName, leaderId, members }: SettledRecord): void {
  group.protocolType = protocolType
  group.protocolName = protocolName
  group.leaderId = leaderId
  group.members = members.map((member) => ({
    ...member, subscription: new Uint8Array(member.subscription), assignment: new Uint8Array(member.assignment)
  }))
}

function applyOffsets(state: GroupsState, { groupId, topics }: GroupOffsetsEntry, timeMs: number): void {
  const group = groupOf(state, groupId, timeMs)
  for (const { topicId, committed, removed } of topics) {
    let partitions = group.offsets.get(topicId)
    if (partitions === undefined) group.offsets.set(topicId, (partitions = new Map()))
    const before = partitions.size
    for (const { partition, offset, leaderEpoch, metadata } of committed)
      partitions.set(partition, { offset, leaderEpoch, metadata, committedMs: timeMs })
    for (const partition of removed) partitions.delete(partition)
    group.offsetCount += partitions.size - before
    if (partitions.size === 0) group.offsets.delete(topicId)
  }
}

function groupOf(state: GroupsState, groupId: string, timeMs: number): GroupRecord {
  let group = state.groups.get(groupId)
  if (group === undefined) {
    group = {
      groupId, generation: 0, generationGiven: 0, protocolType: null, protocolName: null, leaderId: null, members: [],
      emptySinceMs: timeMs, offsets: new Map(), offsetCount: 0
    }
    state.groups.set(groupId, group)
  }
  return group
}

/** Lays out a snapshot; member bytes go by reference. */
export function encodeGroupsState(state: GroupsState): Uint8Array[] {
  return encodeGroupsSnapshot({
    groups: Array.from(state.groups.values(), (group) => ({
      ...group,
      settled: group,
      topics: Array.from(group.offsets, ([topicId, partitions]) => ({
        topicId, partitions: Array.from(partitions, ([partition, committed]) => ({ partition, ...committed }))
      }))
    }))
  })
}

/** @throws ZonewiseError FORMAT_TOO_NEW, FRAME_INVALID: another snapshot must be used. */
export function decodeGroupsState(bytes: Uint8Array): GroupsState {
  const state = newGroupsState()
  for (
    const { groupId, generation, generationGiven, settled, emptySinceMs, topics } of decodeGroupsSnapshot(bytes).groups
  ) {
    const group = groupOf(state, groupId, emptySinceMs)
    group.generation = generation
    group.generationGiven = generationGiven
    settle(group, settled)
    for (const { topicId, partitions } of topics) {
      group.offsets.set(topicId, new Map(partitions.map(({ partition, offset, leaderEpoch, metadata, committedMs }) =>
        [partition, { offset, leaderEpoch, metadata, committedMs }])))
      group.offsetCount += partitions.length
    }
  }
  return state
}
