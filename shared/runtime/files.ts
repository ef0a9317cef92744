/**
 * Files as an argument: what the file store and the file journal need of a disk, and no more.
 * Paths are absolute and `/`-separated. Nothing here is durable before the `sync` that follows it.
 * @throws ZonewiseError from every call, with the path in the context: STORE_FULL (no space), STORE_REFUSED (permission,
 * read-only, a folder where a file is wanted), STORE_UNAVAILABLE (everything else).
 */
export type FileInfo = { readonly bytes: number; readonly modifiedMs: number; readonly folder: boolean }
export type FolderEntry = { readonly name: string; readonly folder: boolean }

export type OpenFile = {
  readonly path: string
  /**
   * Bytes [position, position + length), fewer where the file ends. The caller owns the result; with `into`, which has
   * room for all, it is a view of that.
   */
  read(position: number, length: number, into?: Uint8Array): Promise<Uint8Array>
  /** Writes all of `chunks`, by reference, back to back from `position`. */
  write(position: number, chunks: readonly Uint8Array[]): Promise<void>
  /** Makes content and size durable (fdatasync). */
  sync(): Promise<void>
  bytes(): Promise<number>
  close(): Promise<void>
}

export type Files = {
  /** Opens what exists; null: there is no such file. */
  open(path: string, access: 'read' | 'write'): Promise<OpenFile | null>
  /** Makes a new file for reading and writing. @throws ZonewiseError STORE_REFUSED: there is one already. */
  create(path: string): Promise<OpenFile>
  /** A second name for a file, atomically; false: the name is taken. */
  link(from: string, to: string): Promise<boolean>
  /** Replaces `to` atomically. */
  rename(from: string, to: string): Promise<void>
  /** false: there was none. */
  remove(path: string): Promise<boolean>
  /** Makes a folder and those above it; one that exists is fine. */
  makeFolder(path: string): Promise<void>
  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>
  /** Entries, unordered; null: there is no such folder. */
  readFolder(path: string): Promise<FolderEntry[] | null>
  info(path: string): Promise<FileInfo | null>
  /** Bytes that an unprivileged process may still write to the disk of `path`. */
  freeBytes(path: string): Promise<number>
}

/** Makes a folder and those above it, and makes the names of all that were not there durable. */
export async function makeFolderDurably(files: Files, path: string): Promise<void> {
  const made: string[] = [] // folders that got a new name
  for (let at = path; at.includes('/') && await files.info(at) === null; at = at.slice(0, at.lastIndexOf('/')))
    made.push(at.slice(0, at.lastIndexOf('/')) || '/')
  await files.makeFolder(path)
  for (const folder of made) await files.syncFolder(folder)
}

/** Replaces the small file `path` atomically and durably: temporary file, sync, rename, sync of the folder. */
export async function replaceFile(files: Files, folder: string, name: string, content: Uint8Array): Promise<void> {
  const temporary = `${folder}/.${name}.tmp`
  await files.remove(temporary)
  const file = await files.create(temporary)
  try {
    await file.write(0, [content])
    await file.sync()
  } finally {
    await file.close()
  }
  await files.rename(temporary, `${folder}/${name}`)
  await files.syncFolder(folder)
}

/** The whole content of a small file; null: there is no such file. */
export async function readWholeFile(files: Files, path: string): Promise<Uint8Array | null> {
  const file = await files.open(path, 'read')
  if (file === null) return null
  try {
    return await file.read(0, await file.bytes())
  } finally {
    await file.close()
  }
}
