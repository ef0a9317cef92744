/**
 * A disk that loses what was not synced. Bytes and names are first in the memory of the machine and reach the disk by
 * `sync` and `syncFolder`; a crash keeps of the rest what chance says: of bytes any sectors (so that writes tear), of
 * names the first few changes of each folder, as a file system with a journal of its own does.
 */
import assert from 'node:assert/strict'
import type { Rng } from '#shared/runtime/rng.ts'

const SECTOR = 512

/** A file, or a folder if it holds no bytes. */
export class Inode {
  readonly isFolder: boolean
  content = new Uint8Array(0)
  bytes = 0
  modifiedMs = 0
  #durable = new Uint8Array(0)
  #durableBytes = 0
  readonly #dirty = new Set<number>() // sectors

  constructor(isFolder: boolean) {
    this.isFolder = isFolder
  }

  write(position: number, chunks: readonly Uint8Array[]): void {
    let at = position
    for (const chunk of chunks) {
      this.content = withRoom(this.content, at + chunk.byteLength)
      this.content.set(chunk, at)
      at += chunk.byteLength
    }
    this.bytes = Math.max(this.bytes, at)
    for (let sector = Math.floor(position / SECTOR); sector * SECTOR < at; sector++) this.#dirty.add(sector)
  }

  sync(): void {
    for (const sector of this.#dirty) this.#keep(sector)
    this.#dirty.clear()
    this.#durableBytes = this.bytes
  }

  /** A sync that fails: the kernel takes the sectors for clean from now on, and the disk has but some of them. */
  syncAndFail(rng: Rng): void {
    for (const sector of this.#dirty) if (rng.below(2) === 0) this.#keep(sector)
    this.#dirty.clear()
  }

  crash(rng: Rng): void {
    const keptPerMille = rng.pick([0, 500, 1_000])
    for (const sector of this.#dirty) {
      if (rng.below(1_000) >= keptPerMille) continue
      this.#keep(sector)
      this.#durableBytes = Math.max(this.#durableBytes, Math.min(this.bytes, (sector + 1) * SECTOR))
    }
    this.#dirty.clear()
    this.content = this.#durable.slice()
    this.bytes = this.#durableBytes
  }

  #keep(sector: number): void {
    const [start, end] = [sector * SECTOR, Math.min((sector + 1) * SECTOR, this.content.byteLength)]
    this.#durable = withRoom(this.#durable, end)
    this.#durable.set(this.content.subarray(start, end), start)
  }
}

function withRoom(bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  if (bytes.byteLength >= size) return bytes
  const grown = new Uint8Array(Math.max(size, 2 * bytes.byteLength))
  grown.set(bytes)
  return grown
}

type Change = { readonly path: string; readonly inode: Inode | null } // null: the name goes
type NameChange = { readonly order: number; readonly folder: string; readonly changes: readonly Change[] }

export class SimDisk {
  readonly #rng: Rng
  readonly #names = new Map<string, Inode>() // as processes see them
  readonly #durable = new Map<string, { readonly inode: Inode | null; readonly order: number }>()
  #pending: NameChange[] = []
  #order = 0
  #bytesMax = Infinity // what all files together may take

  constructor(rng: Rng) {
    this.#rng = rng
    this.#names.set('', new Inode(true))
  }

  find(path: string): Inode | undefined {
    return this.#names.get(path)
  }

  /** Names directly below a folder. */
  list(folder: string): { readonly name: string; readonly inode: Inode }[] {
    const found: { name: string; inode: Inode }[] = []
    for (const [path, inode] of this.#names)
      if (path !== '' && folderOf(path) === folder) found.push({ name: path.slice(folder.length + 1), inode })
    return found
  }

  /** Leaves room for `bytes` more, or for all that comes. */
  limit(bytes: number): void {
    this.#bytesMax = this.#usedBytes() + bytes
  }

  freeBytes(): number {
    return this.#bytesMax === Infinity ? Infinity : Math.max(0, this.#bytesMax - this.#usedBytes())
  }

  hasRoom(bytes: number): boolean {
    return this.freeBytes() >= bytes
  }

  /** Changes names at once for processes; durable with the next sync of the folder of the last one. */
  change(...changes: readonly Change[]): void {
    assert(changes.length > 0)
    for (const { path, inode } of changes) {
      if (inode === null) this.#names.delete(path)
      else this.#names.set(path, inode)
    }
    this.#pending.push({ order: ++this.#order, folder: folderOf(changes.at(-1)!.path), changes })
  }

  syncFolder(folder: string): void {
    for (const change of this.#pending) if (change.folder === folder) this.#settle(change)
    this.#pending = this.#pending.filter((change) => change.folder !== folder)
  }

  /** The machine dies: what is read from now on is what the disk has. */
  crash(): void {
    const kept = new Map<string, number>() // how many changes of a folder reached the disk
    for (const { folder } of this.#pending) kept.set(folder, (kept.get(folder) ?? 0) + 1)
    for (const [folder, count] of kept) kept.set(folder, this.#rng.pick([0, count, this.#rng.below(count + 1)]))
    for (const change of this.#pending) {
      const left = kept.get(change.folder)!
      if (left > 0) this.#settle(change)
      kept.set(change.folder, left - 1)
    }
    this.#pending = []
    const known = new Set(this.#names.values())
    this.#names.clear()
    this.#names.set('', new Inode(true))
    for (const [path, { inode }] of this.#durable)
      if (inode !== null && this.#isReachable(path)) this.#names.set(path, inode)
    for (const inode of this.#names.values()) known.add(inode)
    for (const inode of known) inode.crash(this.#rng)
  }

  #usedBytes(): number {
    return [...new Set(this.#names.values())].reduce((sum, { bytes }) => sum + bytes, 0)
  }

  #settle({ order, changes }: NameChange): void {
    for (const { path, inode } of changes)
      if (order > (this.#durable.get(path)?.order ?? 0)) this.#durable.set(path, { inode, order })
  }

  #isReachable(path: string): boolean {
    for (let folder = folderOf(path); folder !== ''; folder = folderOf(folder))
      if (this.#durable.get(folder)?.inode?.isFolder !== true) return false
    return true
  }
}

export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}
