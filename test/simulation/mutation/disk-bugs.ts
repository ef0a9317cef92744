/** Bugs of whoever writes files: what is not synced is gone after a crash. */
import type { OpenFile } from '#shared/runtime/files.ts'
import { DiskFiles } from '../engine/disk-files.ts'
import { patch, type Undo } from './patch.ts'

/** A journal that takes what is written for durable. */
export function leaveJournalUnsynced(): Undo {
  const withoutSync = (file: OpenFile): OpenFile =>
    (file.path.startsWith('/data/journal/') ? { ...file, sync: async () => {} } : file)
  const undoOpen = patch(DiskFiles.prototype, 'open', (original) => async function (this: DiskFiles, path) {
    const file = await original.call(this, path)
    return file === null ? null : withoutSync(file)
  })
  const undoCreate = patch(DiskFiles.prototype, 'create', (original) => async function (this: DiskFiles, path) {
    return withoutSync(await original.call(this, path))
  })
  return () => { undoOpen(); undoCreate() }
}

/** A store that takes the names of its objects for durable. */
export function leaveNamesUnsynced(): Undo {
  return patch(DiskFiles.prototype, 'syncFolder', (original) => async function (this: DiskFiles, path) {
    if (!path.startsWith('/data/store/chunks/')) await original.call(this, path)
  })
}
