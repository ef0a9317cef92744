/**
 * A member of a consumer group as Kafka's clients are: joins, gets its partitions, reads on from what is committed,
 * beats and commits, joins again when told to, leaves, or dies without a word. A commit without an answer may still
 * happen: who made one comes back as another member, so that its generation is over before anyone reads on.
 */
import { API } from '#shared/wire/api-registry.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { Caller, type ClientParts } from './caller.ts'
import { ConnectionLost } from './connection.ts'
import { commitOffsets, fetchOffsets, type Owner } from './offsets.ts'
import { nameOf, REQUEST_MS, type Target } from './producer.ts'
import { allTargets, Follower } from './reader.ts'

const SESSION_MS = 1_500
const REBALANCE_MS = 2_000
const BEAT_MS = 300
const COMMIT_PER_MILLE = 300 // of the rounds of one stay
const LEAVE_PER_MILLE = 15
const DIE_PER_MILLE = 8
const PROTOCOL = { type: 'simulated', name: 'by turns' } as const

/** What ends a stay in a generation, and whether the member may come back under its id. */
type End = 'rejoin' | 'newcomer'
type Stay = { readonly owner: Owner; readonly targets: readonly Target[] }

/** Told to whom has lost its place; all else is tried again. */
const ENDS = new Map<number, End>([
  [KAFKA_ERROR.REBALANCE_IN_PROGRESS, 'rejoin'], [KAFKA_ERROR.ILLEGAL_GENERATION, 'rejoin'],
  [KAFKA_ERROR.UNKNOWN_MEMBER_ID, 'newcomer'],
  [KAFKA_ERROR.MEMBER_ID_REQUIRED, 'rejoin']
])

export class GroupMember {
  readonly caller: Caller // to its coordinator
  readonly #reading: Caller
  readonly #group: string
  #memberId = ''
  #stopping = false

  constructor(parts: ClientParts, group: string) {
    this.caller = new Caller(parts)
    this.#reading = new Caller({ ...parts, rng: parts.rng.fork() })
    this.#group = group
  }

  stop(): void {
    this.#stopping = true
  }

  async run(): Promise<void> {
    while (!this.#stopping) {
      let end: End = 'newcomer'
      try {
        const stay = await this.#enter()
        end = stay === null ? 'rejoin' : await this.#stay(stay)
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
      if (end === 'newcomer') this.#memberId = ''
      if (!this.#stopping) await this.caller.pause(200)
    }
  }

  /** Joins and gets its partitions; null: not this time. @throws ConnectionLost */
  async #enter(): Promise<Stay | null> {
    const { history, rng } = this.caller.parts
    const group = this.#group
    const joined = await this.caller.call(API.joinGroup, rng.pick([1, 3, 5, 6]), {
      groupId: group, sessionTimeoutMs: SESSION_MS, rebalanceTimeoutMs: REBALANCE_MS, memberId: this.#memberId,
      groupInstanceId: null,
      protocolType: PROTOCOL.type, protocols: [{ name: PROTOCOL.name, metadata: new Uint8Array([1]) }], reason: null
    }, REBALANCE_MS + REQUEST_MS)
    if (joined.errorCode !== 0) return this.#refused(joined.errorCode, 'JoinGroup', joined.memberId)
    const { generationId: generation, memberId, leader } = joined
    this.#memberId = memberId
    const members = joined.members.map((member) => member.memberId).sort()
    history.add({ kind: 'joined', group, member: memberId, generation, leader, members })
    const askedAt = history.events.length
    const synced = await this.caller.call(API.syncGroup, rng.pick([0, 1, 3, 4]), {
      groupId: group, generationId: generation, memberId, groupInstanceId: null, protocolType: null, protocolName: null,
      assignments: leader === memberId ? this.#assign(members) : []
    }, REBALANCE_MS + REQUEST_MS)
    if (synced.errorCode !== 0) return this.#refused(synced.errorCode, 'SyncGroup', memberId)
    const partitions = Buffer.from(synced.assignment).toString().split(' ').filter((name) => name !== '')
    history.add({ kind: 'assigned', group, member: memberId, generation, partitions, askedAt })
    return { owner: { group, generation, memberId }, targets: partitions.map(targetOf) }
  }

  #refused(errorCode: number, asked: string, memberId: string): null {
    const end = ENDS.get(errorCode)
    if (end === undefined) this.caller.again(errorCode, `${asked} of ${this.#group}`)
    this.#memberId = end === 'newcomer' ? '' : errorCode === KAFKA_ERROR.MEMBER_ID_REQUIRED ? memberId : this.#memberId
    return null
  }

  /** All partitions by turns. */
  #assign(members: readonly string[]): { readonly memberId: string; readonly assignment: Uint8Array }[] {
    const all = allTargets(this.caller.parts.topics).map(nameOf)
    return members.map((memberId, i) =>
      ({ memberId, assignment: Buffer.from(all.filter((_, at) => at % members.length === i).join(' ')) }))
  }

  /** @throws ConnectionLost: a commit may have no answer */
  async #stay({ owner, targets }: Stay): Promise<End> {
    const { rng, history, timer } = this.caller.parts
    const start = await this.#offsets(targets)
    if (start === null) return 'rejoin'
    const follower = new Follower(
      this.#reading,
      (target, offset) => { history.add({ kind: 'consumed', group: owner.group, partition: nameOf(target), offset }) },
      targets
    )
    for (const target of targets) follower.seek(target, Math.max(0, start.get(nameOf(target)) ?? 0))
    const committed = new Map(start)
    let [end, over]: [End | null, boolean] = [null, false]
    const beats = this.#beat(owner, () => over).then((told) => { end ??= told })
    try {
      while (end === null && !this.#stopping) {
        if (targets.length > 0) await follower.fetch().catch(ignoreLost)
        else await new Promise<void>((resolve) => { timer.after(BEAT_MS, resolve) })
        if (rng.below(1_000) < COMMIT_PER_MILLE) end ??= await this.#commit(owner, targets, follower, committed)
        if (rng.below(1_000) < LEAVE_PER_MILLE) end ??= await this.#leave(owner)
        else if (rng.below(1_000) < DIE_PER_MILLE) end ??= 'newcomer'
      }
      if (this.#stopping && end === null) await this.#commit(owner, targets, follower, committed)
    } finally {
      over = true
      await beats
    }
    return end ?? 'newcomer'
  }

  async #offsets(targets: readonly Target[]): Promise<Map<string, number> | null> {
    if (targets.length === 0) return new Map()
    const found = await fetchOffsets(this.caller, this.#group, targets)
    if (typeof found !== 'number') return found
    this.caller.again(found, 'OffsetFetch')
    return null
  }

  async #commit(
    owner: Owner, targets: readonly Target[], follower: Follower, committed: Map<string, number>
  ): Promise<End | null> {
    const news = targets.map((target) => ({ target, offset: follower.offset(target) }))
      .filter(({ target, offset }) => offset > Math.max(0, committed.get(nameOf(target)) ?? 0))
    if (news.length === 0) return null
    const errorCode = await commitOffsets(this.caller, owner, news)
    if (errorCode === 0) {
      for (const { target, offset } of news) committed.set(nameOf(target), offset)
      return null
    }
    const end = ENDS.get(errorCode)
    if (end === undefined) this.caller.again(errorCode, `OffsetCommit of ${this.#group}`)
    return end ?? 'newcomer' // it may have happened, or happen yet
  }

  async #beat({ group, generation, memberId }: Owner, isOver: () => boolean): Promise<End | null> {
    const { history, rng } = this.caller.parts
    while (!isOver()) {
      await this.caller.pause(BEAT_MS)
      if (isOver()) return null
      try {
        const askedMs = history.nowMs
        const { errorCode } = await this.caller.call(
          API.heartbeat, rng.pick([0, 1, 3, 4]),
          { groupId: group, generationId: generation, memberId, groupInstanceId: null }, REQUEST_MS
        )
        if (errorCode === 0) history.add({ kind: 'beat', group, member: memberId, generation, askedMs })
        else if (ENDS.has(errorCode)) return ENDS.get(errorCode)!
        else this.caller.again(errorCode, `Heartbeat of ${group}`)
      } catch (error) {
        ignoreLost(error)
      }
    }
    return null
  }

  async #leave({ group, memberId }: Owner): Promise<End> {
    const { errorCode } = await this.caller.call(API.leaveGroup, this.caller.parts.rng.pick([1, 3, 4]), {
      groupId: group, memberId, members: [{ memberId, groupInstanceId: null, reason: null }]
    }, REQUEST_MS)
    if (errorCode !== 0 && !ENDS.has(errorCode)) this.caller.again(errorCode, `LeaveGroup of ${group}`)
    return 'newcomer'
  }
}

function targetOf(name: string): Target {
  const slash = name.lastIndexOf('/')
  return { topic: name.slice(0, slash), partition: Number(name.slice(slash + 1)) }
}

function ignoreLost(error: unknown): false {
  if (!(error instanceof ConnectionLost)) throw error
  return false
}
