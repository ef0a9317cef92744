/** Committed offsets of groups, as clients ask for them and set them. */
import { API } from '#shared/wire/api-registry.ts'
import type { Caller } from './caller.ts'
import { nameOf, REQUEST_MS, type Target } from './producer.ts'

export type Owner = {
  readonly group: string
  readonly generation: number // -1: no member
  readonly memberId: string // '': no member
}
export type Offset = { readonly target: Target; readonly offset: number }

const NO_TOPIC_ID = 'A'.repeat(22)

/** @returns the error code of all, the first that is one. @throws ConnectionLost */
export async function commitOffsets(
  caller: Caller, { group, generation, memberId }: Owner, offsets: readonly Offset[]
): Promise<number> {
  const { history, rng } = caller.parts
  const askedAt = history.events.length
  for (const { target, offset } of offsets)
    history.add({ kind: 'committing', group, partition: nameOf(target), offset, generation })
  const { topics } = await caller.call(API.offsetCommit, rng.pick([2, 5, 7, 8]), {
    groupId: group, generationIdOrMemberEpoch: generation, memberId, groupInstanceId: null, retentionTimeMs: -1,
    topics: [...Map.groupBy(offsets, ({ target }) => target.topic)].map(([name, ofTopic]) => ({
      name, topicId: NO_TOPIC_ID,
      partitions: ofTopic.map(({ target, offset }) => ({
        partitionIndex: target.partition, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: null
      }))
    }))
  }, REQUEST_MS)
  const failed = topics.flatMap(({ partitions }) => partitions).find(({ errorCode }) => errorCode !== 0)
  if (failed !== undefined) return failed.errorCode
  for (const { target, offset } of offsets)
    history.add({ kind: 'committed', group, partition: nameOf(target), offset, generation, askedAt })
  return 0
}

/** Offsets by the name of their partition, -1 where there is none; a number: the error code. @throws ConnectionLost */
export async function fetchOffsets(
  caller: Caller, group: string, targets: readonly Target[]
): Promise<Map<string, number> | number> {
  const { history, rng } = caller.parts
  const askedAt = history.events.length
  const { topics, errorCode } = await caller.call(API.offsetFetch, rng.pick([1, 3, 5, 7]), {
    groupId: group, groups: [], requireStable: false,
    topics: [...Map.groupBy(targets, ({ topic }) => topic)].map(([name, ofTopic]) =>
      ({ name, partitionIndexes: ofTopic.map(({ partition }) => partition) }))
  }, REQUEST_MS)
  const found = new Map<string, number>()
  for (const { name: topic, partitions } of topics)
    for (const { partitionIndex: partition, committedOffset, errorCode: code } of partitions) {
      if (code !== 0) return code
      found.set(nameOf({ topic, partition }), committedOffset)
    }
  if (errorCode !== 0) return errorCode
  for (const [partition, offset] of found) history.add({ kind: 'offset-fetched', group, partition, offset, askedAt })
  return found
}
