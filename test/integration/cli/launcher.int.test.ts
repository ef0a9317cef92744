/**
 * Goal: `zonewise.mjs` and `run.mjs` work on an old Node by handing over to the installed one, with arguments, streams,
 * signals and exit codes, however npm has linked that one. Method: a Node older than 26, if the PATH has one.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '#test/support/temporary-folder.ts'

const CLI = fileURLToPath(new URL('../../../cli', import.meta.url))
const ZONEWISE = join(CLI, 'zonewise.mjs')
const RUN = join(CLI, 'run.mjs')
const CHILD = fileURLToPath(new URL('wait-for-ever.child.ts', import.meta.url))

function oldNode(): string | null {
  for (const path of (process.env['PATH'] ?? '').split(':')) {
    try {
      const version =
        execFileSync(`${path}/node`, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      if (Number(/^v(\d+)/.exec(version)?.[1]) < 26) return `${path}/node`
    } catch {
      // no node in this folder
    }
  }
  return null
}

const old = oldNode()
const skip = old === null ? 'no older Node here' : false

test('launcher: hands arguments and exit codes through an older Node', { skip }, () => {
  const version = spawnSync(old!, [ZONEWISE, '--version'], { encoding: 'utf8' })
  assert.equal(version.status, 0)
  assert.match(version.stdout, /^\d+\.\d+\.\d+/)
  assert.equal(spawnSync(old!, [ZONEWISE, 'nonsense'], { encoding: 'utf8' }).status, 2)
})

test('launcher: a missing Node 26 is one sentence', { skip }, () => {
  const bare = temporaryFolder()
  for (const file of ['zonewise.mjs', 'launch.mjs']) cpSync(join(CLI, file), join(bare, file))
  const ran = spawnSync(old!, [join(bare, 'zonewise.mjs'), '--version'], { encoding: 'utf8' })
  assert.equal(ran.status, 1)
  assert.match(ran.stderr, /^zonewise needs Node 26 or newer, this is v\d+.*\n$/)
})

test('launcher: what runs on the new Node ends with the process that began it, by a signal or by surprise', { skip }, async () => {
  for (const [signal, code] of [['SIGTERM', 143], ['SIGKILL', null]] as const) {
    const launcher = spawn(old!, [RUN, CHILD, 'a', '--b'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = await once(launcher.stdout, 'data') as [Buffer]
    const [version, pid, ...args] = line.toString().trim().split(' ')
    assert.match(version!, /^v(2[6-9]|[3-9]\d)\./)
    assert.deepEqual(args, ['a', '--b'])
    launcher.kill(signal)
    assert.deepEqual(await once(launcher, 'exit'), code === null ? [null, signal] : [code, null])
    while (isAlive(Number(pid))) await new Promise((resolve) => { setTimeout(resolve, 10) })
  }
})

test('launcher: below node_modules, where Node runs no TypeScript, it says what to do', () => {
  const folder = join(temporaryFolder(), 'node_modules', 'zonewise')
  cpSync(CLI, join(folder, 'cli'), { recursive: true })
  cpSync(join(CLI, '..', 'package.json'), join(folder, 'package.json'))
  const ran = spawnSync(process.execPath, [join(folder, 'cli', 'zonewise.mjs'), '--version'], { encoding: 'utf8' })
  assert.deepEqual([ran.status, ran.stderr.split('\n').length], [1, 2], ran.stderr)
  assert.match(ran.stderr, /^zonewise does not run from node_modules yet: clone/)
})

test('package: it is private, and what is packed is what runs', () => {
  const ran = spawnSync('npm', ['pack', '--dry-run', '--json'], { encoding: 'utf8', cwd: join(CLI, '..') })
  assert.equal(ran.status, 0, ran.stderr)
  const [packed] = JSON.parse(ran.stdout) as { readonly files: readonly { readonly path: string }[] }[]
  const tops = new Set(packed!.files.map(({ path }) => path.split('/')[0]))
  assert.deepEqual(
    [...tops].sort(), ['LICENSE', 'README.md', 'broker', 'cli', 'docs', 'gateway', 'package.json', 'shared']
  )
  const { private: isPrivate } =
    JSON.parse(readFileSync(join(CLI, '..', 'package.json'), 'utf8')) as { private: boolean }
  assert.equal(isPrivate, true)
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
