/** `Files` of one life of a machine on a simulated disk: calls take time, may fail, and do nothing once it is dead. */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Files, OpenFile } from '#shared/runtime/files.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import { sleep } from '#shared/runtime/runtime.ts'
import { folderOf, Inode, type SimDisk } from './sim-disk.ts'
import type { VirtualTime } from './virtual-time.ts'

export type DiskFaults = {
  writeMsMax: number // of what changes bytes or names
  syncMsMax: number
  failPerMille: number // calls that change something
  failSyncPerMille: number
}

export const CALM_DISK: Readonly<DiskFaults> = { writeMsMax: 0.3, syncMsMax: 4, failPerMille: 0, failSyncPerMille: 0 }

export type DiskUser = { readonly alive: boolean; readonly frozenMs: number }

export type DiskFilesParts = {
  readonly disk: SimDisk; readonly user: DiskUser; readonly time: VirtualTime; readonly rng: Rng
  readonly faults: Readonly<DiskFaults> // may change at any time
  readonly trace: (line: string) => void
}

export class DiskFiles implements Files {
  readonly #parts: DiskFilesParts

  constructor(parts: DiskFilesParts) {
    this.#parts = parts
  }

  open(path: string): Promise<OpenFile | null> {
    return this.#look(() => {
      const inode = this.#disk.find(path)
      if (inode?.isFolder === true) throw refused('a folder', path)
      return inode === undefined ? null : this.#opened(path, inode)
    })
  }

  create(path: string): Promise<OpenFile> {
    return this.#change('create', path, () => {
      if (this.#disk.find(path) !== undefined) throw refused('exists', path)
      const inode = new Inode(false)
      this.#name(path, inode)
      return this.#opened(path, inode)
    })
  }

  link(from: string, to: string): Promise<boolean> {
    return this.#change('link', to, () => {
      if (this.#disk.find(to) !== undefined) return false
      this.#name(to, this.#found(from))
      return true
    })
  }

  rename(from: string, to: string): Promise<void> {
    return this.#change('rename', to, () => {
      const inode = this.#found(from)
      this.#folder(to)
      this.#disk.change({ path: from, inode: null }, { path: to, inode })
    })
  }

  remove(path: string): Promise<boolean> {
    return this.#change('remove', path, () => {
      if (this.#disk.find(path) === undefined) return false
      this.#disk.change({ path, inode: null })
      return true
    })
  }

  makeFolder(path: string): Promise<void> {
    return this.#change('makeFolder', path, () => this.#makeFolder(path))
  }

  async syncFolder(path: string): Promise<void> {
    const { faults: { syncMsMax } } = this.#parts
    await this.#wait(syncMsMax)
    this.#failPerhaps('syncFolder', path)
    this.#disk.syncFolder(withoutSlash(path))
    this.#parts.trace(`syncFolder ${path}`)
  }

  readFolder(path: string): Promise<{ readonly name: string; readonly folder: boolean }[] | null> {
    const folder = withoutSlash(path)
    return this.#look(() => (this.#disk.find(folder)?.isFolder !== true ? null
      : this.#disk.list(folder).map(({ name, inode }) => ({ name, folder: inode.isFolder }))))
  }

  info(path: string): ReturnType<Files['info']> {
    return this.#look(() => {
      const inode = this.#disk.find(path)
      return inode === undefined ? null : { bytes: inode.bytes, modifiedMs: inode.modifiedMs, folder: inode.isFolder }
    })
  }

  freeBytes(): Promise<number> {
    return this.#look(() => this.#disk.freeBytes())
  }

  get #disk(): SimDisk {
    return this.#parts.disk
  }

  #opened(path: string, inode: Inode): OpenFile {
    const { time, faults, rng } = this.#parts
    return {
      path,
      read: (position, length) =>
        this.#look(() => inode.content.slice(position, Math.min(position + length, inode.bytes))),
      write: (position, chunks) => this.#change('write', path, () => {
        const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
        const grownBytes = Math.max(0, position + bytes - inode.bytes)
        if (grownBytes > 0 && !this.#disk.hasRoom(grownBytes))
          throw new ZonewiseError('STORE_FULL', 'the disk is full', { path })
        inode.write(position, chunks)
        inode.modifiedMs = time.nowMs
      }),
      sync: async () => {
        await this.#wait(faults.syncMsMax)
        if (rng.below(1_000) < faults.failSyncPerMille) {
          inode.syncAndFail(rng)
          this.#parts.trace(`sync of ${path} fails`)
          throw failed('sync', path)
        }
        inode.sync()
        this.#parts.trace(`sync ${path}`)
      },
      bytes: () => this.#look(() => inode.bytes),
      close: () => this.#look(() => {})
    }
  }

  #makeFolder(path: string): void {
    if (path === '' || this.#disk.find(path)?.isFolder === true) return
    this.#makeFolder(folderOf(path))
    this.#name(path, new Inode(true))
  }

  #name(path: string, inode: Inode): void {
    this.#folder(path)
    this.#disk.change({ path, inode })
  }

  #found(path: string): Inode {
    const inode = this.#disk.find(path)
    if (inode === undefined) throw failed('find', path)
    return inode
  }

  #folder(path: string): void {
    if (this.#disk.find(folderOf(path))?.isFolder !== true) throw failed('find the folder of', path)
  }

  /** Reads come from memory: they take no time worth telling. */
  async #look<T>(look: () => T): Promise<T> {
    await this.#wait(0)
    return look()
  }

  async #change<T>(call: string, path: string, change: () => T): Promise<T> {
    await this.#wait(this.#parts.faults.writeMsMax)
    this.#failPerhaps(call, path)
    return change()
  }

  #failPerhaps(call: string, path: string): void {
    const { rng, faults: { failPerMille }, trace } = this.#parts
    if (rng.below(1_000) >= failPerMille) return
    trace(`${call} of ${path} fails`)
    throw failed(call, path)
  }

  /** A machine that is dead by then never hears of the call, and neither does the disk. */
  async #wait(msMax: number): Promise<void> {
    const { time, rng, user } = this.#parts
    const ms = msMax * rng.fraction() + user.frozenMs
    if (ms > 0) await sleep(time, ms)
    if (!user.alive) await new Promise<never>(() => {})
  }
}

/** The top folder has no name. */
function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path
}

function failed(call: string, path: string): ZonewiseError {
  return new ZonewiseError('STORE_UNAVAILABLE', 'injected failure of the disk', { call, path })
}

function refused(why: string, path: string): ZonewiseError {
  return new ZonewiseError('STORE_REFUSED', why, { path })
}
