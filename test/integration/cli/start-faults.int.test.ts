/**
 * Goal: a start that cannot be is one sentence with exit code 1, and never two processes on one folder.
 * Method: servers that hold folders, others that want them; folders, limits and file systems that do not fit. What
 * needs root is skipped aloud without it.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { sealJson } from '#shared/binary/sealed-json.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { type Server, startServer, zonewise } from '#test/support/zonewise-process.ts'

const ZONEWISE = fileURLToPath(new URL('../../../cli/zonewise.mjs', import.meta.url))
const FREE = ['--http', '127.0.0.1:0', '--listener', 'zone=a,port=0']
const servers: Server[] = []
after(() => { for (const { child } of servers) child.kill('SIGKILL') }) // those of tests that failed

async function refused(flags: readonly string[], sentence: RegExp): Promise<void> {
  const { code, stderr } = await zonewise(['start', ...FREE, ...flags])
  const sentences = stderr.split('\n').filter((line) => line.startsWith('zonewise: '))
  assert.equal(code, 1, stderr)
  assert.equal(sentences.length, 1, stderr)
  assert.match(sentences[0]!, sentence)
  assert.doesNotMatch(stderr, /^\s+at /m)
}

async function start(folder: string, flags: readonly string[] = []): Promise<Server> {
  const server = await startServer(folder, flags)
  servers.push(server)
  return server
}

test('start: a data folder, a store and a journal belong to one process, by whatever flag and name they are given', async () => {
  const [folder, apart] = [temporaryFolder(), temporaryFolder()]
  const server = await start(folder, ['--journal', `file:${apart}/j`])
  const mine = join(folder, 'data')
  symlinkSync(join(apart, 'j'), join(apart, 'alias'))
  await refused(['--data', mine], new RegExp(`another process uses the data folder \\(path ${mine}\\)`))
  await refused(['--data', `${apart}/1`, '--store', `file:${mine}/store`], new RegExp(`another process.*${mine}/store`))
  await refused(['--data', `${apart}/2`, '--journal', `file:${apart}/j`], new RegExp(`another process .*${apart}/j`))
  await refused(['--data', `${apart}/3`, '--journal', `file:${apart}/alias`], /another process uses/)
  await refused(['--data', `${apart}/4`, '--store', 'memory:', '--journal', `file:${apart}/j`], /another process uses/)
  assert.equal(await server.end('SIGTERM'), 0)
  const same = ['--store', `file:${apart}/x`, '--journal', `file:${apart}/x`]
  await refused(['--data', `${apart}/5`, ...same], /name the same folder/)
  const again = await start(folder, ['--journal', `file:${apart}/j`]) // a stop gives all back
  await again.end('SIGKILL')
  const third = await start(folder, ['--journal', `file:${apart}/j`]) // and so does a kill
  await third.end('SIGTERM')
})

test('start: files where folders should be, and folders of a newer version', async () => {
  const folder = temporaryFolder()
  writeFileSync(`${folder}/file`, '')
  await refused(['--data', `${folder}/file`], /data folder cannot be used .*file, errno ENOTDIR/)
  await refused(['--data', `${folder}/a`, '--store', `file:${folder}/file`], /cannot be used .*errno ENOTDIR/)
  await refused(['--data', `${folder}/b`, '--journal', `file:${folder}/file/below`], /cannot be used .*errno ENOTDIR/)
  await refused(['--data', `${folder}/c`, '--store', 's4://x'], /--store is none of/)
  mkdirSync(`${folder}/newer/journal`, { recursive: true })
  writeFileSync(`${folder}/newer/format.json`, sealJson({ format: 9, clusterId: 'x' }))
  await refused(['--data', `${folder}/newer`], /newer format .*format 9/)
  rmSync(`${folder}/newer/format.json`)
  writeFileSync(`${folder}/newer/journal/journal.json`, sealJson({ format: 9 }))
  await refused(['--data', `${folder}/newer`], /newer format .*journal.json, format 9/)
})

test('start: too few file descriptors', { skip: process.platform === 'win32' ? 'no such limit here' : false }, () => {
  for (const limit of [64, 1_023]) {
    const command = [process.execPath, ZONEWISE, 'start', ...FREE, '--data', temporaryFolder()]
    const ran = spawnSync('sh', ['-c', `ulimit -n ${limit}; exec "$0" "$@"`, ...command], { encoding: 'utf8' })
    assert.equal(ran.status, 1)
    assert.match(ran.stderr, new RegExp(`^zonewise: the limit of open files is too low .limit ${limit}, needed 1024`))
  }
})

test('start: a read-only file system', { skip: mountable() }, async () => {
  const folder = temporaryFolder()
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=1m', 'tmpfs', folder])
  try {
    await refused(['--data', folder], /data folder cannot be used .*errno EROFS/)
    await refused(['--data', `${folder}/below`], /errno EROFS/)
    await refused(['--data', temporaryFolder(), '--store', `file:${folder}/store`], /errno EROFS/)
  } finally {
    execFileSync('umount', [folder])
  }
})

function mountable(): string | false {
  return process.platform === 'linux' && process.getuid?.() === 0 && canMount() ? false : 'needs root and tmpfs'
}

function canMount(): boolean {
  const folder = temporaryFolder()
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]).status !== 0) return false
  return spawnSync('umount', [folder]).status === 0
}
