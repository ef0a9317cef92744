/**
 * Goal: damage on the disk costs what it hit, says file and position, and gives clients codes that they retry; all else
 * goes on, and what is put back heals. Nothing goes on from nothing.
 * Method: a server fills a folder, which is copied, damaged and started again: each kind of file once.
 */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Probe } from '#test/support/probe.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { FREE_LISTENERS, launchServer, startServer, type Server } from '#test/support/zonewise-process.ts'

const PARTITIONS = [0, 1, 2, 3, 4, 5, 6, 7]
/** Few shards, so that each has partitions; no log cache, so that reads meet the disk. */
const FLAGS = ['--shards', '4', '--log-cache-bytes-max', '0']
const RETRIABLE = /^(KAFKA_STORAGE_ERROR|NOT_LEADER_OR_FOLLOWER|REQUEST_TIMED_OUT)$/
const COMPACT = 2 // the format of groups that hold commits
const killed = join(temporaryFolder(), 'killed') // by kill -9: all is in the journal
const stopped = join(temporaryFolder(), 'stopped') // in peace: snapshots are written
const servers: Server[] = []

async function start(folder: string): Promise<Server> {
  const server = await startServer(folder, FLAGS)
  servers.push(server)
  return server
}

before(async () => {
  const folder = temporaryFolder()
  let server = await start(folder)
  const probe = await Probe.open(server.bootstrap(0))
  await probe.createTopic('t', PARTITIONS.length)
  for (let counter = 0; counter < 3; counter++)
    for (const partition of PARTITIONS) assert.equal((await probe.produce('t', partition, counter)).error, 'NONE')
  probe.close()
  await server.end('SIGKILL')
  cpSync(folder, killed, { recursive: true })
  server = await start(folder)
  await server.end('SIGTERM')
  cpSync(folder, stopped, { recursive: true })
})
after(() => { for (const { child } of servers) child.kill('SIGKILL') }) // those of tests that failed

function copyOf(folder: string): string {
  const copy = join(temporaryFolder(), 'copy')
  cpSync(folder, copy, { recursive: true })
  return copy
}

function flip(file: string, position: number): void {
  const bytes = readFileSync(file)
  bytes[position]! ^= 0x10
  writeFileSync(file, bytes)
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name)).sort()
}

const expected = (partition: number): string[] => [0, 1, 2].map((counter) => `p${partition}:${counter}`)

/** What each partition gives; for those that give nothing the code is retriable. */
async function readAll(probe: Probe): Promise<{ readonly good: number[]; readonly bad: number[] }> {
  const [good, bad]: [number[], number[]] = [[], []]
  for (const partition of PARTITIONS) {
    const { error, records } = await probe.fetch('t', partition)
    if (error !== 'NONE') assert.match(error, RETRIABLE)
    else assert.deepEqual(records.slice(0, 3), expected(partition))
    ;(error === 'NONE' ? good : bad).push(partition)
  }
  return { good, bad }
}

async function refused(folder: string, sentence: RegExp): Promise<void> {
  const { exited, log } = launchServer(folder, FLAGS, FREE_LISTENERS)
  assert.equal(await exited, 1, log())
  const sentences = log().split('\n').filter((line) => line.startsWith('zonewise: '))
  assert.equal(sentences.length, 1, log())
  assert.match(sentences[0]!, sentence)
  assert.doesNotMatch(log(), /^\s+at /m)
}

test('damage: a flipped bit in the journal quarantines the shards it hit; the others are written and read', async () => {
  const folder = copyOf(killed)
  const [segment] = filesBelow(join(folder, 'data', 'journal')).filter((file) => /segment-\d+$/.test(file))
  const at = commitBodies(segment!).at(-5)! + 20
  flip(segment!, at)
  let server = await start(folder)
  const probe = await Probe.open(server.bootstrap(1))
  const { good, bad } = await readAll(probe)
  assert(good.length > 0 && bad.length > 0, `good ${good.join()}, bad ${bad.join()}`)
  for (const partition of good) assert.equal((await probe.produce('t', partition, 3)).error, 'NONE')
  for (const partition of bad) assert.match((await probe.produce('t', partition, 3)).error, RETRIABLE)
  const { http } = server.endpoints
  const ready = await fetch(`http://${http.host}:${http.port}/ready`)
  assert.equal(ready.status, 503)
  const { missing } = await ready.json() as { readonly missing: readonly string[] }
  assert.equal(missing.length, 1)
  assert.match(missing[0]!, new RegExp(`^shard \\d is quarantined: .*${segment!}, position \\d+`))
  assert.match(server.log(), /"level":50.*started without what is quarantined/)
  assert(server.log().split('\n').filter((line) => line.includes('"level":50')).length < 10, server.log())
  probe.close()
  assert.equal(await server.end('SIGTERM'), 0)
  flip(segment!, at)
  server = await start(folder)
  const again = await Probe.open(server.bootstrap(2))
  assert.deepEqual((await readAll(again)).bad, [])
  again.close()
  await server.end('SIGKILL')
})

/** Where the bodies of groups lie that say what was committed. */
function commitBodies(file: string): number[] {
  const bytes = readFileSync(file)
  const bodies: number[] = []
  for (let at = 512; at < bytes.length; at += 512) {
    const isFrame = bytes.toString('latin1', at, at + 4) === 'ZWJF'
    if (!isFrame) continue
    const [shard, bodyBytes, bodyAt] = [bytes.readUInt32BE(at + 32 + 4), bytes.readUInt32BE(at + 32 + 48), at + 32 + 56]
    if (shard < 4 && bodyBytes > 0 && bytes[bodyAt] === COMPACT) bodies.push(bodyAt)
  }
  return bodies
}

test('damage: a flipped bit in the newest group, written before a kill, is no torn tail once the journal was idle', async () => {
  const folder = temporaryFolder()
  let server = await start(folder)
  const probe = await Probe.open(server.bootstrap(0))
  await probe.createTopic('t', 1)
  assert.equal((await probe.produce('t', 0, 0)).error, 'NONE')
  await new Promise((resolve) => { setTimeout(resolve, 1_500) })
  probe.close()
  await server.end('SIGKILL')
  const [segment] = filesBelow(join(folder, 'data', 'journal')).filter((file) => /segment-\d+$/.test(file))
  flip(segment!, commitBodies(segment!).at(-1)! + 20)
  server = await start(folder)
  const again = await Probe.open(server.bootstrap(0))
  assert.match((await again.fetch('t', 0)).error, RETRIABLE)
  again.close()
  await server.end('SIGKILL')
})

test('damage: snapshots with flipped bits are told, and what is before them serves as well', async () => {
  const folder = copyOf(stopped)
  const snapshots = filesBelow(join(folder, 'data', 'store', 'snapshots'))
  assert(snapshots.length >= 8)
  for (const file of snapshots) flip(file, readFileSync(file).length >> 1)
  const server = await start(folder)
  const probe = await Probe.open(server.bootstrap(0))
  assert.deepEqual((await readAll(probe)).bad, []) // the journal still holds all
  for (const file of snapshots.filter((one) => one.endsWith('.head')))
    assert.match(server.log(), new RegExp(`"level":50.*${file.slice(file.indexOf('snapshots/'))}`))
  probe.close()
  await server.end('SIGKILL')
})

test('damage: a chunk that is flipped, cut, gone or no file is told with key and position, and good again when put back', async () => {
  const ways: [string, (file: string) => void, (file: string) => string][] = [
    ['a flipped bit', (file) => { flip(file, 70) }, (file) => `${keyOf(file)}, position \\d+`],
    ['cut short', (file) => { truncateSync(file, 30) }, (file) => `${keyOf(file)}, position \\d+`],
    ['gone', (file) => { rmSync(file) }, keyOf],
    ['a folder', (file) => { rmSync(file); mkdirSync(file) }, (file) => file]
  ]
  for (const [way, harm, said] of ways) {
    const folder = copyOf(stopped)
    const [chunk] = filesBelow(join(folder, 'data', 'store', 'chunks'))
    const intact = readFileSync(chunk!)
    harm(chunk!)
    const server = await start(folder)
    const probe = await Probe.open(server.bootstrap(0))
    const { good, bad } = await readAll(probe)
    assert.equal(bad.length, 1, way)
    assert.equal(good.length, PARTITIONS.length - 1)
    assert.match(server.log(), new RegExp(`"level":[45]0.*${said(chunk!)}`), way)
    assert.equal((await probe.produce('t', bad[0]!, 3)).error, 'NONE') // what is written next is good
    rmSync(chunk!, { recursive: true, force: true })
    writeFileSync(`${chunk!}.new`, intact)
    renameSync(`${chunk!}.new`, chunk!)
    assert.deepEqual((await readAll(probe)).bad, [], `${way}, put back`)
    probe.close()
    await server.end('SIGKILL')
  }
})

const keyOf = (file: string): string => file.slice(file.indexOf('chunks/'))

test('damage: a footer of a chunk with flipped bits costs no reader anything', async () => {
  const folder = copyOf(stopped)
  for (const file of filesBelow(join(folder, 'data', 'store', 'chunks'))) flip(file, readFileSync(file).length - 20)
  const server = await start(folder)
  const probe = await Probe.open(server.bootstrap(0))
  assert.deepEqual((await readAll(probe)).bad, [])
  probe.close()
  await server.end('SIGKILL')
})

test('damage: a flipped bit in what says which cluster it is stops the start, naming the file', async () => {
  for (const file of ['store/meta/cluster', 'store/meta/shards', 'journal/journal.json', 'format.json']) {
    const folder = copyOf(stopped)
    flip(join(folder, 'data', file), 25)
    await refused(folder, new RegExp(`${file.replace('store/', '')}, position 0`))
  }
})

test('damage: without its journal, or its store, or with those of another cluster, nothing is started', async () => {
  const other = temporaryFolder()
  const server = await start(other)
  await server.end('SIGTERM')
  const cases: [string, (data: string) => void, RegExp][] = [
    ['no journal', (data) => { rmSync(join(data, 'journal'), { recursive: true }) }, /its journal is empty/],
    ['no journal, and no data yet', (data) => {
      for (const one of ['journal', 'store/snapshots', 'store/chunks']) rmSync(join(data, one), { recursive: true })
    }, /its journal is empty/],
    ['no segments', (data) => {
      for (const file of filesBelow(join(data, 'journal'))) if (/-\d+$/.test(file)) rmSync(file)
    }, /segments of the journal are gone/],
    ['no description', (data) => {
      rmSync(join(data, 'journal', 'journal.json'))
    }, /description of the journal is gone/],
    ['no store', (data) => {
      rmSync(join(data, 'store'), { recursive: true })
    }, /the journal belongs to a cluster, the store to none/],
    ['another store', (data) => { replace(data, other, 'store') }, /different clusters/],
    ['another journal', (data) => { replace(data, other, 'journal') }, /different clusters/],
    ['another cluster in a folder', (data) => {
      for (const one of ['store', 'journal']) replace(data, other, one)
    }, /the data folder is of another cluster/]
  ]
  for (const [, harm, sentence] of cases) {
    const folder = copyOf(stopped)
    harm(join(folder, 'data'))
    await refused(folder, sentence)
  }
})

function replace(data: string, other: string, part: string): void {
  rmSync(join(data, part), { recursive: true })
  cpSync(join(other, 'data', part), join(data, part), { recursive: true })
}
