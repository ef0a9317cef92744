/** What every journal asserts of its appends, whatever it does with them. */
import assert from 'node:assert/strict'
import type { AppendOutcome, Position, ShardJournal } from './journal.ts'

/** An append of which at most one is in flight, behind a position of its own epoch. */
export function oneAppend(
  append: (after: Position, body: readonly Uint8Array[]) => Promise<AppendOutcome>
): ShardJournal['append'] {
  let appending = false
  return async (epoch, after, body) => {
    assert(!appending, 'one append of a shard at a time')
    assert(after.epoch === epoch)
    appending = true
    try {
      return await append(after, body)
    } finally {
      appending = false
    }
  }
}
