/**
 * A folder of this process alone: made, proved writable, and locked by the operating system, so that a process that is
 * killed leaves no lock behind. Node has no lock call of its own: an exclusive transaction of SQLite on a file is one
 * (fcntl on Unix, LockFileEx on Windows); nothing is ever written to it.
 */
import { DatabaseSync } from 'node:sqlite'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { makeFolderDurably, type Files } from '#shared/runtime/files.ts'

const SQLITE_BUSY = 5
const PROBE = '.probe'

const held = new Set<DatabaseSync>() // a lock that nobody refers to would be collected, and with it given back

/**
 * Locks `path` (absolute) by its file `lockName`.
 * @returns what gives it back. @throws ZonewiseError DATA_FOLDER_UNUSABLE, DATA_FOLDER_LOCKED
 */
export async function takeFolder(files: Files, path: string, lockName: string): Promise<() => void> {
  try {
    await makeFolderDurably(files, path)
    await proveWritable(files, path)
  } catch (cause) {
    throw folderUnusable(path, cause)
  }
  return takeLock(path, lockName)
}

export function folderUnusable(path: string, cause: unknown): ZonewiseError {
  const errno = cause instanceof ZonewiseError ? cause.context['errno'] : undefined
  return new ZonewiseError('DATA_FOLDER_UNUSABLE', 'the data folder cannot be used', { path, errno }, cause)
}

async function proveWritable(files: Files, path: string): Promise<void> {
  const probe = `${path}/${PROBE}-${process.pid}`
  await files.remove(probe)
  const file = await files.create(probe)
  try {
    await file.write(0, [new Uint8Array(1)])
  } finally {
    await file.close()
    await files.remove(probe)
  }
}

function takeLock(path: string, name: string): () => void {
  let database: DatabaseSync | null = null
  try {
    database = new DatabaseSync(`${path}/${name}`)
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (cause) {
    database?.close()
    if ((cause as { errcode?: number }).errcode === SQLITE_BUSY)
      throw new ZonewiseError('DATA_FOLDER_LOCKED', 'another process uses the data folder', { path }, cause)
    throw folderUnusable(path, cause)
  }
  const lock = database
  held.add(lock)
  return () => { if (held.delete(lock)) lock.close() }
}
