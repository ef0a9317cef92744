/**
 * Object store in a folder: key -> path below the root, of one process or `shared` by several. An object appears whole
 * or not at all:
 * it is written and synced under `.tmp/`, then gets its name by link (create) or rename (replace), and the call
 * resolves when the name is durable too. A file system cannot hold both `a` and `a/b`: the second is STORE_REFUSED.
 */
import assert from 'node:assert/strict'
import { release, type MemoryPool } from '../binary/memory-pool.ts'
import { ZonewiseError } from '../errors/zonewise-error.ts'
import { makeFolderDurably, type Files, type OpenFile } from '../runtime/files.ts'
import { FolderSyncer } from './folder-syncer.ts'
import { HandleCache } from './handle-cache.ts'
import { checkKey, checkPrefix, isKey, LIST_MAX } from './key.ts'
import type { ByteRange, ObjectInfo, ObjectStore } from './object-store.ts'

const TEMPORARY = '.tmp'
const STATS_IN_FLIGHT = 32
const STALE_MS = 60 * 60 * 1_000 // no write takes so long: where others are at work, only older files are left-overs

export type FileStoreOptions = {
  readonly files: Files
  readonly root: string // absolute
  readonly handlesMax: number // files kept open for ranged reads
  /** Other processes have the folder open, too: a name that none of them has, and the time now. */
  readonly shared?: { readonly name: string; readonly nowMs: number }
}

/** Opens the store, making its folder where there is none, and sweeps what a crash left half-written. */
export async function openFileStore(options: FileStoreOptions): Promise<ObjectStore> {
  const { files, root, shared } = options
  const temporary = `${root}/${TEMPORARY}`
  await makeFolderDurably(files, temporary)
  for (const { name } of (await files.readFolder(temporary)) ?? []) {
    const path = `${temporary}/${name}`
    const info = shared === undefined ? null : await files.info(path)
    if (shared === undefined || (info !== null && shared.nowMs - info.modifiedMs > STALE_MS)) await files.remove(path)
  }
  return new FileStore(options)
}

class FileStore implements ObjectStore {
  readonly #files: Files
  readonly #root: string
  readonly #folders: FolderSyncer
  readonly #handles: HandleCache
  readonly #temporaryName: string
  #temporaryCount = 0

  constructor({ files, root, handlesMax, shared }: FileStoreOptions) {
    this.#temporaryName = shared === undefined ? '' : `${shared.name}-`
    this.#files = files
    this.#root = root
    this.#folders = new FolderSyncer(files, root)
    this.#handles = new HandleCache(files, handlesMax)
  }

  async putIfAbsent(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    checkKey(key)
    const { path, folder } = this.#place(key)
    await this.#folders.make(folder)
    const temporary = await this.#write(chunks)
    let created: boolean
    try {
      created = await this.#files.link(temporary, path)
    } finally {
      await this.#files.remove(temporary)
    }
    // Also for the loser: the object it meets may be its own, of a try whose sync failed, and it will rely on it.
    await this.#folders.sync(folder)
    if (!created) throw new ZonewiseError('OBJECT_EXISTS', 'the key is taken', { key })
  }

  async put(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    checkKey(key)
    const { path, folder } = this.#place(key)
    await this.#folders.make(folder)
    const temporary = await this.#write(chunks)
    try {
      await this.#files.rename(temporary, path)
    } catch (cause) {
      await this.#files.remove(temporary)
      throw cause
    }
    this.#handles.drop(path)
    await this.#folders.sync(folder)
  }

  async get(key: string, range?: ByteRange, memory?: MemoryPool): Promise<Uint8Array> {
    checkKey(key)
    const { path } = this.#place(key)
    assert(range === undefined || (range.start >= 0 && range.end >= range.start))
    const bytes = await this.#handles.use(path, (file, size) => {
      const start = Math.min(range?.start ?? 0, size)
      return readInto(file, start, Math.min(range?.end ?? size, size) - start, memory)
    })
    if (bytes === null) throw new ZonewiseError('OBJECT_MISSING', 'no such object', { key })
    return bytes
  }

  async head(key: string): Promise<ObjectInfo | null> {
    checkKey(key)
    this.#handles.drop(this.#place(key).path) // another file may have the name by now
    return this.#info(key)
  }

  async #info(key: string): Promise<ObjectInfo | null> {
    const info = await this.#files.info(this.#place(key).path)
    return info === null || info.folder ? null : { key, bytes: info.bytes, modifiedMs: info.modifiedMs }
  }

  async list(prefix: string, options: { readonly after?: string; readonly max?: number } = {}): Promise<ObjectInfo[]> {
    checkPrefix(prefix)
    const { after = '', max = LIST_MAX } = options
    const top = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    const found: ObjectInfo[] = []
    for (let last = after; found.length < max;) { // again where keys were deleted between walk and head
      const keys: string[] = []
      await this.#walk(top, prefix, last, max - found.length, keys)
      if (keys.length === 0) break
      last = keys.at(-1)!
      for (let at = 0; at < keys.length; at += STATS_IN_FLIGHT) {
        const infos = await Promise.all(keys.slice(at, at + STATS_IN_FLIGHT).map((key) => this.#info(key)))
        for (const info of infos) if (info !== null) found.push(info)
      }
    }
    return found
  }

  async delete(key: string): Promise<void> {
    checkKey(key)
    const { path, folder } = this.#place(key)
    this.#handles.drop(path)
    if (!(await this.#files.remove(path))) return
    this.#handles.drop(path)
    await this.#folders.sync(folder)
  }

  freeBytes(): Promise<number | null> {
    return this.#files.freeBytes(this.#root)
  }

  close(): Promise<void> {
    return this.#handles.close()
  }

  #place(key: string): { path: string; folder: string } {
    const path = `${this.#root}/${key}`
    return { path, folder: path.slice(0, path.lastIndexOf('/')) }
  }

  async #write(chunks: readonly Uint8Array[]): Promise<string> {
    const path = `${this.#root}/${TEMPORARY}/${this.#temporaryName}${this.#temporaryCount++}`
    const file = await this.#files.create(path)
    let written = false
    try {
      await file.write(0, chunks)
      await file.sync()
      written = true
    } finally {
      await file.close()
      if (!written) await this.#files.remove(path)
    }
    return path
  }

  /** Adds keys below `folder` (empty, or ending in '/') to `keys`, in byte order; a folder sorts as its name and '/'. */
  async #walk(folder: string, prefix: string, after: string, max: number, keys: string[]): Promise<void> {
    const entries = (await this.#files.readFolder(`${this.#root}/${folder}`)) ?? []
    const names = entries.map((entry) => `${folder}${entry.name}${entry.folder ? '/' : ''}`).sort()
    for (const name of names) {
      if (keys.length >= max) return
      if (!isKey(name.endsWith('/') ? name.slice(0, -1) : name)) continue // `.tmp`, and what others left here
      if (!name.endsWith('/')) {
        if (name > after && name.startsWith(prefix)) keys.push(name)
      } else if ((name.startsWith(prefix) || prefix.startsWith(name)) && (name > after || after.startsWith(name))) {
        await this.#walk(name, prefix, after, max, keys)
      }
    }
  }
}

async function readInto(file: OpenFile, position: number, length: number, memory?: MemoryPool): Promise<Uint8Array> {
  if (memory === undefined) return file.read(position, length)
  const block = memory.take(length)
  try {
    return await file.read(position, length, block)
  } catch (cause) {
    release(block)
    throw cause
  }
}
