import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GroupBench, SHARD } from './group-bench.ts'

test('group-coordinator: a shard led elsewhere is said at once', async () => {
  const bench = new GroupBench()
  bench.shards.end(SHARD)
  await assert.rejects(bench.join({}), { errorCode: 16 })
})

test('group-coordinator: too many calls at a time are refused, with a code that is asked again (named bound)', async () => {
  const bench = new GroupBench({ settings: { groupCallsMax: 1, groupInitialRebalanceDelayMs: 1_000 } })
  const waiting = bench.join({}, { clientVersion: 3 })
  await assert.rejects(bench.join({}, { clientVersion: 3 }), { errorCode: 15 })
  await bench.runtime.advance(1_000)
  assert.equal((await bench.now(waiting)).errorCode, 0)
  await bench.list()
})

test('group-coordinator: members, generation, assignment and offsets survive a takeover; sessions start afresh', async () => {
  const bench = new GroupBench()
  const { memberId } = await bench.stableGroup()
  await bench.commit(7, { memberId, generationId: 1 })
  await bench.runtime.advance(9_000)
  bench.takeOver()
  const { groupState, protocolData, members } = await bench.describe()
  assert.deepEqual([groupState, protocolData], ['Stable', 'range'])
  assert.deepEqual(members.map((member) => [member.memberId, member.clientHost, Buffer.from(
    member.memberMetadata
  ).toString(),
    Buffer.from(member.memberAssignment).toString()]), [[memberId, '/10.0.0.1', 'topics', 'all']])
  assert.equal(await bench.committed(), 7)
  await bench.runtime.advance(9_000)
  assert.equal(await bench.heartbeat(memberId, 1), 0)
  await bench.runtime.advance(10_000)
  assert.equal((await bench.describe()).groupState, 'Empty')
})

test('group-coordinator: whoever waits is sent to the next leader, which gives no generation twice', async () => {
  const bench = new GroupBench()
  const { memberId } = await bench.stableGroup()
  const second = await bench.newMember()
  assert.equal((await bench.now(bench.join({ memberId }))).generationId, 2) // told, never settled
  await bench.now(second.joined)
  const waiting = bench.sync({ memberId: second.memberId, generationId: 2 })
  await bench.runtime.settle()
  bench.takeOver()
  await assert.rejects(bench.now(waiting), { errorCode: 16 })
  assert.equal((await bench.now(bench.sync({ memberId, generationId: 2 }))).errorCode, 22)
  assert.equal((await bench.now(bench.join({ memberId }))).generationId, 3)
})

test('group-describe: states, and groups that do not exist (PROTOCOL 45)', async () => {
  const bench = new GroupBench()
  const dead = await bench.describe('unknown', 5)
  assert.deepEqual([dead.errorCode, dead.groupState], [0, 'Dead'])
  const missing = await bench.describe('unknown', 6)
  assert.deepEqual(
    [missing.errorCode, missing.groupState, missing.errorMessage], [69, 'Dead', 'Group unknown not found.']
  )
  const { memberId } = await bench.stableGroup()
  await bench.newMember()
  const preparing = await bench.describe()
  assert.deepEqual(
    [preparing.groupState, preparing.protocolData, preparing.members.length], ['PreparingRebalance', '', 2]
  )
  assert.equal(preparing.members.find((member) => member.memberId === memberId)!.memberAssignment.byteLength, 0)
})

test('group-describe: the list takes filters of state and type, whatever their letters (PROTOCOL 45)', async () => {
  const bench = new GroupBench()
  await bench.stableGroup('busy')
  await bench.commit(1, { groupId: 'idle' })
  const names = async (states: string[], types: string[] = []): Promise<string[]> =>
    (await bench.list(states, types)).map(({ groupId }) => groupId)
  assert.deepEqual(await names([]), ['busy', 'idle'])
  assert.deepEqual(await names(['stable']), ['busy'])
  assert.deepEqual(await names(['Empty', 'Dead']), ['idle'])
  assert.deepEqual(await names([], ['Classic']), ['busy', 'idle'])
  assert.deepEqual(await names([], ['consumer']), [])
})

test('group-coordinator: a group is deleted with its offsets, never with members; sent again it is the same (PROTOCOL 45)', async () => {
  const bench = new GroupBench()
  const { memberId } = await bench.stableGroup()
  await bench.commit(7, { memberId, generationId: 1 })
  assert.equal(await bench.delete('g'), 68)
  assert.equal(await bench.delete('unknown'), 69)
  assert.equal(await bench.delete(''), 24)
  await bench.now(bench.leave([{ memberId }]))
  assert.equal(await bench.delete('g', { requestId: 'd' }), 0)
  assert.equal(await bench.delete('g', { requestId: 'd' }), 0)
  assert.equal(await bench.delete('g'), 69)
  assert.equal(await bench.committed(), -1)
  bench.takeOver()
  assert.deepEqual(await bench.list(), [])
})
