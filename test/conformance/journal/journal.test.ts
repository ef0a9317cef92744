import { after } from 'node:test'
import { nodeFiles } from '#cli/platform/node-files.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { openFileJournal } from '#shared/journal/file-journal.ts'
import type { Journal } from '#shared/journal/journal.ts'
import { type JournalFaults, MemoryJournal, MemoryJournalMedium, NO_JOURNAL_FAULTS } from '#shared/journal/memory-journal.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
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

function file(name: string, sizes: { segmentBytes: number; frameBytesMax: number; recentBytesMax: number }): JournalUnderTest {
  const folders = new WeakMap<Journal, string>()
  const openIn = async (folder: string): Promise<Journal> => {
    const onFailure = (error: Error): void => { throw error }
    const journal = await openFileJournal({ files: nodeFiles, folder, runtime: nodeRuntime, onFailure, ...sizes })
    folders.set(journal, folder)
    return journal
  }
  return {
    name,
    open: () => openIn(`${temporaryFolder()}/journal`),
    reopen: async (journal) => {
      await journal.close()
      return openIn(folders.get(journal)!)
    }
  }
}

journalSuite(memory('memory', NO_JOURNAL_FAULTS))
journalSuite(memory('faulty memory', { ...NO_JOURNAL_FAULTS, delayMsMax: 2, errorBeforePerMille: 100, errorAfterPerMille: 100 }))
journalSuite(file('file', { segmentBytes: 1024 * 1024, frameBytesMax: 1024 * 1024, recentBytesMax: 1024 * 1024 }))
journalSuite(file('file, tiny segments, nothing in memory', { segmentBytes: 4_096, frameBytesMax: 512, recentBytesMax: 0 }))
