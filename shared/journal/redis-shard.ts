/**
 * One shard's journal on its Redis Stream. The newest end and its predecessor are remembered, because an append needs
 * the running CRC of what it follows; whatever is not remembered is read again.
 */
import assert from 'node:assert/strict'
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { RedisArgument, RedisScript, RedisValue } from '../runtime/redis.ts'
import type { Chance } from '../runtime/runtime.ts'
import {
  type AppendOutcome, comparePositions, type JournalEnd, type JournalGroup, type Position, POSITION_NONE,
  type ShardJournal, tailLost
} from './journal.ts'
import { oneAppend } from './one-append.ts'
import { decodeEnd, decodeEntry, encodeHeader, entryId } from './redis-entry.ts'
import { type PaceGoal, ReadPace } from './redis-read-pace.ts'
import { bytesOf, fieldOf, listOf } from './redis-replies.ts'
import { APPEND_SCRIPT, END_SCRIPT, LEAD_SCRIPT, TRIM_SCRIPT } from './redis-scripts.ts'
import { NONCE_BYTES, runningCrc } from './running-crc.ts'

const LEADS_MAX = 16 // lost races for one take-over before the caller is told to come again
const NONE: JournalEnd = { position: POSITION_NONE, crc: 0 }

/** Calls that concern one stream; error replies and lost ones are thrown. @throws ZonewiseError JOURNAL_UNSETTLED */
export type StreamCalls = {
  run(script: RedisScript, args: readonly RedisArgument[]): Promise<RedisValue>
  call(command: string, args: readonly RedisArgument[]): Promise<RedisValue>
}

export type RedisShardParts = {
  readonly shard: number
  readonly key: string
  readonly calls: StreamCalls
  readonly chance: Chance
  readonly pace: PaceGoal
  readonly trimGroupsMax: number
  /** Follows the stream from behind `after` on. */
  readonly follow: (after: Position, onGroup: (group: JournalGroup) => void) => () => void
}

export class RedisShard {
  readonly #parts: RedisShardParts
  readonly #pace: ReadPace
  #newest: JournalEnd = NONE // as far as this process has seen
  #before: JournalEnd = NONE // what the newest append of this process followed: its repetition needs the CRC again

  constructor(parts: RedisShardParts) {
    this.#parts = parts
    this.#pace = new ReadPace(parts.pace)
  }

  /** Learns where the stream ends, for `tail`. @throws ZonewiseError JOURNAL_UNSETTLED */
  async look(): Promise<void> {
    const reply = await this.#parts.calls.run(END_SCRIPT, [])
    if (reply !== null) this.#saw(this.#endOf(reply)) // a stream that is missing is said by whatever is asked next
  }

  handle(): ShardJournal {
    return {
      lead: (above, known = POSITION_NONE) => this.#lead(above, known),
      append: oneAppend((after, body) => this.#append(after, body)),
      end: () => this.#end(),
      read: (after, bounds) => this.#read(after, bounds),
      tail: (onGroup) => this.#parts.follow(this.#newest.position, (group) => {
        this.#saw(group)
        onGroup(group)
      }),
      trim: (epoch, to) => this.#trim(epoch, to)
    }
  }

  async #lead(above: number, known: Position): Promise<JournalEnd> {
    const { shard, calls, chance } = this.#parts
    let epoch = Math.max(above, known.epoch) + 1
    for (let attempt = 0; attempt < LEADS_MAX; attempt++) {
      assert(Number.isSafeInteger(epoch))
      const nonce = chance.bytes(NONCE_BYTES)
      const reply = await calls.run(LEAD_SCRIPT, [epoch, nonce, entryId(known)])
      if (reply === null) throw this.#missing()
      const last = this.#endOf(reply)
      const position = { epoch, seq: 0 }
      if (fieldOf(reply, 2) === 1) return this.#saw({ position, crc: runningCrc(last.crc, position, [nonce]) })
      if (comparePositions(last.position, known) < 0) throw tailLost(shard, last.position, known)
      epoch = Math.max(above, last.position.epoch) + 1
    }
    throw new ZonewiseError('JOURNAL_UNSETTLED', 'others take over the shard again and again', { shard, epoch })
  }

  async #append(after: Position, body: readonly Uint8Array[]): Promise<AppendOutcome> {
    const afterCrc = this.#crcOf(after) ?? await this.#findCrc(after)
    if (afterCrc === null) return { kind: 'fenced', end: await this.#end() }
    const position = { epoch: after.epoch, seq: after.seq + 1 }
    const crc = runningCrc(afterCrc, position, body)
    this.#before = { position: after, crc: afterCrc }
    const value = [encodeHeader(afterCrc, crc), ...body]
    const reply = await this.#parts.calls.run(APPEND_SCRIPT, [entryId(after), entryId(position), value])
    if (reply === null) throw this.#missing()
    if (reply !== 1) return { kind: 'fenced', end: this.#saw(this.#endOf(reply)) }
    this.#saw({ position, crc })
    return { kind: 'durable', position, crc }
  }

  async #end(): Promise<JournalEnd> {
    const reply = await this.#parts.calls.run(END_SCRIPT, [])
    if (reply === null) throw this.#missing()
    return this.#saw(this.#endOf(reply))
  }

  async #read(after: Position, bounds: Parameters<ShardJournal['read']>[1]): Promise<JournalGroup[]> {
    const { groupsMax, bytesMax } = bounds
    const groups: JournalGroup[] = []
    let bytes = 0
    let from = after
    while (groups.length < groupsMax) {
      const count = this.#pace.count(bytesMax - bytes)
      const entries = await this.#entries(`(${entryId(from)}`, count)
      const before = groups.at(-1)
      if (before !== undefined && entries[0] !== undefined && !isLinked(before, entries[0])) return groups // trimmed
      for (const group of entries) {
        bytes += group.body.byteLength
        if (groups.length === groupsMax || (groups.length > 0 && bytes > bytesMax)) return groups
        groups.push(group)
      }
      if (entries.length < count) break
      from = entries.at(-1)!.position
    }
    // Nothing above a position and nothing at all look alike.
    if (groups.length === 0 && await this.#parts.calls.call('EXISTS', [this.#parts.key]) === 0) throw this.#missing()
    return groups
  }

  async #trim(epoch: number, to: Position): Promise<void> {
    const { calls, trimGroupsMax } = this.#parts
    const from = entryId({ epoch: to.epoch, seq: to.seq + 1 })
    // Whole nodes of the stream first, in bounded steps; what is left of the last node then costs little.
    let trimmed: RedisValue = 1
    while (trimmed !== 0 && trimmed !== null) trimmed = await calls.run(TRIM_SCRIPT, [epoch, from, trimGroupsMax])
    await calls.run(TRIM_SCRIPT, [epoch, from, 0])
  }

  /**
   * One reply: a trim takes the oldest only, so each entry in it follows the one before.
   * @throws ZonewiseError JOURNAL_CORRUPT, FORMAT_TOO_NEW
   */
  async #entries(start: string, count: number): Promise<JournalGroup[]> {
    const { calls, key } = this.#parts
    const reply = await calls.call('XRANGE', [key, start, '+', 'COUNT', count])
    const groups: JournalGroup[] = []
    for (const entry of listOf(reply)) {
      const group = decodeEntry(bytesOf(fieldOf(entry, 0)), bytesOf(fieldOf(fieldOf(entry, 1), 1)), key)
      if (group !== null) groups.push(group)
    }
    for (let at = 1; at < groups.length; at++) this.#assertLinked(groups[at - 1]!, groups[at]!)
    this.#pace.took(groups)
    if (groups.length > 0) this.#saw(groups.at(-1)!)
    return groups
  }

  /** The CRC of the group at `after`, as the stream has it; null where it does not, so that nothing can follow it. */
  async #findCrc(after: Position): Promise<number | null> {
    const [first] = await this.#entries(entryId(after), 1)
    if (first === undefined) return null
    if (comparePositions(first.position, after) === 0) return first.crc
    return comparePositions(first.after, after) === 0 ? first.afterCrc : null
  }

  #crcOf(position: Position): number | null {
    if (comparePositions(position, this.#newest.position) === 0) return this.#newest.crc
    return comparePositions(position, this.#before.position) === 0 ? this.#before.crc : null
  }

  #saw<T extends JournalEnd>(end: T): T {
    const { position, crc } = end
    if (comparePositions(position, this.#newest.position) > 0) this.#newest = { position, crc }
    return end
  }

  #endOf(reply: RedisValue): JournalEnd {
    return decodeEnd(bytesOf(fieldOf(reply, 0)), bytesOf(fieldOf(reply, 1)), this.#parts.key)
  }

  #assertLinked(before: JournalGroup, group: JournalGroup): void {
    if (isLinked(before, group)) return
    const facts = { key: this.#parts.key, entry: entryId(group.position), behind: entryId(before.position) }
    throw new ZonewiseError('JOURNAL_CORRUPT', 'a journal entry in Redis does not follow the one before it', facts)
  }

  #missing(): ZonewiseError {
    const { shard, key } = this.#parts
    return new ZonewiseError('JOURNAL_MISSING', 'the journal of the shard is not in Redis any more', { shard, key })
  }
}

function isLinked(before: JournalGroup, group: JournalGroup): boolean {
  return comparePositions(group.after, before.position) === 0 && group.afterCrc === before.crc
}
