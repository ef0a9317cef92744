/**
 * The data folder of a process: made, proved writable, and locked by the operating system, so that a process that is
 * killed leaves no lock behind. Node has no lock call of its own: an exclusive transaction of SQLite on the file
 * `lock` is one (fcntl on Unix, LockFileEx on Windows); nothing is ever written to it.
 */
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { type Files, readWholeFile, replaceFile } from '#shared/runtime/files.ts'

const FORMAT = 1
const FORMAT_NAME = 'format.json'
const SQLITE_BUSY = 5

const held = new Set<DatabaseSync>() // a lock that nobody refers to would be collected, and with it given back

export type DataFolder = {
  readonly path: string // absolute
  /** The cluster whose data is here; null: the folder is new. */
  readonly clusterId: string | null
  /** Writes the id once. @throws ZonewiseError CLUSTER_MISMATCH: the folder is of another cluster. */
  claim(clusterId: string): Promise<void>
  /** Gives the lock back. */
  close(): void
}

/** @throws ZonewiseError DATA_FOLDER_UNUSABLE, DATA_FOLDER_LOCKED, FORMAT_TOO_NEW */
export async function openDataFolder(files: Files, folder: string): Promise<DataFolder> {
  const path = resolve(folder)
  try {
    await files.makeFolder(path)
    await proveWritable(files, path)
  } catch (cause) {
    throw unusable(path, cause)
  }
  const lock = takeLock(path)
  try {
    let clusterId = await readFormat(files, path)
    return {
      path,
      get clusterId() { return clusterId },
      async claim(id) {
        if (clusterId !== null && clusterId !== id)
          throw new ZonewiseError('CLUSTER_MISMATCH', 'the data folder is of another cluster', { path, folder: clusterId, cluster: id })
        if (clusterId !== null) return
        const text = `${JSON.stringify({ format: FORMAT, clusterId: id })}\n`
        await replaceFile(files, path, FORMAT_NAME, new TextEncoder().encode(text))
        clusterId = id
      },
      close() { giveBack(lock) }
    }
  } catch (error) {
    giveBack(lock)
    throw error
  }
}

function unusable(path: string, cause: unknown): ZonewiseError {
  const errno = cause instanceof ZonewiseError ? cause.context['errno'] : undefined
  return new ZonewiseError('DATA_FOLDER_UNUSABLE', 'the data folder cannot be used', { path, errno }, cause)
}

async function proveWritable(files: Files, path: string): Promise<void> {
  const probe = `${path}/.probe-${process.pid}`
  await files.remove(probe)
  const file = await files.create(probe)
  try {
    await file.write(0, [new Uint8Array(1)])
  } finally {
    await file.close()
    await files.remove(probe)
  }
}

function takeLock(path: string): DatabaseSync {
  let database: DatabaseSync | null = null
  try {
    database = new DatabaseSync(`${path}/lock`)
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    held.add(database)
    return database
  } catch (cause) {
    database?.close()
    if ((cause as { errcode?: number }).errcode === SQLITE_BUSY)
      throw new ZonewiseError('DATA_FOLDER_LOCKED', 'another process uses the data folder', { path }, cause)
    throw unusable(path, cause)
  }
}

function giveBack(lock: DatabaseSync): void {
  if (held.delete(lock)) lock.close()
}

async function readFormat(files: Files, path: string): Promise<string | null> {
  const bytes = await readWholeFile(files, `${path}/${FORMAT_NAME}`)
  if (bytes === null) return null
  let content: { format?: unknown; clusterId?: unknown }
  try {
    content = JSON.parse(new TextDecoder().decode(bytes)) as typeof content
  } catch (cause) {
    throw unusable(`${path}/${FORMAT_NAME}`, cause)
  }
  if (typeof content.format !== 'number' || typeof content.clusterId !== 'string')
    throw unusable(`${path}/${FORMAT_NAME}`, null)
  if (content.format > FORMAT)
    throw new ZonewiseError('FORMAT_TOO_NEW', 'the data folder has a newer format', { path, format: content.format, known: FORMAT })
  return content.clusterId
}
