/**
 * Goal: whatever members do and however often the shard's leader changes, a generation is given once and rises, it has
 * one leader, every member that is told its assignment is told what that leader decided, no acknowledged commit is
 * lost, and the entries alone rebuild the state. Left alone, the group becomes stable.
 * Method: seeded members (dynamic and static) that live, hang up, fall silent, leave and commit in virtual time, on a
 * journal with delays and takeovers; checks on every answer; then calm.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  applyGroupEntry, decodeGroupsState, encodeGroupsState, newGroupsState, type GroupsState
} from '#broker/group/groups-state.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { sleep } from '#shared/runtime/runtime.ts'
import type { JoinGroupResponse } from '#shared/wire/api/join-group.ts'
import { seeds } from '#test/support/seeds.ts'
import {
  GroupBench, NotReached, SHARD, TOPIC, protocols, type CallOptions
} from '#test/unit/broker/group/group-bench.ts'

const MEMBERS = 5
const CHAOS_MS = 240_000
const CALM_MS = 120_000
const SESSION_MS = 10_000
const REBALANCE_MS = 15_000

type World = { readonly bench: GroupBench; readonly rng: Rng; readonly log: Observed; calm: boolean; over: boolean }

/** What members were told, checked as it comes. */
class Observed {
  readonly #leaders = new Map<number, string>() // name of the leader, by generation
  #newest = 0
  joined = 0
  synced = 0

  join(name: string, leaderName: string, { generationId, members }: JoinGroupResponse): void {
    const leader = this.#leaders.get(generationId)
    if (leader === undefined) {
      assert(generationId > this.#newest, `generation ${generationId} was first seen after ${this.#newest}`)
      this.#leaders.set(generationId, leaderName)
      this.#newest = generationId
    } else assert.equal(leaderName, leader, `generation ${generationId} has two leaders`)
    if (members.length > 0) assert.equal(name, this.#leaders.get(generationId))
    this.joined += 1
  }

  sync(name: string, generationId: number, assignment: Uint8Array): void {
    assert.equal(Buffer.from(assignment).toString(), `${generationId}:${this.#leaders.get(generationId)}:${name}`)
    this.synced += 1
  }
}

class Member {
  readonly #world: World
  readonly #rng: Rng
  readonly #partition: number
  readonly name: string
  readonly #instance: string | null
  #draws = 0
  #memberId = ''
  #acked = -1
  #maybe = new Set<number>() // commits without an answer since the newest one that was acknowledged
  stable = 0 // generation, 0: not stable

  constructor(world: World, index: number, seed: number) {
    this.#world = world
    this.#rng = new Rng(seed)
    this.#partition = index
    this.#instance = index % 2 === 0 ? null : `static${index}`
    this.name = this.#instance ?? `dynamic${index}`
  }

  async live(): Promise<void> {
    while (!this.#world.over) {
      this.stable = 0
      try {
        const joined = await this.#join()
        if (joined !== null && await this.#sync(joined)) await this.#work(joined.generationId)
      } catch (error) {
        if (!(error instanceof NotReached)) throw error
        assert([14, 15, 16].includes(error.errorCode), `code ${error.errorCode}`)
        await this.#pause(500)
      }
      // Falls silent, for long enough to be taken out or not, and perhaps without its memory.
      if (!this.#world.calm && this.#rng.below(4) === 0) {
        await this.#pause(2 * SESSION_MS)
        if (this.#rng.below(2) === 0) this.#memberId = ''
      }
    }
  }

  async #join(): Promise<JoinGroupResponse | null> {
    const metadata = this.#rng.below(4) === 0 ? `other${this.#rng.below(3)}` : 'same'
    const joined = await this.#world.bench.join({
      memberId: this.#memberId, groupInstanceId: this.#instance, sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
      protocols: protocols(
        this.#rng.below(2) === 0 ? { range: metadata, sticky: metadata } : { sticky: metadata, range: metadata }
      )
    }, {
      ...this.#options(), memberId: `${this.name}-${++this.#draws}`, clientVersion: this.#rng.below(3) === 0 ? 3 : 9
    })
    if (joined.errorCode === 79) this.#memberId = joined.memberId
    else if (joined.errorCode === 25 || joined.errorCode === 82) this.#memberId = ''
    else if (joined.errorCode !== 0) assert.equal(joined.errorCode, 27)
    if (joined.errorCode !== 0) {
      await this.#pause(200)
      return null
    }
    this.#memberId = joined.memberId
    this.#world.log.join(this.name, nameOf(joined.leader), joined)
    return joined
  }

  async #sync({ generationId, members, protocolName, skipAssignment }: JoinGroupResponse): Promise<boolean> {
    if (!this.#world.calm && this.#rng.below(10) === 0) return false
    if (!this.#world.calm && this.#rng.below(3) === 0) await this.#pause(1_000)
    const assignments = skipAssignment ? [] : members.map(({ memberId }) =>
      ({ memberId, assignment: Buffer.from(`${generationId}:${this.name}:${nameOf(memberId)}`) }))
    const { errorCode, assignment } = await this.#world.bench.sync({
      memberId: this.#memberId, groupInstanceId: this.#instance, generationId, protocolName, assignments
    }, this.#options())
    if (errorCode === 0) this.#world.log.sync(this.name, generationId, assignment)
    else assert([22, 25, 27, 82].includes(errorCode), `sync said ${errorCode}`)
    return errorCode === 0
  }

  /** Beats, commits, and at times leaves or asks to join again for nothing. */
  async #work(generationId: number): Promise<void> {
    this.stable = generationId
    while (!this.#world.over) {
      await this.#pause(3_000)
      if (!this.#world.calm) {
        const choice = this.#rng.below(20)
        if (choice === 0) return this.#leave()
        if (choice === 1) return
        if (choice < 10) await this.#commit(generationId)
      }
      const errorCode = await this.#beat(generationId)
      if (errorCode === 25 || errorCode === 82) this.#memberId = ''
      if (errorCode !== 0) return
    }
  }

  async #leave(): Promise<void> {
    await this.#world.bench.leave(
      this.#instance === null ? [{ memberId: this.#memberId }] : [{ memberId: '', groupInstanceId: this.#instance }]
    )
    this.#memberId = ''
  }

  #beat(generationId: number): Promise<number> {
    const member = { memberId: this.#memberId, groupInstanceId: this.#instance }
    return this.#world.bench.beat({ groupId: 'g', generationId, ...member })
  }

  /** Each member commits a partition of its own, so that it knows what must be there. */
  async #commit(generationId: number): Promise<void> {
    const offset = this.#rng.below(1_000_000)
    this.#maybe.add(offset)
    const errorCode = await this.#world.bench.commitOne(offset,
      { memberId: this.#memberId, generationId, partition: this.#partition, groupInstanceId: this.#instance })
    if (errorCode === 0) {
      this.#acked = offset
      this.#maybe.clear()
    } else this.#maybe.delete(offset)
    const { topics } = await this.#world.bench.fetchOne('g', [{ topicId: TOPIC, partitionIndexes: [this.#partition] }])
    this.checkCommitted(topics[0]!.partitions[0]!.committedOffset)
  }

  checkCommitted(offset: number): void {
    assert(offset === this.#acked || this.#maybe.has(offset), `${this.name}: offset ${offset} is not ${this.#acked}`)
  }

  get partition(): number {
    return this.#partition
  }

  /** Some calls are given up before they are answered. */
  #options(): CallOptions {
    if (this.#world.calm || this.#rng.below(5) !== 0) return {}
    const hangUp = new AbortController()
    this.#world.bench.runtime.timer.after(this.#rng.below(5_000), () => { hangUp.abort(new Error('hung up')) })
    return { signal: hangUp.signal }
  }

  #pause(msMax: number): Promise<void> {
    return sleep(this.#world.bench.runtime.timer, 1 + this.#rng.below(msMax))
  }
}

/** Leaders of the shard come and go, some of them between a join and its sync. */
async function takeOvers(world: World): Promise<void> {
  while (!world.calm) {
    await sleep(world.bench.runtime.timer, 1 + world.rng.below(8_000))
    world.bench.takeOver()
  }
}

/** Ids are drawn as `<name>-<number>`. */
function nameOf(memberId: string): string {
  return memberId.split('-')[0]!
}

/** Entry times are not kept by the journal twin. */
function withoutTimes(state: GroupsState): unknown {
  return Array.from(state.groups.values(), (group) => ({
    ...group, emptySinceMs: 0,
    offsets: Array.from(group.offsets, ([topicId, partitions]) =>
      [topicId, Array.from(partitions, ([partition, committed]) => [partition, { ...committed, committedMs: 0 }])])
  }))
}

let [joined, synced] = [0, 0]

for (const seed of seeds(15)) {
  test(`group: generations rise, have one leader, and nothing acknowledged is lost (seed ${seed})`, async () => {
    const bench =
      new GroupBench({ seed, appendMsMax: 5, settings: { groupInitialRebalanceDelayMs: seed % 2 === 0 ? 0 : 1_000 } })
    const world: World = { bench, rng: new Rng(seed), log: new Observed(), calm: false, over: false }
    const members = Array.from({ length: MEMBERS }, (_, index) => new Member(world, index, seed * 1_000 + index))
    const lives = members.map((member) => member.live())
    const failed = Promise.all([...lives, takeOvers(world)])
    failed.catch(() => {})

    await Promise.race([failed, bench.runtime.advance(CHAOS_MS)])
    world.calm = true
    await Promise.race([failed, bench.runtime.advance(CALM_MS)])
    const generations = new Set(members.map((member) => member.stable))
    assert.equal(generations.size, 1, 'left alone, all members are in one generation')
    assert(!generations.has(0))

    world.over = true
    await Promise.race([failed, bench.runtime.advance(60_000)])
    await failed
    for (const member of members) member.checkCommitted(await bench.committed('g', TOPIC, member.partition))

    const durable = bench.shards.state(SHARD).groups
    const rebuilt = newGroupsState()
    for (const entry of bench.shards.entries(SHARD)) applyGroupEntry(rebuilt, entry, 0)
    assert.deepEqual(withoutTimes(rebuilt), withoutTimes(durable))
    assert.deepEqual(decodeGroupsState(Buffer.concat(encodeGroupsState(durable))), durable)
    joined += world.log.joined
    synced += world.log.synced
  })
}

test('group: the members of the seeds above came to something', () => {
  assert(joined > 100 && synced > 50, `${joined} joins, ${synced} syncs`)
})
