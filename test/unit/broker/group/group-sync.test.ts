import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GroupBench, SHARD } from './group-bench.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

type Pair = { readonly bench: GroupBench; readonly leader: string; readonly follower: string }

/** Two members that were told generation 2, the leader first; neither has synced. */
async function joinedPair(bench = new GroupBench()): Promise<Pair> {
  const { memberId: leader } = await bench.stableGroup()
  const { memberId: follower, joined } = await bench.newMember()
  await bench.now(bench.join({ memberId: leader }))
  await bench.now(joined)
  return { bench, leader, follower }
}

test('group-sync: followers wait for the leader; whom it leaves out gets nothing (PROTOCOL 40)', async () => {
  const { bench, leader, follower } = await joinedPair()
  const waiting = bench.sync({ memberId: follower, generationId: 2 })
  await bench.runtime.settle()
  assert.equal((await bench.describe()).groupState, 'CompletingRebalance')
  const assignments =
    [{ memberId: leader, assignment: Buffer.from('all') }, { memberId: 'stranger', assignment: Buffer.from('x') }]
  const own = await bench.now(bench.sync({ memberId: leader, generationId: 2, assignments }))
  assert.deepEqual(
    [own.errorCode, text(own.assignment), own.protocolType, own.protocolName], [0, 'all', 'consumer', 'range']
  )
  const theirs = await bench.now(waiting)
  assert.deepEqual([theirs.errorCode, theirs.assignment.byteLength], [0, 0])
})

test('group-sync: nobody is answered before the assignment is durable (PROTOCOL 40)', async () => {
  const { bench, leader, follower } = await joinedPair()
  const waiting = bench.sync({ memberId: follower, generationId: 2 })
  let answered = false
  waiting.then(() => { answered = true }, () => { answered = true })
  await bench.runtime.settle()
  assert(!answered)
  const own = bench.sync(
    { memberId: leader, generationId: 2, assignments: [{ memberId: follower, assignment: Buffer.from('b') }] }
  )
  own.catch(() => {})
  bench.shards.end(SHARD) // the append is in flight
  await bench.runtime.advance(100)
  assert(answered)
  await assert.rejects(own, { errorCode: 16 })
  await assert.rejects(waiting, { errorCode: 16 })
})

test('group-sync: a wrong generation, member or protocol is refused (PROTOCOL 40)', async () => {
  const { bench, leader } = await joinedPair()
  const code = async (request: Parameters<GroupBench['sync']>[0]): Promise<number> =>
    (await bench.now(bench.sync(request))).errorCode
  assert.equal(await code({ memberId: leader, generationId: 1 }), 22)
  assert.equal(await code({ memberId: 'stranger', generationId: 2 }), 25)
  assert.equal(await code({ memberId: leader, generationId: 2, groupInstanceId: 'unknown' }), 25)
  assert.equal(await code({ memberId: leader, generationId: 2, protocolName: 'sticky' }), 23)
  assert.equal(await code({ memberId: leader, generationId: 2, protocolType: 'connect' }), 23)
  assert.equal(await code({ groupId: 'unknown', memberId: leader, generationId: 2 }), 25)
  assert.equal(await code({ memberId: leader, generationId: 2, protocolType: null, protocolName: null }), 0)
})

test('group-sync: a rebalance sends those that wait back to join (PROTOCOL 40)', async () => {
  const { bench, leader, follower } = await joinedPair()
  const waiting = bench.sync({ memberId: follower, generationId: 2 })
  await bench.runtime.settle()
  await bench.newMember()
  assert.equal((await bench.now(waiting)).errorCode, 27)
  assert.equal((await bench.now(bench.sync({ memberId: leader, generationId: 2 }))).errorCode, 27)
})

test('group-sync: a stable group repeats the assignment (PROTOCOL 40)', async () => {
  const bench = new GroupBench()
  const { memberId } = await bench.stableGroup()
  const again = await bench.now(bench.sync({ memberId }))
  assert.deepEqual([again.errorCode, text(again.assignment)], [0, 'all'])
})

test('group-sync: who joins and never syncs is taken out after the rebalance timeout (PROTOCOL 40)', async () => {
  const { bench, leader, follower } = await joinedPair()
  await bench.now(bench.sync({ memberId: leader, generationId: 2 }))
  for (let i = 0; i < 6; i++) {
    await bench.runtime.advance(5_000)
    await bench.heartbeat(leader, 2)
    await bench.heartbeat(follower, 2) // alive, but never asks for its assignment
  }
  assert.equal(await bench.heartbeat(follower, 2), 25)
  assert.equal(await bench.heartbeat(leader, 2), 27)
})

test('group-sync: a leader that never syncs is taken out, and another leads (PROTOCOL 40)', async () => {
  const { bench, leader, follower } = await joinedPair()
  const waiting = bench.sync({ memberId: follower, generationId: 2 })
  await bench.runtime.advance(10_001) // the leader's session
  assert.equal((await bench.now(waiting)).errorCode, 27)
  assert.equal(await bench.heartbeat(leader, 2), 25)
  const again = await bench.now(bench.join({ memberId: follower }))
  assert.deepEqual([again.generationId, again.leader], [3, follower])
})

test('group-sync: an assignment above its bound fails the generation for all (named bound)', async () => {
  const { bench, leader, follower } = await joinedPair(new GroupBench({ settings: { groupAssignmentBytesMax: 100 } }))
  const waiting = bench.sync({ memberId: follower, generationId: 2 })
  const own = bench.sync(
    { memberId: leader, generationId: 2, assignments: [{ memberId: leader, assignment: Buffer.alloc(100) }] }
  )
  assert.deepEqual([(await bench.now(own)).errorCode, (await bench.now(waiting)).errorCode], [-1, -1])
  assert.equal(await bench.heartbeat(leader, 2), 27)
})

test('group-heartbeat: it says when to join again, and keeps the session (PROTOCOL 41)', async () => {
  const bench = new GroupBench()
  const { memberId } = await bench.stableGroup()
  for (let i = 0; i < 5; i++) {
    await bench.runtime.advance(9_000)
    assert.equal(await bench.heartbeat(memberId, 1), 0)
  }
  assert.equal(await bench.heartbeat(memberId, 2), 22)
  assert.equal(await bench.heartbeat('stranger', 1), 25)
  await bench.newMember()
  assert.equal(await bench.heartbeat(memberId, 1), 27)
  await bench.runtime.advance(9_000)
  assert.equal(await bench.heartbeat(memberId, 1), 27) // the last one renewed the session too
})

test('group-heartbeat: between join and sync it is accepted (PROTOCOL 41)', async () => {
  const { bench, leader } = await joinedPair()
  assert.equal(await bench.heartbeat(leader, 2), 0)
})

test('group-heartbeat: a silent member is taken out after its session timeout; the group becomes empty (PROTOCOL 41)', async () => {
  const bench = new GroupBench()
  const { memberId } = await bench.stableGroup()
  await bench.runtime.advance(10_000)
  assert.equal(await bench.heartbeat(memberId, 1), 25)
  const { groupState, protocolType } = await bench.describe()
  assert.deepEqual([groupState, protocolType], ['Empty', 'consumer'])
  const next = await bench.newMember()
  assert.equal((await bench.now(next.joined)).generationId, 3) // becoming empty took one
})

test('group-leave: members leave by id, static ones by their instance id alone (PROTOCOL 42, 45)', async () => {
  const bench = new GroupBench()
  const { memberId } = await bench.stableGroup()
  const joining = bench.join({ groupInstanceId: 'i' }, { memberId: 'i-1' })
  await bench.now(bench.join({ memberId }))
  await bench.now(joining)
  const { errorCode, members } = await bench.now(bench.leave([
    { memberId }, { memberId: '', groupInstanceId: 'i' }, { memberId: 'stranger' },
    { memberId: '', groupInstanceId: 'unknown' }
  ]))
  assert.equal(errorCode, 0)
  assert.deepEqual(members.map((member) => member.errorCode), [0, 0, 25, 25])
  assert.equal((await bench.describe()).groupState, 'Empty')
})

test('group-leave: the wrong id of a static member is fenced; an unused id may be given back (PROTOCOL 42, 45)', async () => {
  const bench = new GroupBench()
  await bench.now(bench.join({ groupInstanceId: 'i' }, { memberId: 'i-1' }))
  const { memberId: unused } = await bench.now(bench.join({}))
  const { members } = await bench.now(bench.leave([{ memberId: 'i-0', groupInstanceId: 'i' }, { memberId: unused }]))
  assert.deepEqual(members.map((member) => member.errorCode), [82, 0])
})

test('group-leave: before v3 the outcome of the one member is that of the request; sent again it is the same (PROTOCOL 45)', async () => {
  const bench = new GroupBench()
  const { memberId } = await bench.stableGroup()
  const options = { clientVersion: 2, requestId: 'leave' }
  assert.equal((await bench.now(bench.leave([{ memberId }], options))).errorCode, 0)
  assert.equal((await bench.now(bench.leave([{ memberId }], options))).errorCode, 0)
  assert.equal((await bench.now(bench.leave([{ memberId }], { clientVersion: 2 }))).errorCode, 25)
})

test('group-leave: the rest of a waiting rebalance goes on without the one that left (PROTOCOL 39)', async () => {
  const bench = new GroupBench()
  const { memberId } = await bench.stableGroup()
  const second = await bench.newMember()
  await bench.now(bench.leave([{ memberId }]))
  const joined = await bench.now(second.joined)
  assert.deepEqual([joined.generationId, joined.leader], [2, second.memberId])
})
