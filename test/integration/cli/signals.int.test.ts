/**
 * Goal: whoever stops a server, and however, it drains and ends with code 0, once; a second Ctrl-C ends it at once; a
 * terminal or a reader of its output that is gone does not.
 * Method: servers of their own, some through npm in a process group of their own, as a terminal has it.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Probe } from '#test/support/probe.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { type Endpoints, launchServer, startServer } from '#test/support/zonewise-process.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const children: ChildProcess[] = []
after(() => { for (const child of children) child.kill('SIGKILL') }) // those of tests that failed
const hasNpm = spawnSync('npm', ['--version']).status === 0
const skip = hasNpm ? false : 'SKIPPED: there is no npm here'

type Npm = {
  readonly child: ChildProcess
  readonly endpoints: Endpoints
  readonly ended: Promise<number | null>
  log(): string
}

/** `npm start` as the leader of a group of its own. */
async function npmStart(): Promise<Npm> {
  const folder = temporaryFolder()
  const file = join(folder, 'endpoints.json')
  const places = ['--data', join(folder, 'data'), '--endpoints-file', file]
  const args = ['start', '--', ...places, '--http', '127.0.0.1:0', '--listener', 'zone=a,port=0']
  const child = spawn('npm', args, { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  let log = ''
  child.stdout.on('data', (bytes: Buffer) => { log += bytes.toString() })
  child.stderr.on('data', (bytes: Buffer) => { log += bytes.toString() })
  const ended = new Promise<number | null>((resolve) => { child.on('close', (code) => { resolve(code) }) })
  while (!existsSync(file)) {
    assert.equal(child.exitCode, null, log)
    await pause(20)
  }
  return { child, ended, log: () => log, endpoints: JSON.parse(readFileSync(file, 'utf8')) as Endpoints }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}

function isListening({ host, port }: { readonly host: string; readonly port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => { socket.destroy(); resolve(true) })
    socket.on('error', () => { resolve(false) })
  })
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`signals: ${signal} to the whole group of npm start is one stop, in peace`, { skip }, async () => {
    const { child, ended, log, endpoints } = await npmStart()
    process.kill(-child.pid!, signal)
    assert.equal(await ended, 0, log())
    assert.equal(log().match(/"msg":"stopped"/g)?.length, 1, log())
    assert.equal(await isListening(endpoints.http), false)
  })
}

test('signals: SIGTERM to npm alone, as a container has it, stops the server in peace too', { skip }, async () => {
  const { child, ended, log, endpoints } = await npmStart()
  child.kill('SIGTERM')
  assert.equal(await ended, 0, log())
  assert.match(log(), /"msg":"stopped"/)
  assert.equal(await isListening(endpoints.http), false)
})

test('signals: SIGHUP, of a terminal that closes, stops in peace', async () => {
  const server = await startServer(temporaryFolder())
  children.push(server.child)
  assert.equal(await server.end('SIGHUP'), 0, server.log())
})

test('signals: a server whose output nobody reads any more goes on, logs into the void and stops in peace', async () => {
  const server = await startServer(temporaryFolder())
  const { child, endpoints } = server
  children.push(child)
  child.stdout!.destroy()
  child.stderr!.destroy()
  for (let n = 0; n < 20; n++) { // each is worth a line of the log
    const socket = connect(endpoints.listeners[0]!.port, endpoints.listeners[0]!.host)
    socket.on('error', () => {})
    socket.end(Buffer.from('7fffffff00000000', 'hex'))
    await pause(60)
  }
  const probe = await Probe.open(server.bootstrap(1))
  await probe.createTopic('t', 1)
  assert.equal((await probe.produce('t', 0, 0)).error, 'NONE')
  probe.close()
  const ended = new Promise<number | null>((resolve) => { child.on('exit', (code) => { resolve(code) }) })
  child.kill('SIGTERM')
  assert.equal(await ended, 0)
})

test('signals: a second Ctrl-C ends a stop that takes long, and what was acknowledged is there at the next start', async () => {
  const folder = temporaryFolder()
  const flags = ['--stop-drain-ms', '60000', '--chunk-give-up-ms', '60000']
  let server = await startServer(folder, flags)
  children.push(server.child)
  let probe = await Probe.open(server.bootstrap(0))
  await probe.createTopic('t', 1)
  assert.equal((await probe.produce('t', 0, 0)).error, 'NONE')
  rmSync(join(folder, 'data', 'store', '.tmp'), { recursive: true }) // no PUT succeeds
  probe.produce('t', 0, 1).catch(() => {}) // the server ends before it answers
  await pause(300)
  server.child.kill('SIGINT')
  await pause(1_000)
  assert.equal(server.child.exitCode, null, 'it waits for the PUT')
  const startedMs = performance.now()
  assert.equal(await server.end('SIGINT'), 130)
  assert(performance.now() - startedMs < 5_000)
  probe.close()
  server = await startServer(folder, flags)
  children.push(server.child)
  probe = await Probe.open(server.bootstrap(0))
  assert.deepEqual((await probe.fetch('t', 0)).records, ['p0:0'])
  probe.close()
  await server.end('SIGKILL')
})

test('signals: SIGTERM at whatever moment of a start ends with code 0, and the next start finds all in order', async () => {
  const folder = temporaryFolder()
  for (const ms of [250, 350, 450, 600]) {
    const { child, exited, log } = launchServer(folder)
    children.push(child)
    await pause(ms)
    child.kill('SIGTERM')
    const code = await exited // before the process looks for signals it dies of them
    assert(code === 0 || (code === null && log() === ''), `${code}: ${log()}`)
  }
  const server = await startServer(folder)
  children.push(server.child)
  assert.equal(await server.end('SIGTERM'), 0)
})
