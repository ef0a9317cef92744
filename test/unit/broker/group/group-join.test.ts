import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GroupBench, protocols, subscription } from './group-bench.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

test('group-join: a dynamic member gets its id first, since v4, and joins under it (PROTOCOL 38)', async () => {
  const bench = new GroupBench()
  const asked = await bench.now(bench.join({}, { memberId: 'app-1' }))
  assert.deepEqual([asked.errorCode, asked.memberId], [79, 'app-1'])
  const joined = await bench.now(bench.join({ memberId: 'app-1' }))
  assert.deepEqual([joined.errorCode, joined.generationId, joined.memberId, joined.leader], [0, 1, 'app-1', 'app-1'])
  assert.deepEqual([joined.protocolType, joined.protocolName, joined.skipAssignment], ['consumer', 'range', false])
  assert.deepEqual(joined.members.map(({ memberId, metadata }) => [memberId, text(metadata)]), [['app-1', 'topics']])
})

test('group-join: before v4 a member joins directly (PROTOCOL 38)', async () => {
  const bench = new GroupBench()
  const joined = await bench.now(bench.join({}, { memberId: 'old-1', clientVersion: 3 }))
  assert.deepEqual([joined.errorCode, joined.memberId, joined.generationId], [0, 'old-1', 1])
})

test('group-join: an unknown member id never makes a member (PROTOCOL 38)', async () => {
  const bench = new GroupBench()
  assert.equal((await bench.now(bench.join({ memberId: 'stranger' }))).errorCode, 25)
  assert.deepEqual(await bench.list(), [])
  await bench.stableGroup()
  assert.equal((await bench.now(bench.join({ memberId: 'stranger' }))).errorCode, 25)
})

test('group-join: an id that was given out and not used is forgotten after a session timeout (PROTOCOL 38)', async () => {
  const bench = new GroupBench()
  await bench.now(bench.join({}, { memberId: 'app-1' }))
  await bench.runtime.advance(10_001)
  assert.equal((await bench.now(bench.join({ memberId: 'app-1' }))).errorCode, 25)
})

test('group-join: a group without a name, a session timeout out of range, no protocols are refused (PROTOCOL 38, 41)', async () => {
  const bench = new GroupBench()
  assert.equal((await bench.now(bench.join({ groupId: '' }))).errorCode, 24)
  assert.equal((await bench.now(bench.join({ sessionTimeoutMs: 5_999 }))).errorCode, 26)
  assert.equal((await bench.now(bench.join({ sessionTimeoutMs: 1_800_001 }))).errorCode, 26)
  assert.equal((await bench.now(bench.join({ protocols: [] }))).errorCode, 23)
})

test('group-join: the first join of an empty group waits, and longer while others come (PROTOCOL 39)', async () => {
  const bench = new GroupBench({ settings: { groupInitialRebalanceDelayMs: 3_000 } })
  const first = await bench.newMember()
  await bench.runtime.advance(2_000)
  const second = await bench.newMember()
  await bench.runtime.advance(2_000) // over the first delay, which the second member extended
  assert.equal((await bench.describe()).groupState, 'PreparingRebalance')
  await bench.runtime.advance(2_000)
  const [one, two] = [await bench.now(first.joined), await bench.now(second.joined)]
  assert.deepEqual([one.generationId, two.generationId], [1, 1])
  assert.deepEqual([one.members.length, two.members.length], [2, 0]) // the leader alone gets the list
  assert.deepEqual([one.leader, two.leader], [first.memberId, first.memberId])
})

test('group-join: company extends the first rebalance up to the rebalance timeout only (PROTOCOL 39)', async () => {
  const bench = new GroupBench({ settings: { groupInitialRebalanceDelayMs: 20_000 } })
  const first = await bench.newMember() // rebalance timeout 30 s
  await bench.runtime.advance(19_000)
  await bench.newMember()
  await bench.runtime.advance(10_999)
  assert.equal((await bench.describe()).groupState, 'PreparingRebalance')
  await bench.runtime.advance(1)
  assert.equal((await bench.now(first.joined)).members.length, 2)
})

test('group-join: a new member makes the others join again; the generation rises by one (PROTOCOL 39)', async () => {
  const bench = new GroupBench()
  const { memberId } = await bench.stableGroup()
  const second = await bench.newMember()
  assert.equal(await bench.heartbeat(memberId, 1), 27)
  const again = await bench.now(bench.join({ memberId }))
  assert.deepEqual([again.generationId, again.members.length], [2, 2])
  assert.equal((await bench.now(second.joined)).generationId, 2)
})

test('group-join: a member that does not come back in its rebalance timeout is left out (PROTOCOL 39)', async () => {
  const bench = new GroupBench()
  const { memberId } = await bench.stableGroup()
  const second = await bench.newMember()
  for (let i = 0; i < 6; i++) {
    await bench.runtime.advance(5_000)
    if (i < 5) assert.equal(await bench.heartbeat(memberId, 1), 27) // alive, but does not join
  }
  const joined = await bench.now(second.joined)
  assert.deepEqual([joined.generationId, joined.leader, joined.members.length], [2, second.memberId, 1])
  assert.equal(await bench.heartbeat(memberId, 1), 25)
})

test('group-join: the protocol is one that all know, by vote; none in common is refused (PROTOCOL 39)', async () => {
  const bench = new GroupBench({ settings: { groupInitialRebalanceDelayMs: 1_000 } })
  const lists = [{ range: 'a', sticky: 'b' }, { sticky: 'c', range: 'd' }, { sticky: 'e', range: 'f', other: 'g' }]
  const joins = lists.map((list, i) =>
    bench.join({ protocols: protocols(list) }, { memberId: `m-${i}`, clientVersion: 3 }))
  await bench.runtime.settle()
  assert.equal((await bench.now(bench.join({ protocols: protocols({ other: 'x' }) }))).errorCode, 23)
  assert.equal((await bench.now(bench.join({ protocolType: 'connect' }))).errorCode, 23)
  await bench.runtime.advance(2_000)
  const [leader] = await Promise.all(joins)
  assert.equal(leader!.protocolName, 'sticky')
  assert.deepEqual(leader!.members.map(({ metadata }) => text(metadata)), ['b', 'c', 'e'])
})

test('group-join: a follower that asks again in a stable group gets the current generation, a leader a new one (PROTOCOL 39)', async () => {
  const bench = new GroupBench()
  const { memberId: leader } = await bench.stableGroup()
  const follower = await bench.newMember()
  await bench.now(bench.join({ memberId: leader }))
  await bench.now(follower.joined)
  await bench.now(bench.sync({ memberId: leader, generationId: 2 }))
  const again = await bench.now(bench.join({ memberId: follower.memberId }))
  assert.deepEqual([again.errorCode, again.generationId, again.members.length], [0, 2, 0])
  const rebalance = bench.join({ memberId: leader })
  await bench.runtime.settle()
  assert.equal((await bench.describe()).groupState, 'PreparingRebalance')
  await bench.now(bench.join({ memberId: follower.memberId }))
  assert.equal((await bench.now(rebalance)).generationId, 3)
})

test('group-join: the same call sent again is the same call, waiting or answered (PROTOCOL 46)', async () => {
  const bench = new GroupBench({ settings: { groupInitialRebalanceDelayMs: 1_000 } })
  const options = { memberId: 'old-1', clientVersion: 3, requestId: 'r' }
  const [first, second] = [bench.join({}, options), bench.join({}, options)]
  await bench.runtime.advance(1_001)
  assert.deepEqual(await bench.now(first), await bench.now(second))
  const third = await bench.now(bench.join({}, options))
  assert.deepEqual([third.memberId, third.generationId], ['old-1', 1])
  await bench.now(bench.sync({ memberId: 'old-1', assignments: [{ memberId: 'old-1', assignment: Buffer.from('x') }] }))
  assert.equal((await bench.now(bench.join({}, options))).generationId, 1) // no rebalance, though it leads
  assert.equal((await bench.describe()).groupState, 'Stable')
})

test('group-join: a client that hangs up while it waits does not wedge the group (PROTOCOL 46)', async () => {
  const bench = new GroupBench()
  const { memberId } = await bench.stableGroup()
  const hangUp = new AbortController()
  const { memberId: lost } = await bench.now(bench.join({}))
  const joining = bench.join({ memberId: lost }, { signal: hangUp.signal })
  joining.catch(() => {})
  await bench.runtime.settle()
  hangUp.abort(new Error('gone'))
  await bench.runtime.settle()
  const again = bench.join({ memberId })
  await bench.runtime.advance(9_999)
  assert.equal((await bench.describe()).groupState, 'PreparingRebalance') // it may come back under its id
  await bench.runtime.advance(2)
  const joined = await bench.now(again)
  assert.deepEqual([joined.generationId, joined.members.length], [2, 1])
})

test('group-join: a static member that comes back gets a new id and keeps its assignment; the old id is fenced (PROTOCOL 42)', async () => {
  const bench = new GroupBench()
  const list = (topics: readonly string[], rest = ''): ReturnType<typeof protocols> =>
    [{ name: 'range', metadata: subscription(topics, rest) }]
  const first = await bench.now(bench.join({ groupInstanceId: 'i', protocols: list(['t']) }, { memberId: 'i-1' }))
  assert.deepEqual([first.errorCode, first.memberId, first.generationId], [0, 'i-1', 1]) // no MEMBER_ID_REQUIRED
  await bench.now(bench.sync(
    { memberId: 'i-1', groupInstanceId: 'i', assignments: [{ memberId: 'i-1', assignment: Buffer.from('p0') }] }
  ))

  const owned = list(['t'], 'owned partitions')
  const back = await bench.now(bench.join({ groupInstanceId: 'i', protocols: owned }, { memberId: 'i-2' }))
  assert.deepEqual([back.errorCode, back.memberId, back.generationId], [0, 'i-2', 1])
  assert.deepEqual([back.leader, back.skipAssignment, back.members.length], ['i-2', true, 1])
  const synced = await bench.now(bench.sync({ memberId: 'i-2', groupInstanceId: 'i' }))
  assert.equal(text(synced.assignment), 'p0')

  assert.equal((await bench.now(bench.join({ memberId: 'i-1', groupInstanceId: 'i' }))).errorCode, 82)
  assert.equal(await bench.heartbeat('i-1', 1, 'i'), 82)
  assert.equal((await bench.now(bench.sync({ memberId: 'i-1', groupInstanceId: 'i' }))).errorCode, 82)
  bench.takeOver() // the new id is durable
  assert.equal(await bench.heartbeat('i-2', 1, 'i'), 0)

  const v8 =
    await bench.now(bench.join({ groupInstanceId: 'i', protocols: list(['t']) }, { memberId: 'i-3', clientVersion: 8 }))
  assert.deepEqual([v8.memberId, v8.leader, v8.skipAssignment, v8.members.length], ['i-3', 'i-2', false, 0])
})

test('group-join: a static member that wants other topics makes the group rebalance (PROTOCOL 42)', async () => {
  const bench = new GroupBench()
  const list = (topics: readonly string[]): ReturnType<typeof protocols> =>
    [{ name: 'range', metadata: subscription(topics) }]
  await bench.now(bench.join({ groupInstanceId: 'i', protocols: list(['t']) }, { memberId: 'i-1' }))
  await bench.now(bench.sync({ memberId: 'i-1', groupInstanceId: 'i' }))
  const back = await bench.now(bench.join({ groupInstanceId: 'i', protocols: list(['t', 'u']) }, { memberId: 'i-2' }))
  assert.deepEqual([back.generationId, back.leader, back.skipAssignment], [2, 'i-2', false])
})

test('group-join: a full group takes no more members (named bound)', async () => {
  const bench = new GroupBench({ settings: { groupSizeMax: 1, groupMemberBytesMax: 100, groupCountMax: 1 } })
  await bench.stableGroup()
  assert.equal((await bench.now(bench.join({}, { clientVersion: 3 }))).errorCode, 81)
  assert.equal((await bench.now(bench.join({ protocols: protocols({ range: 'x'.repeat(100) }) }))).errorCode, 10)
  await assert.rejects(bench.now(bench.join({ groupId: 'another' })), { errorCode: 15 })
})
