/**
 * The durable copy of a shard: state, index, position and running CRC. Takes groups only in exact succession, so that a
 * gap, a fork or a journal that lost its tail is noticed at once and nothing is ever skipped.
 */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { comparePositions, POSITION_NONE, positionText, type JournalGroup, type Position } from '#shared/journal/journal.ts'
import { isCommit, readCommitEntry } from '../partition/commit-entry.ts'
import { decodeGroup, type Entry } from './entry.ts'
import { applyIndexEntry, newShardIndex, type ShardIndex } from './shard-index.ts'
import { applyEntry, newShardState, type ShardState } from './shard-state.ts'

export type DurableShard = {
  readonly shard: number
  readonly state: ShardState
  readonly index: ShardIndex
  position: Position
  crc: number
}

export function newDurableShard(shard: number): DurableShard {
  return { shard, state: newShardState(), index: newShardIndex(), position: POSITION_NONE, crc: 0 }
}

export type Taken =
  | { readonly kind: 'applied'; readonly changed: ReadonlySet<number> } // local ids of partitions with new batches
  | { readonly kind: 'old' }
  | { readonly kind: 'gap' }

const OLD: Taken = { kind: 'old' }
const GAP: Taken = { kind: 'gap' }

/**
 * Applies `group` if it is the exact successor.
 * @throws ZonewiseError SHARD_QUARANTINED (fork, or a journal that lost what it acknowledged), FORMAT_TOO_NEW,
 * JOURNAL_CORRUPT: the shard must be quarantined.
 */
export function takeGroup(durable: DurableShard, group: JournalGroup): Taken {
  const { shard, position, crc } = durable
  const facts = { shard, have: positionText(position), got: positionText(group.position), follows: positionText(group.after) }
  if (comparePositions(group.position, position) <= 0) {
    if (comparePositions(group.position, position) === 0 && group.crc !== crc)
      throw new ZonewiseError('SHARD_QUARANTINED', 'journal holds another group at a position that was applied', facts)
    return OLD
  }
  const order = comparePositions(group.after, position)
  if (order > 0) return GAP
  if (order < 0) throw new ZonewiseError('SHARD_QUARANTINED', 'journal lost what it acknowledged', facts)
  if (group.afterCrc !== crc) throw new ZonewiseError('SHARD_QUARANTINED', 'journal does not continue what was applied', facts)
  const changed = new Set<number>()
  // The leader's own group has an empty body: nothing was decided in it.
  if (group.body.byteLength > 0) decodeGroup(group.body, (entry, timeMs) => apply(durable, entry, timeMs, changed))
  durable.position = group.position
  durable.crc = group.crc
  return { kind: 'applied', changed }
}

function apply(durable: DurableShard, entry: Entry, timeMs: number, changed: Set<number>): void {
  applyEntry(durable.state, entry, timeMs)
  applyIndexEntry(durable.index, entry)
  if (isCommit(entry)) readCommitEntry(entry, { partition: (localId) => { changed.add(localId) } })
}
