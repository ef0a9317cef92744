/** Counts appends and reads of one shard's journal in the ledger; everything else passes through. */
import type { Ledger, Place } from '../ledger/ledger.ts'
import type { ShardJournal } from './journal.ts'

export function measuredShardJournal(inner: ShardJournal, ledger: Ledger, zone: Place): ShardJournal {
  const written = ledger.cell(zone, 'journal', 'journal')
  const read = ledger.cell('journal', zone, 'journal')
  return {
    lead: (above, known) => {
      written.requests += 1
      return inner.lead(above, known)
    },
    append: (epoch, after, body) => {
      written.requests += 1
      for (const chunk of body) written.bytes += chunk.byteLength
      return inner.append(epoch, after, body)
    },
    end: () => {
      read.requests += 1
      return inner.end()
    },
    read: async (after, bounds) => {
      read.requests += 1
      const groups = await inner.read(after, bounds)
      for (const group of groups) read.bytes += group.body.byteLength
      return groups
    },
    tail: (onGroup) => inner.tail((group) => {
      read.bytes += group.body.byteLength
      onGroup(group)
    }),
    trim: (epoch, to) => {
      written.requests += 1
      return inner.trim(epoch, to)
    }
  }
}
