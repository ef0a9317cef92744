/**
 * Goal: before the disk is full, produce gets codes that clients retry, while journal, snapshots and reads go on; where
 * the journal itself finds no room it waits; all goes on by itself when there is space, and a start needs none.
 * Method: a bound that no disk can keep; and, as root, a small file system of its own with ballast that comes and goes.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { judgeLog } from '#test/drill/server-log.ts'
import { Probe } from '#test/support/probe.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { type Server, startServer } from '#test/support/zonewise-process.ts'

const MIB = 2 ** 20
const RETRIABLE = /^(KAFKA_STORAGE_ERROR|NOT_LEADER_OR_FOLLOWER|REQUEST_TIMED_OUT)$/
const mounted: string[] = []
const servers: Server[] = []
after(() => {
  for (const { child } of servers) child.kill('SIGKILL') // those of tests that failed
  for (const folder of mounted) spawnSync('umount', ['-l', folder])
})

async function start(folder: string, flags: readonly string[]): Promise<Server> {
  const server = await startServer(folder, flags)
  servers.push(server)
  return server
}

async function readiness({ endpoints: { http } }: Server): Promise<number> {
  return (await fetch(`http://${http.host}:${http.port}/ready`)).status
}

test('full disk: below the bound produce is refused in a way that clients retry; the rest goes on, a start too', async () => {
  const folder = temporaryFolder()
  let server = await start(folder, ['--log-cache-bytes-max', '0'])
  let probe = await Probe.open(server.bootstrap(0))
  await probe.createTopic('t', 2)
  assert.equal((await probe.produce('t', 0, 0)).error, 'NONE')
  probe.close()
  await server.end('SIGTERM')

  const full = ['--store-free-bytes-min', '1024GiB', '--log-cache-bytes-max', '0']
  server = await start(folder, full)
  probe = await Probe.open(server.bootstrap(1))
  for (let n = 1; n < 30; n++) assert.equal((await probe.produce('t', 0, n)).error, 'KAFKA_STORAGE_ERROR')
  assert.deepEqual(await probe.fetch('t', 0), { error: 'NONE', records: ['p0:0'] })
  await probe.createTopic('another', 3) // the journal is written
  assert.equal(await readiness(server), 200)
  const { faults } = judgeLog(server.log())
  assert(faults.length > 0 && faults.length < 10, `${faults.length} lines`)
  assert.match(faults[0]!, /too little free space .*freeBytesMin 1099511627776\). Free space on the disk/)
  probe.close()
  assert.equal(await server.end('SIGTERM'), 0)
})

test('full disk: a small file system, full to the bound, then to the last byte, then free again', { skip: unmountable() }, async () => {
  const folder = temporaryFolder()
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', folder])
  mounted.push(folder)
  const ballast = join(folder, 'ballast')
  const flags = [
    '--store-free-bytes-min', '16MiB', '--journal-segment-bytes', '256KiB', '--snapshot-journal-bytes', '2KiB',
    '--log-cache-bytes-max', '0', '--shards', '2', '--journal-settle-ms', '2000'
  ]
  let server = await start(folder, flags)
  let probe = await Probe.open(server.bootstrap(0))
  await probe.createTopic('t', 2)
  let acked = 0
  const produce = async (): Promise<string> => {
    const { error, baseOffset } = await probe.produce('t', 0, acked, { padding: 10_000, timeoutMs: 3_000 })
    if (error === 'NONE') assert.equal(baseOffset, acked++)
    return error
  }
  for (let n = 0; n < 20; n++) assert.equal(await produce(), 'NONE')

  fill(ballast, folder, 15 * MIB)
  await pause(1_100) // the free space is asked for once a second
  for (let n = 0; n < 5; n++) assert.match(await produce(), RETRIABLE)
  assert.equal((await probe.fetch('t', 0)).records.length, acked)
  const before = snapshotNames(folder)
  for (let n = 0; n < 60; n++) await probe.createTopic(`topic-${n}`, 20) // journal and snapshots have room
  assert.notDeepEqual(snapshotNames(folder), before)
  assert.equal(await readiness(server), 200)

  fill(ballast, folder, 0) // now the journal has none either
  let refused = 0
  for (let n = 0; n < 400 && refused < 3; n++) {
    try {
      await probe.createTopic(`more-${n}`, 100, 2_000)
    } catch {
      refused += 1 // in its own words: the client comes again
    }
  }
  assert(refused > 0, 'the journal never needed a new file')
  assert.equal((await probe.fetch('t', 0)).records.length, acked)
  assert.match(await produce(), RETRIABLE)
  assert.equal(server.child.exitCode, null, server.log())

  rmSync(ballast)
  await pause(1_100)
  const untilMs = performance.now() + 60_000
  while (await produce() !== 'NONE') {
    assert(performance.now() < untilMs, server.log().slice(-5_000))
    await pause(200)
  }
  for (let n = 0; n < 20; n++) assert.equal(await produce(), 'NONE')
  while (await readiness(server) !== 200) { // other shards may get their leaders later
    assert(performance.now() < untilMs, server.log().slice(-5_000))
    await pause(200)
  }
  probe.close()
  await server.end('SIGKILL')

  fill(ballast, folder, 12 * MIB) // a start on a disk that is full to the bound
  server = await start(folder, flags)
  probe = await Probe.open(server.bootstrap(2))
  const found = (await probe.fetch('t', 0)).records
  assert.deepEqual(found, Array.from({ length: acked }, (_, counter) => `p0:${counter}`))
  assert.match(await produce(), RETRIABLE)
  rmSync(ballast)
  await pause(1_100)
  assert.equal(await produce(), 'NONE')
  probe.close()
  assert.equal(await server.end('SIGTERM'), 0)
  execFileSync('umount', [folder])
})

/** Writes until no more than `freeBytes` are left. */
function fill(path: string, folder: string, freeBytes: number): void {
  const file = openSync(path, 'a')
  try {
    for (;;) {
      const { bavail, bsize } = statfsSync(folder)
      const left = bavail * bsize - freeBytes
      if (left <= 0) return
      writeSync(file, Buffer.alloc(Math.min(left, MIB)))
    }
  } finally {
    closeSync(file)
  }
}

function snapshotNames(folder: string): string[] {
  const snapshots = join(folder, 'data', 'store', 'snapshots')
  return existsSync(snapshots) ? readdirSync(snapshots, { recursive: true }).map(String).sort() : []
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}

function unmountable(): string | false {
  const isRoot = process.platform === 'linux' && process.getuid?.() === 0
  if (!isRoot) return 'SKIPPED: only root can mount a small file system'
  const folder = temporaryFolder()
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder])
  if (status !== 0) return 'SKIPPED: mount refuses'
  return spawnSync('umount', [folder]).status === 0 ? false : 'SKIPPED: umount refuses'
}
