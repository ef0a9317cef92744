/** Files over node:fs: the callback API, because its promises cost several times more per call. */
import fs from 'node:fs'
import { dirname } from 'node:path'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { FileInfo, Files, FolderEntry, OpenFile } from '#shared/runtime/files.ts'

const IOV_MAX = 1_024 // buffers the kernel takes in one writev
const FULL = new Set(['ENOSPC', 'EDQUOT'])
const REFUSED = new Set(['EACCES', 'EPERM', 'EROFS', 'EISDIR', 'ENOTDIR', 'EEXIST', 'ENAMETOOLONG', 'EFBIG'])

type Failure = NodeJS.ErrnoException | null | undefined

function failed(call: string, path: string, error: NodeJS.ErrnoException): ZonewiseError {
  const context = { path, call, errno: error.code }
  if (FULL.has(error.code ?? '')) return new ZonewiseError('STORE_FULL', 'the disk is full', context, error)
  if (REFUSED.has(error.code ?? '')) return new ZonewiseError('STORE_REFUSED', 'the disk refuses', context, error)
  return new ZonewiseError('STORE_UNAVAILABLE', 'a file call failed', context, error)
}

/** Runs one call of node:fs that answers nothing. */
function run(call: string, path: string, start: (done: (error: Failure) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => { if (error) reject(failed(call, path, error)); else resolve() })
  })
}

/** Runs one call; where `code` is its error, the answer is false. */
function runUnless(
  code: string, call: string, path: string, start: (done: (error: Failure) => void) => void
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    start((error) => {
      if (!error) resolve(true)
      else if (error.code === code) resolve(false)
      else reject(failed(call, path, error))
    })
  })
}

class NodeFile implements OpenFile {
  readonly path: string
  readonly #fd: number

  constructor(path: string, fd: number) {
    this.path = path
    this.#fd = fd
  }

  read(position: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const buffer = into ?? Buffer.allocUnsafeSlow(length)
      let filled = 0
      const next = (): void => {
        fs.read(this.#fd, buffer, filled, length - filled, position + filled, (error, count) => {
          if (error) return reject(failed('read', this.path, error))
          filled += count
          if (count === 0 || filled === length) {
            resolve(buffer.byteLength === filled ? buffer : buffer.subarray(0, filled))
          } else next()
        })
      }
      if (length === 0) resolve(buffer.subarray(0, 0))
      else next()
    })
  }

  write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) => {
      let left = chunks.filter((chunk) => chunk.byteLength > 0)
      let at = position
      const next = (): void => {
        if (left.length === 0) return resolve()
        if (left.length === 1) fs.write(this.#fd, left[0]!, 0, left[0]!.byteLength, at, written)
        else fs.writev(this.#fd, left.length > IOV_MAX ? left.slice(0, IOV_MAX) : left, at, written)
      }
      const written = (error: Failure, count: number): void => {
        if (error) return reject(failed('write', this.path, error))
        at += count
        left = skipBytes(left, count)
        next()
      }
      next()
    })
  }

  sync(): Promise<void> {
    return run('fdatasync', this.path, (done) => fs.fdatasync(this.#fd, done))
  }

  bytes(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(
        this.#fd, (error, stats) => { if (error) reject(failed('fstat', this.path, error)); else resolve(stats.size) }
      )
    })
  }

  close(): Promise<void> {
    return run('close', this.path, (done) => fs.close(this.#fd, done))
  }
}

/** What is left of `chunks` behind the first `count` bytes: the kernel may take less than all. */
function skipBytes(chunks: Uint8Array[], count: number): Uint8Array[] {
  let index = 0
  let left = count
  while (index < chunks.length && left >= chunks[index]!.byteLength) left -= chunks[index++]!.byteLength
  if (left === 0) return index === 0 ? chunks : chunks.slice(index)
  return [chunks[index]!.subarray(left), ...chunks.slice(index + 1)]
}

function openFile(path: string, flags: number, call: string): Promise<OpenFile | null> {
  return new Promise((resolve, reject) => {
    fs.open(path, flags, 0o640, (error, fd) => {
      if (!error) resolve(new NodeFile(path, fd))
      else if (error.code === 'ENOENT') resolve(null)
      else reject(failed(call, path, error))
    })
  })
}

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = fs.constants

/** Parents first. Node's own recursion never ends where a parent is there and refuses, as below /proc. */
async function makeFolders(path: string): Promise<void> {
  if (fs.existsSync(path)) return
  const parent = dirname(path)
  if (parent !== path) await makeFolders(parent)
  await runUnless('EEXIST', 'mkdir', path, (done) => fs.mkdir(path, { mode: 0o750 }, done))
}

export const nodeFiles: Files = {
  open: (path, access) => openFile(path, access === 'read' ? O_RDONLY : O_RDWR, 'open'),

  async create(path): Promise<OpenFile> {
    const file = await openFile(path, O_RDWR | O_CREAT | O_EXCL, 'create')
    if (file === null) throw new ZonewiseError('STORE_UNAVAILABLE', 'the folder of a new file is gone', { path })
    return file
  },

  link: (from, to) => runUnless('EEXIST', 'link', to, (done) => fs.link(from, to, done)),
  rename: (from, to) => run('rename', to, (done) => fs.rename(from, to, done)),
  remove: (path) => runUnless('ENOENT', 'unlink', path, (done) => fs.unlink(path, done)),
  makeFolder: (path) => makeFolders(path),

  async syncFolder(path): Promise<void> {
    if (process.platform === 'win32') return // has no such call; NTFS journals its names
    const file = await openFile(path, O_RDONLY, 'open')
    if (file === null) throw new ZonewiseError('STORE_UNAVAILABLE', 'a folder is gone', { path })
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  },

  readFolder: (path) =>
    new Promise<FolderEntry[] | null>((resolve, reject) => {
      fs.readdir(path, { withFileTypes: true }, (error, entries) => {
        if (!error) resolve(entries.map((entry) => ({ name: entry.name, folder: entry.isDirectory() })))
        else if (error.code === 'ENOENT' || error.code === 'ENOTDIR') resolve(null)
        else reject(failed('readdir', path, error))
      })
    }),

  info: (path) =>
    new Promise<FileInfo | null>((resolve, reject) => {
      fs.stat(path, (error, stats) => {
        if (!error) resolve({ bytes: stats.size, modifiedMs: stats.mtimeMs, folder: stats.isDirectory() })
        else if (error.code === 'ENOENT' || error.code === 'ENOTDIR') resolve(null)
        else reject(failed('stat', path, error))
      })
    }),

  freeBytes: (path) =>
    new Promise((resolve, reject) => {
      fs.statfs(path, (error, stats) => {
        if (error) reject(failed('statfs', path, error))
        else resolve(stats.bavail * stats.bsize)
      })
    })
}
