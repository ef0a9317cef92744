/**
 * Which committed offsets have outlived their use. Pure. Offsets of a group with members never expire; without members
 * they live for the retention after the last one left, or after the commit if that is later; those of a topic that is
 * gone go at once, and with the last offset the group.
 * Source: KIP-211.
 */
import type { Entry } from '../shard/entry.ts'
import { groupDeleteEntry, groupOffsetsEntry, type GroupOffsetsEntry } from './group-entries.ts'
import type { GroupRecord, GroupsState } from './groups-state.ts'

export type RetentionRules = {
  readonly nowMs: number // leader's time
  readonly retentionMs: number
  readonly isActive: (groupId: string) => boolean // members, or ids given out
  readonly isTopicGone: (topicId: string) => boolean
}

/** The entries that remove what has expired. */
export function planRetention(state: GroupsState, rules: RetentionRules): Entry[] {
  const entries: Entry[] = []
  for (const record of state.groups.values()) {
    const active = rules.isActive(record.groupId)
    const topics = expiredTopics(record, active, rules)
    let removedCount = 0
    for (const { removed } of topics) removedCount += removed.length
    const stale = record.emptySinceMs + rules.retentionMs <= rules.nowMs || record.offsetCount > 0
    if (!active && removedCount === record.offsetCount && stale) entries.push(groupDeleteEntry(record.groupId))
    else if (removedCount > 0) entries.push(groupOffsetsEntry({ groupId: record.groupId, topics }))
  }
  return entries
}

function expiredTopics(record: GroupRecord, active: boolean, rules: RetentionRules): GroupOffsetsEntry['topics'] {
  const topics: GroupOffsetsEntry['topics'][number][] = []
  // A group that never had members ages by its commits alone.
  const sinceMs = record.protocolType === null ? 0 : record.emptySinceMs
  for (const [topicId, partitions] of record.offsets) {
    const gone = rules.isTopicGone(topicId)
    const removed: number[] = []
    for (const [partition, { committedMs }] of partitions)
      if (gone || (!active && Math.max(sinceMs, committedMs) + rules.retentionMs <= rules.nowMs)) {
        removed.push(partition)
      }
    if (removed.length > 0) topics.push({ topicId, committed: [], removed })
  }
  return topics
}
