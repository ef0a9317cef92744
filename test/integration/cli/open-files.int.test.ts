/**
 * Goal: where the process runs out of files it stays, clients get codes that they retry, and all goes on when there are
 * files again. Method: `prlimit` leaves a running server what it has open, and later gives it more.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { judgeLog } from '#test/drill/server-log.ts'
import { Probe } from '#test/support/probe.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { startServer } from '#test/support/zonewise-process.ts'

const skip = spawnSync('prlimit', ['--version']).status === 0 ? false : 'SKIPPED: there is no prlimit here'
const FLAGS = ['--journal-segment-bytes', '64KiB', '--log-cache-bytes-max', '0', '--chunk-give-up-ms', '1000']
const RETRIABLE = /^(KAFKA_STORAGE_ERROR|NOT_LEADER_OR_FOLLOWER|REQUEST_TIMED_OUT)$/
const PADDING = 3_000 // of a record
const QUEUED_MS = 2_000

test('open files: a server that has none left refuses, stays, and goes on when there are some', { skip }, async () => {
  const server = await startServer(temporaryFolder(), FLAGS)
  const { child, endpoints } = server
  const { http } = endpoints
  const holders: Socket[] = [] // connections that take what is free
  const limitFiles = (limit: string): void => {
    execFileSync('prlimit', ['--pid', String(child.pid), `--nofile=${limit}`])
  }
  const probe = await Probe.open(server.bootstrap(0))
  try {
    await probe.createTopic('t', 1)
    for (let counter = 0; counter < 3; counter++) assert.equal((await produce(probe, counter)).error, 'NONE')
    const open = readdirSync(`/proc/${child.pid}/fd`).map(Number).filter((fd) => fd < 200) // one lies far above
    limitFiles(`${Math.max(...open) + 1}:20000`)
    const refusals: string[] = []
    for (let n = 0; refusals.length < 3; n++) {
      assert(n < 100, 'it never runs out of files')
      holders.push(connect(endpoints.listeners[1]!.port, http.host).on('error', () => {}))
      const { error } = await produce(probe, 5)
      if (error !== 'NONE') refusals.push(error)
    }
    for (const refusal of refusals) assert.match(refusal, RETRIABLE)
    const fetched = await probe.fetch('t', 0) // as far as files are open still
    assert(fetched.error === 'NONE' || RETRIABLE.test(fetched.error), fetched.error)
    for (let n = 0; n < 5; n++) await connectionIsClosed(http)
    assert.equal(child.exitCode, null)
    limitFiles('20000:20000')
    for (const holder of holders) holder.destroy()
    const offsets: number[] = []
    for (let counter = 6; counter < 9; counter++) {
      const { error, baseOffset } = await produce(probe, counter)
      assert.equal(error, 'NONE', server.log())
      offsets.push(baseOffset)
    }
    const { error, records } = await probe.fetch('t', 0)
    assert.equal(error, 'NONE')
    for (const [i, offset] of offsets.entries()) assert.equal(records[offset], `p0:${6 + i}`)
    assert.equal((await fetch(`http://${http.host}:${http.port}/live`)).status, 200)
    const { faults } = judgeLog(server.log())
    assert(faults.every((line) => /chunk given up|chunk cannot be read/.test(line)), faults.join('\n'))
    assert.equal(await server.end('SIGTERM'), 0)
  } finally {
    probe.close()
    for (const holder of holders) holder.destroy()
    child.kill('SIGKILL')
  }
})

const produce = (probe: Probe, counter: number): ReturnType<Probe['produce']> =>
  probe.produce('t', 0, counter, { padding: PADDING, timeoutMs: 5_000 })

/**
 * Resolves when a connection that asks for something is closed or answered (a file may just have become free), or has
 * waited for a while: where a thread took the file that libuv keeps in reserve to turn connections away with, the
 * system keeps them in its queue until there are files again.
 */
function connectionIsClosed({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    socket.setTimeout(QUEUED_MS, () => { socket.destroy() })
    socket.on('data', () => {})
    socket.on('error', () => {})
    socket.on('close', () => { resolve() })
    socket.write('GET /live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  })
}
