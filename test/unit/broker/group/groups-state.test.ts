import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  groupDeleteEntry, groupGenerationEntry, groupOffsetsEntry, type MemberRecord
} from '#broker/group/group-entries.ts'
import {
  applyGroupEntry, committedOffset, decodeGroupsState, encodeGroupsState, newGroupsState
} from '#broker/group/groups-state.ts'
import { TOPIC } from './group-bench.ts'

const member: MemberRecord = {
  memberId: 'm-1', groupInstanceId: null, clientId: 'm', clientHost: '/10.0.0.1', sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 30_000,
  subscription: Uint8Array.of(1, 2), assignment: Uint8Array.of(3)
}
const settled = { protocolType: 'consumer', protocolName: 'range', leaderId: 'm-1', members: [member] }
const empty = { protocolType: 'consumer', protocolName: null, leaderId: null, members: [] }
const at =
  (partition: number, offset: number): { partition: number; offset: number; leaderEpoch: number; metadata: string } =>
  ({ partition, offset, leaderEpoch: 0, metadata: `at ${offset}` })

test('groups-state: a generation is given first and settled later', () => {
  const state = newGroupsState()
  applyGroupEntry(state, groupGenerationEntry({ groupId: 'g', generation: 4, settled: null }), 10)
  const group = state.groups.get('g')!
  assert.deepEqual([group.generation, group.generationGiven, group.members.length], [0, 4, 0])
  applyGroupEntry(state, groupGenerationEntry({ groupId: 'g', generation: 4, settled }), 20)
  assert.deepEqual([group.generation, group.leaderId, group.members], [4, 'm-1', [member]])
  applyGroupEntry(state, groupGenerationEntry({ groupId: 'g', generation: 5, settled: empty }), 30)
  assert.deepEqual([group.generation, group.emptySinceMs, group.protocolType], [5, 30, 'consumer'])
})

test('groups-state: a settled generation never falls', () => {
  const state = newGroupsState()
  applyGroupEntry(state, groupGenerationEntry({ groupId: 'g', generation: 4, settled }), 10)
  assert.throws(() => applyGroupEntry(state, groupGenerationEntry({ groupId: 'g', generation: 3, settled }), 10))
})

test('groups-state: offsets are set, replaced, removed and counted', () => {
  const state = newGroupsState()
  applyGroupEntry(state, groupOffsetsEntry(
    { groupId: 'g', topics: [{ topicId: TOPIC, committed: [at(0, 5), at(1, 6)], removed: [] }] }
  ), 10)
  applyGroupEntry(
    state, groupOffsetsEntry({ groupId: 'g', topics: [{ topicId: TOPIC, committed: [at(0, 4)], removed: [1, 9] }] }), 20
  )
  assert.deepEqual(
    committedOffset(state, 'g', TOPIC, 0), { offset: 4, leaderEpoch: 0, metadata: 'at 4', committedMs: 20 }
  )
  assert.equal(committedOffset(state, 'g', TOPIC, 1), null)
  assert.equal(state.groups.get('g')!.offsetCount, 1)
  applyGroupEntry(
    state, groupOffsetsEntry({ groupId: 'g', topics: [{ topicId: TOPIC, committed: [], removed: [0] }] }), 30
  )
  assert.deepEqual([state.groups.get('g')!.offsetCount, state.groups.get('g')!.offsets.size], [0, 0])
  applyGroupEntry(state, groupDeleteEntry('g'), 40)
  assert.equal(state.groups.size, 0)
})

test('groups-state: a snapshot reads back to the same state, whatever becomes of its bytes', () => {
  const state = newGroupsState()
  applyGroupEntry(state, groupGenerationEntry({ groupId: 'g', generation: 4, settled }), 10)
  applyGroupEntry(state, groupGenerationEntry({ groupId: 'g', generation: 6, settled: null }), 20)
  applyGroupEntry(state, groupOffsetsEntry(
    { groupId: 'g', topics: [{ topicId: TOPIC, committed: [at(0, 5), at(7, 2 ** 40)], removed: [] }] }
  ), 30)
  applyGroupEntry(state, groupOffsetsEntry(
    { groupId: 'simple', topics: [{ topicId: TOPIC, committed: [at(0, 1)], removed: [] }] }
  ), 40)
  const bytes = Buffer.concat(encodeGroupsState(state))
  const read = decodeGroupsState(bytes)
  bytes.fill(0)
  assert.deepEqual(read, state)
})

test('groups-state: an entry or snapshot of a later format is refused', () => {
  const entry = groupDeleteEntry('g')
  entry.body[0] = 9
  assert.throws(() => applyGroupEntry(newGroupsState(), entry, 0), { code: 'FORMAT_TOO_NEW' })
  assert.throws(() => decodeGroupsState(Uint8Array.of(9)), { code: 'FORMAT_TOO_NEW' })
})
