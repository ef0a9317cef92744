import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openDataFolder } from '#cli/platform/data-folder.ts'
import { nodeFiles } from '#cli/platform/node-files.ts'
import { sealJson, unsealJson } from '#shared/binary/sealed-json.ts'
import type { ErrorCode } from '#shared/errors/error-codes.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'

const HOLDER = fileURLToPath(new URL('hold-data-folder.child.ts', import.meta.url))
const fails = (code: ErrorCode) => (error: unknown): boolean => error instanceof ZonewiseError && error.code === code

function hold(folder: string): Promise<{ child: ChildProcess; warnings: () => string }> {
  const child = spawn(process.execPath, [HOLDER, folder], { stdio: ['ignore', 'pipe', 'pipe'] })
  let warnings = ''
  child.stderr.on('data', (bytes: Buffer) => { warnings += bytes.toString() })
  return new Promise((resolve, reject) => {
    child.stdout.once('data', () => { resolve({ child, warnings: () => warnings }) })
    child.once('exit', (code) => { reject(new Error(`exit ${code}: ${warnings}`)) })
  })
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => { child.once('exit', resolve) })
  child.kill('SIGKILL')
  await exited
}

test('data-folder: a second process is refused, and a killed one leaves no lock behind', async () => {
  const folder = `${temporaryFolder()}/a/b`
  const { child, warnings } = await hold(folder)
  await assert.rejects(openDataFolder(nodeFiles, folder), fails('DATA_FOLDER_LOCKED'))
  await assert.rejects(hold(folder), /another process uses the data folder/)
  await kill(child)
  assert.equal(warnings(), '')
  const opened = await openDataFolder(nodeFiles, folder)
  await assert.rejects(openDataFolder(nodeFiles, folder), fails('DATA_FOLDER_LOCKED')) // also inside one process
  await assert.rejects(hold(folder), /another process uses the data folder/)
  opened.close()
  ;(await openDataFolder(nodeFiles, folder)).close()
})

test('data-folder: belongs to one cluster from the first claim on', async () => {
  const path = temporaryFolder()
  let folder = await openDataFolder(nodeFiles, path)
  assert.equal(folder.clusterId, null)
  await folder.claim('one')
  await folder.claim('one')
  await assert.rejects(folder.claim('two'), fails('CLUSTER_MISMATCH'))
  folder.close()
  const unsealed = unsealJson(readFileSync(`${path}/format.json`), 1)
  assert.deepEqual(unsealed, { kind: 'good', value: { format: 1, clusterId: 'one' } })
  folder = await openDataFolder(nodeFiles, path)
  assert.equal(folder.clusterId, 'one')
  folder.close()
})

test('data-folder: a newer format is refused and leaves no lock', async () => {
  const path = temporaryFolder()
  writeFileSync(`${path}/format.json`, '{"format":2,"clusterId":"x"}')
  await assert.rejects(openDataFolder(nodeFiles, path), fails('FORMAT_TOO_NEW'))
  writeFileSync(`${path}/format.json`, sealJson({ format: 1, clusterId: 'x' }))
  ;(await openDataFolder(nodeFiles, path)).close()
})

test('data-folder: a damaged description names its file, and leaves no lock', async () => {
  const path = temporaryFolder()
  const folder = await openDataFolder(nodeFiles, path)
  await folder.claim('one')
  folder.close()
  const file = `${path}/format.json`
  const intact = readFileSync(file)
  writeFileSync(file, intact.toString().replace('one', 'two'))
  await assert.rejects(openDataFolder(nodeFiles, path), { code: 'FILE_CORRUPT', context: { file, position: 0 } })
  writeFileSync(file, intact)
  ;(await openDataFolder(nodeFiles, path)).close()
})

test('data-folder: what cannot be used is said in one sentence', async () => {
  const parent = temporaryFolder()
  writeFileSync(`${parent}/file`, '')
  await assert.rejects(openDataFolder(nodeFiles, `${parent}/file/data`), fails('DATA_FOLDER_UNUSABLE'))
  await assert.rejects(openDataFolder(nodeFiles, `${parent}/file`), fails('DATA_FOLDER_UNUSABLE'))
  mkdirSync(`${parent}/lock-is-a-folder/lock`, { recursive: true })
  await assert.rejects(openDataFolder(nodeFiles, `${parent}/lock-is-a-folder`), fails('DATA_FOLDER_UNUSABLE'))
  if (process.getuid?.() === 0) return // may write everywhere
  mkdirSync(`${parent}/sealed`)
  chmodSync(`${parent}/sealed`, 0o500)
  await assert.rejects(openDataFolder(nodeFiles, `${parent}/sealed`), fails('DATA_FOLDER_UNUSABLE'))
})
