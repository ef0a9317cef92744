/**
 * Journal in memory, for tests and simulation. The medium outlives the nodes: several open one medium, as several
 * processes do with Redis. Faults: delays, an append that fails before or after it became durable, or becomes durable
 * later all the same, a crashed node.
 */
import assert from 'node:assert/strict'
import { ZonewiseError } from '../errors/zonewise-error.ts'
import { type Chance, sleep, type Timer } from '../runtime/runtime.ts'
import {
  type AppendOutcome, assertSameCluster, comparePositions, type Journal, type JournalEnd, type JournalGroup, type Position,
  POSITION_NONE, type ShardJournal, tailLost
} from './journal.ts'
import { oneAppend } from './one-append.ts'
import { NONCE_BYTES, runningCrc } from './running-crc.ts'

export type JournalFaults = {
  delayMsMax: number // of each call, half before and half after its effect; 0: none
  errorBeforePerMille: number // not settled, nothing happened
  errorAfterPerMille: number // not settled, but durable
  latePerMille: number // not settled, and done within LATE_MS_MAX; needs a timer
}

export const NO_JOURNAL_FAULTS: Readonly<JournalFaults> = { delayMsMax: 0, errorBeforePerMille: 0, errorAfterPerMille: 0, latePerMille: 0 }

const LATE_MS_MAX = 2_000

type Shard = { groups: JournalGroup[]; end: JournalEnd; readonly listeners: Set<(group: JournalGroup) => void> }

/** What would lie on disks. */
export class MemoryJournalMedium {
  readonly shards = new Map<number, Shard>()
  clusterId: string | null = null
}

/** `timer` is needed for delays only. */
export type MemoryJournalOptions = { readonly chance: Chance; readonly timer?: Timer; readonly faults?: Readonly<JournalFaults> }

/** One node's way to the medium. */
export class MemoryJournal implements Journal {
  /** May be changed at any time: the next call follows it. */
  readonly faults: JournalFaults
  readonly #medium: MemoryJournalMedium
  readonly #chance: Chance
  readonly #timer: Timer | undefined
  readonly #stops = new Set<() => void>()
  #closed = false
  #crashed = false

  constructor(medium: MemoryJournalMedium, { chance, timer, faults = NO_JOURNAL_FAULTS }: MemoryJournalOptions) {
    this.#medium = medium
    this.#chance = chance
    this.#timer = timer
    this.faults = { ...faults }
  }

  async shard(shard: number): Promise<ShardJournal> {
    assert(!this.#closed)
    const found = this.#medium.shards.get(shard)
    if (found === undefined) throw new ZonewiseError('JOURNAL_MISSING', 'a shard has no journal', { shard })
    return this.#open(shard, found)
  }

  async create(shard: number): Promise<void> {
    if (this.#medium.shards.has(shard)) return
    this.#medium.shards.set(shard, { groups: [], end: { position: POSITION_NONE, crc: 0 }, listeners: new Set() })
  }

  async clusterId(): Promise<string | null> {
    return this.#medium.clusterId
  }

  async setClusterId(clusterId: string): Promise<void> {
    assertSameCluster(this.#medium.clusterId, clusterId)
    this.#medium.clusterId = clusterId
  }

  /** The node is gone: what is not durable yet never will be, its calls never settle and its tails fall silent. */
  crash(): void {
    this.#crashed = true
    this.#stopTails()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#stopTails()
  }

  #stopTails(): void {
    for (const stop of this.#stops) stop()
  }

  #open(number: number, shard: Shard): ShardJournal {
    return {
      lead: (above, known = POSITION_NONE) => this.#call(() => {
        if (comparePositions(shard.end.position, known) < 0) throw tailLost(number, shard.end.position, known)
        const epoch = Math.max(above, shard.end.position.epoch) + 1
        return this.#add(shard, { epoch, seq: 0 }, [this.#chance.bytes(NONCE_BYTES)])
      }),

      append: oneAppend((after, body) => this.#call(() => this.#append(shard, after, body))),

      end: () => this.#call(() => shard.end),

      read: (after, { groupsMax, bytesMax }) => this.#call(() => {
        const groups: JournalGroup[] = []
        let bytes = 0
        for (let at = firstAbove(shard.groups, after); at < shard.groups.length && groups.length < groupsMax; at++) {
          const group = shard.groups[at]!
          bytes += group.body.byteLength
          if (groups.length > 0 && bytes > bytesMax) break
          groups.push(group)
        }
        return groups
      }),

      tail: (onGroup) => {
        const listener = (group: JournalGroup): void => { onGroup(group) } // the same function may listen twice
        const stop = (): void => { shard.listeners.delete(listener); this.#stops.delete(stop) }
        shard.listeners.add(listener)
        this.#stops.add(stop)
        return stop
      },

      trim: async (epoch, to) => {
        if (this.#crashed || epoch < shard.end.position.epoch) return
        shard.groups = shard.groups.slice(Math.min(firstAbove(shard.groups, to), Math.max(shard.groups.length - 1, 0)))
      }
    }
  }

  #append(shard: Shard, after: Position, body: readonly Uint8Array[]): AppendOutcome {
    const position = { epoch: after.epoch, seq: after.seq + 1 }
    if (comparePositions(shard.end.position, after) === 0) {
      const { crc } = this.#add(shard, position, body)
      return { kind: 'durable', position, crc }
    }
    const held = shard.groups[firstAbove(shard.groups, after)]
    const same = held !== undefined && comparePositions(held.position, position) === 0 &&
      Buffer.compare(held.body, Buffer.concat(body)) === 0
    return same ? { kind: 'durable', position, crc: held.crc } : { kind: 'fenced', end: shard.end }
  }

  #add(shard: Shard, position: Position, stored: readonly Uint8Array[]): JournalEnd {
    const { position: after, crc: afterCrc } = shard.end
    const crc = runningCrc(afterCrc, position, stored)
    const body = position.seq === 0 ? new Uint8Array(0) : new Uint8Array(Buffer.concat(stored))
    const group = { position, after, afterCrc, crc, body }
    shard.groups.push(group)
    shard.end = { position, crc }
    for (const listener of shard.listeners) listener(group)
    return shard.end
  }

  async #call<T>(effect: () => T): Promise<T> {
    if (this.#timer !== undefined && this.#happens(this.faults.latePerMille)) {
      this.#timer.after(1 + this.#chance.below(LATE_MS_MAX), effect)
      throw new ZonewiseError('JOURNAL_UNSETTLED', 'injected error of a call that happens later')
    }
    await this.#delay()
    if (this.#happens(this.faults.errorBeforePerMille))
      throw new ZonewiseError('JOURNAL_UNSETTLED', 'injected error before the call')
    const result = effect()
    await this.#delay()
    if (this.#happens(this.faults.errorAfterPerMille))
      throw new ZonewiseError('JOURNAL_UNSETTLED', 'injected loss of the reply')
    return result
  }

  async #delay(): Promise<void> {
    if (this.faults.delayMsMax > 0 && this.#timer !== undefined)
      await sleep(this.#timer, this.#chance.below(this.faults.delayMsMax + 1) / 2)
    if (this.#crashed) await new Promise<never>(() => {})
  }

  #happens(perMille: number): boolean {
    return perMille > 0 && this.#chance.below(1_000) < perMille
  }
}

/** Index of the first group above `position`. */
function firstAbove(groups: readonly JournalGroup[], position: Position): number {
  let [low, high] = [0, groups.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (comparePositions(groups[middle]!.position, position) <= 0) low = middle + 1
    else high = middle
  }
  return low
}
