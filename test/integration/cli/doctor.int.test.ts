/**
 * Goal: `zonewise doctor` looks at what a start would need, says in a line each what is wrong and what to do, and
 * leaves nothing behind. Method: command lines that are well and ones that cannot work, run as processes.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Finding } from '#cli/doctor/finding.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { type Ran, startServer, zonewise } from '#test/support/zonewise-process.ts'

const FREE = ['--http', '127.0.0.1:0', '--listener', 'zone=a,port=0']
const CLUSTER = ['--node-id', '1', ...FREE]

type Found = { readonly code: number | null; readonly failed: readonly Finding[] }

async function findings(...args: readonly string[]): Promise<Found> {
  const { code, stdout, stderr } = await zonewise(['doctor', ...args, '--json'])
  assert.equal(stderr, '')
  const said = JSON.parse(stdout.toString()) as { readonly isWell: boolean; readonly findings: Finding[] }
  assert.equal(said.isWell, code === 0)
  return { code, failed: said.findings.filter(({ state }) => state === 'fail') }
}

test('doctor: all is well, in a line each, and nothing was made', async () => {
  const data = join(temporaryFolder(), 'data')
  const { code, stdout } = await zonewise(['doctor', '--data', data, ...FREE])
  const lines = stdout.toString().trim().split('\n')
  assert.equal(code, 0)
  assert.equal(lines.at(-1), 'A node can start like this.')
  for (const line of lines.slice(0, -1)) assert.match(line, /^(ok {2}|warn) {2}\w[\w ]* {2}.*\.$/)
  assert(!existsSync(data))
})

test('doctor: settings that a start would refuse are its first finding', async () => {
  const { code, failed } = await findings('--shards', '0')
  assert.equal(code, 1)
  assert.deepEqual(failed.map(({ check }) => check), ['settings'])
  assert.match(failed[0]!.found, /shards.*1 to 4096/)
})

test('doctor: a port that somebody else has, and a folder that cannot be one', async () => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'file'), '')
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => { taken.once('listening', resolve) })
  const { port } = taken.address() as { readonly port: number }
  const listener = ['--http', '127.0.0.1:0', '--listener', `zone=a,port=${port}`]
  const { code, failed } = await findings('--data', join(folder, 'file', 'data'), ...listener)
  taken.close()
  assert.equal(code, 1)
  assert.deepEqual(failed.map(({ check }) => check), ['folder', 'ports'])
  for (const { found, why, cure } of failed) assert(found !== '' && why !== '' && cure !== '')
})

test('doctor: the ports of a node that runs are its own', async () => {
  const server = await startServer(temporaryFolder())
  const { listeners, http } = server.endpoints
  const flags = ['--http', `${http.host}:${http.port}`, '--listener', `zone=a,port=${listeners[0]!.port}`]
  const { code, failed } = await findings('--data', temporaryFolder(), ...flags)
  await server.end()
  assert.deepEqual([code, failed], [0, []])
})

test('doctor: Redis and a bucket that cannot be reached, with cause and cure', async () => {
  const { code, failed } = await findings(
    ...CLUSTER, '--journal', 'redis://127.0.0.1:1', '--store', 's3://bucket/a', '--s3-endpoint', 'http://127.0.0.1:1',
    '--s3-region', 'r', '--s3-call-timeout-ms', '500', '--redis-connect-timeout-ms', '200',
    '--redis-retry-max-ms', '100'
  )
  assert.equal(code, 1)
  assert.deepEqual(failed.map(({ check }) => check), ['store', 'redis'])
  assert.match(failed[1]!.found, /Redis cannot be reached.*ECONNREFUSED/)
  assert.match(failed[1]!.cure, /check that it runs/)
})

test('doctor: a shared folder is no place that it makes', async () => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'there'))
  const ran: Ran = await zonewise([
    'doctor', ...CLUSTER, '--journal', 'redis://127.0.0.1:1', '--store', `file:${join(folder, 'not-there')}`,
    '--redis-connect-timeout-ms', '200', '--redis-retry-max-ms', '100'
  ])
  assert.match(ran.stdout.toString(), /ok +store +There is no \/[^\n]*not-there yet: the first node makes it\./)
  assert(!existsSync(join(folder, 'not-there')))
})
