/**
 * Goal: while the store hangs, clients get codes that they retry in the time they gave, memory stays bounded, health
 * answers at once, and all goes on by itself when the store does.
 * Method: the store on a file system of its own, which is frozen and thawed; produce without end meanwhile.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Probe } from '#test/support/probe.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { type Server, startServer } from '#test/support/zonewise-process.ts'

const MIB = 2 ** 20
const RETRIABLE = /^(KAFKA_STORAGE_ERROR|NOT_LEADER_OR_FOLLOWER|REQUEST_TIMED_OUT)$/
const INGEST_BYTES = 8 * MIB
const frozen = new Set<string>()
const mounted: string[] = []
const servers: Server[] = []
after(() => {
  for (const folder of frozen) spawnSync('fsfreeze', ['--unfreeze', folder])
  for (const { child } of servers) child.kill('SIGKILL')
  for (const folder of mounted) spawnSync('umount', ['-l', folder])
})

test('hanging store: produce is told in time, health at once, memory is bounded, all goes on after', async (t) => {
  const place = freezable()
  if (place === null) return t.skip('SKIPPED: only root, and not in every container, can freeze a file system')
  const folder = temporaryFolder()
  const server = await startServer(folder, [
    '--store', `file:${place}/store`, '--store-free-bytes-min', '1MiB', '--ingest-bytes-max', String(INGEST_BYTES),
    '--log-cache-bytes-max', '0', '--chunk-give-up-ms', '5000'
  ])
  servers.push(server)
  const { http } = server.endpoints
  const addresses = [0, 1, 2].flatMap((zone) => [1, 2, 3].map(() => server.bootstrap(zone)))
  const probes = await Promise.all(addresses.map((address) => Probe.open(address)))
  const [first] = probes
  await first!.createTopic('t', 9)
  for (let n = 0; n < 3; n++) assert.equal((await first!.produce('t', 0, n)).error, 'NONE')
  await first!.fetch('t', 0)

  const beforeBytes = residentBytes(server)
  freeze(place)
  const untilMs = performance.now() + 6_000
  const codes = new Map<string, number>()
  await Promise.all(probes.map(async (probe, n) => {
    for (let counter = 100; performance.now() < untilMs; counter++) {
      const startedMs = performance.now()
      const { error } = await probe.produce('t', n, counter, { padding: 500_000, timeoutMs: 1_500 })
      codes.set(error, (codes.get(error) ?? 0) + 1)
      assert.match(error, RETRIABLE)
      assert(performance.now() - startedMs < 10_000, 'told long after the time it gave')
      await pause(20)
    }
  }))
  assert((codes.get('REQUEST_TIMED_OUT') ?? 0) > 0, JSON.stringify([...codes]))
  const askedMs = performance.now()
  const ready = await fetch(`http://${http.host}:${http.port}/ready`)
  assert.equal(ready.status, 503)
  assert.match(await ready.text(), /the store has not answered a PUT/)
  assert.equal((await fetch(`http://${http.host}:${http.port}/live`)).status, 200)
  assert(performance.now() - askedMs < 8_000)
  const grownBytes = residentBytes(server) - beforeBytes
  assert(grownBytes < 3 * INGEST_BYTES + 150 * MIB, `${Math.round(grownBytes / MIB)} MiB more`)

  thaw(place)
  const againMs = performance.now()
  let counter = 1_000
  while ((await first!.produce('t', 8, counter++)).error !== 'NONE')
    assert(performance.now() - againMs < 30_000, server.log())
  assert.equal((await first!.fetch('t', 0)).error, 'NONE')
  await pause(1_100)
  assert.equal((await fetch(`http://${http.host}:${http.port}/ready`)).status, 200)
  for (const probe of probes) probe.close()
  assert.equal(await server.end('SIGTERM'), 0)
})

/** A file system of its own that was frozen and thawed once, or null: that is not allowed here. */
function freezable(): string | null {
  const [image, place] = [join(temporaryFolder(), 'image'), temporaryFolder()]
  const did = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return null
  if (!did('truncate', '-s', '256M', image) || !did('mkfs.ext4', '-q', '-F', image)) return null
  if (!did('mount', '-o', 'loop', image, place)) return null
  mounted.push(place)
  return did('fsfreeze', '--freeze', place) && did('fsfreeze', '--unfreeze', place) ? place : null
}

function freeze(place: string): void {
  execFileSync('fsfreeze', ['--freeze', place])
  frozen.add(place)
}

function thaw(place: string): void {
  execFileSync('fsfreeze', ['--unfreeze', place])
  frozen.delete(place)
}

function residentBytes({ child }: Server): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) * 1_024
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}
