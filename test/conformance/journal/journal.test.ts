import { after } from 'node:test'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import type { Journal } from '#shared/journal/journal.ts'
import { type JournalFaults, MemoryJournal, MemoryJournalMedium } from '#shared/journal/memory-journal.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { type JournalUnderTest, journalSuite } from './journal-suite.ts'

const awake = setInterval(() => {}, 1_000) // timers of the runtime do not keep the process alive
after(() => { clearInterval(awake) })

function memory(name: string, faults: JournalFaults): JournalUnderTest {
  const media = new WeakMap<Journal, MemoryJournalMedium>()
  const openOn = (medium: MemoryJournalMedium): Journal => {
    const journal = new MemoryJournal(medium, { chance: new Rng(11), timer: nodeRuntime.timer, faults })
    media.set(journal, medium)
    return journal
  }
  return {
    name,
    open: async () => openOn(new MemoryJournalMedium()),
    reopen: async (journal) => {
      await journal.close()
      return openOn(media.get(journal)!)
    }
  }
}

journalSuite(memory('memory', { delayMsMax: 0, errorBeforePerMille: 0, errorAfterPerMille: 0 }))
journalSuite(memory('faulty memory', { delayMsMax: 2, errorBeforePerMille: 100, errorAfterPerMille: 100 }))
