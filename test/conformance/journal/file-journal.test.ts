/** What only a journal in files can get wrong: torn writes, damage, reuse of files, disk size, failing disks. */
import assert from 'node:assert/strict'
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { nodeFiles } from '#cli/platform/node-files.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import type { ErrorCode } from '#shared/errors/error-codes.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { type FileJournalOptions, openFileJournal } from '#shared/journal/file-journal.ts'
import { type Journal, type JournalGroup, type Position, POSITION_NONE, type ShardJournal } from '#shared/journal/journal.ts'
import type { Files, OpenFile } from '#shared/runtime/files.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'

const awake = setInterval(() => {}, 1_000) // timers of the runtime do not keep the process alive
after(() => { clearInterval(awake) })

const WIDE = { groupsMax: 1_000_000, bytesMax: 1e9 }
const KIB = 1_024
const fails = (code: ErrorCode) => (error: unknown): boolean => error instanceof ZonewiseError && error.code === code
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

function open(folder: string, options: Partial<FileJournalOptions> = {}): Promise<Journal> {
  return openFileJournal({
    files: nodeFiles, folder, runtime: nodeRuntime, segmentBytes: 64 * KIB, frameBytesMax: 32 * KIB, recentBytesMax: 0,
    onFailure: (error) => { throw error }, ...options
  })
}

async function append(shard: ShardJournal, after: Position, body: Uint8Array): Promise<Position> {
  const outcome = await shard.append(after.epoch, after, [body])
  assert.ok(outcome.kind === 'durable')
  return outcome.position
}

async function bodies(journal: Journal, shard: number): Promise<string[]> {
  const groups: JournalGroup[] = await (await journal.shard(shard)).read(POSITION_NONE, WIDE)
  for (let at = 1; at < groups.length; at++) assert.equal(groups[at]!.afterCrc, groups[at - 1]!.crc)
  return groups.filter((group) => group.position.seq > 0).map((group) => Buffer.from(group.body).toString())
}

/** A journal with one shard and one frame per body, left as by a kill. */
async function written(folder: string, ...contents: string[]): Promise<void> {
  const live = `${folder}-live`
  const journal = await open(live)
  await journal.create(0)
  const shard = await journal.shard(0)
  let { position } = await shard.lead(0)
  for (const content of contents) position = await append(shard, position, text(content))
  cpSync(live, folder, { recursive: true })
  await journal.close()
}

const newest = (folder: string): string => `${folder}/${readdirSync(folder).filter((name) => name.startsWith('segment-')).sort().at(-1)!}`

/** Positions of the frames of a file of frames below 512 bytes. */
function frameStarts(file: string): number[] {
  const bytes = readFileSync(file)
  const starts: number[] = []
  for (let at = 512; bytes.subarray(at, at + 4).toString() === 'ZWJF'; at += 512) starts.push(at)
  return starts
}

test('file-journal: a tail torn at any byte is cut, and what was before is served', async () => {
  const folder = `${temporaryFolder()}/journal`
  await written(folder, 'one', 'two', 'the last group')
  const file = newest(folder)
  const bytes = readFileSync(file)
  const last = frameStarts(file).at(-1)!
  const frameBytes = 32 + bytes.readUInt32BE(last + 4)
  for (let kept = 0; kept < frameBytes; kept++) {
    const copy = `${folder}-${kept % 2}`
    rmSync(copy, { recursive: true, force: true })
    cpSync(folder, copy, { recursive: true })
    const torn = Buffer.from(bytes)
    torn.fill(kept % 3 === 0 ? 0xa5 : 0, last + kept, last + frameBytes) // zeros, or bytes of an earlier use
    if (torn.equals(bytes)) continue
    writeFileSync(newest(copy), torn)
    const journal = await open(copy, { segmentBytes: 8 * KIB })
    assert.deepEqual(await bodies(journal, 0), ['one', 'two'], `kept ${kept}`)
    if (kept % 16 === 0) {
      const shard = await journal.shard(0)
      await append(shard, (await shard.end()).position, text('anew'))
      await journal.close()
      const again = await open(copy, { segmentBytes: 8 * KIB })
      assert.deepEqual(await bodies(again, 0), ['one', 'two', 'anew'])
      await again.close()
    } else {
      await journal.close()
    }
  }
})

test('file-journal: a newest file that was cut short is no torn tail: files get their length before their name', async () => {
  const folder = `${temporaryFolder()}/journal`
  await written(folder, 'one', 'two')
  const position = frameStarts(newest(folder)).at(-1)! + 20
  truncateSync(newest(folder), position)
  await assert.rejects(open(folder), { code: 'JOURNAL_CORRUPT', context: { file: newest(folder), position } })
})

test('file-journal: a damaged body in an open segment is not served', async () => {
  const folder = `${temporaryFolder()}/journal`
  const journal = await open(folder)
  await journal.create(0)
  const shard = await journal.shard(0)
  const led = await shard.lead(0)
  await append(shard, led.position, text('a body to be damaged'))
  const bytes = readFileSync(newest(folder))
  bytes.write('A', bytes.indexOf('a body'))
  writeFileSync(newest(folder), bytes)
  await assert.rejects(shard.read(led.position, WIDE), fails('JOURNAL_CORRUPT'))
  await journal.close()
})

test('file-journal: frames of an earlier life of a file are not misread', async () => {
  // Goal: a reused file holds whole old frames behind the new ones; only the new ones count, even when it is the
  // newest and the process ends without a word. Method: many small segments, all trimmed away and used again.
  const folder = `${temporaryFolder()}/journal`
  let journal = await open(folder, { segmentBytes: 4 * KIB })
  await journal.create(0)
  let shard = await journal.shard(0)
  let { position } = await shard.lead(0)
  for (let n = 0; n < 100; n++) {
    position = await append(shard, position, text(`g${position.seq + 1}`))
    if (n % 5 === 4) await shard.trim(position.epoch, { epoch: position.epoch, seq: position.seq - 3 })
    if (n % 10 !== 9) continue
    cpSync(folder, `${folder}-copy`, { recursive: true }) // as after a kill: nothing was closed
    const copy = await open(`${folder}-copy`, { segmentBytes: 4 * KIB })
    assert.deepEqual((await bodies(copy, 0)).slice(-3), [2, 1, 0].map((back) => `g${position.seq - back}`))
    assert.deepEqual((await (await copy.shard(0)).end()).position, position)
    await copy.close()
    rmSync(`${folder}-copy`, { recursive: true })
  }
  await journal.close()
  journal = await open(folder, { segmentBytes: 4 * KIB })
  shard = await journal.shard(0)
  assert.deepEqual((await shard.end()).position, position)
  await journal.close()
})

test('file-journal: the disk stays bounded though idle shards never trim their newest group', async () => {
  const folder = `${temporaryFolder()}/journal`
  const segmentBytes = 16 * KIB
  let journal = await open(folder, { segmentBytes, frameBytesMax: 4 * KIB })
  const idle = [1, 2, 3, 4, 5]
  const idleEnds: unknown[] = []
  for (const shard of [0, ...idle]) await journal.create(shard)
  for (const number of idle) {
    const shard = await journal.shard(number)
    await append(shard, (await shard.lead(0)).position, text(`idle ${number}`))
    idleEnds.push(await shard.end())
  }
  const shard = await journal.shard(0)
  let { position } = await shard.lead(0)
  let segmentsMax = 0
  for (let n = 0; n < 600; n++) {
    position = await append(shard, position, new Uint8Array(1_000).fill(n))
    if (n % 10 === 9) await shard.trim(position.epoch, { epoch: position.epoch, seq: position.seq - 5 })
    segmentsMax = Math.max(segmentsMax, readdirSync(folder).length)
  }
  await journal.close()
  assert.ok(segmentsMax <= 10, `${segmentsMax} files`)
  const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(`${folder}/${name}`).size, 0)
  assert.ok(bytes <= 8 * segmentBytes, `${bytes} bytes`)
  journal = await open(folder, { segmentBytes, frameBytesMax: 4 * KIB })
  for (const [index, number] of idle.entries()) {
    const idleShard = await journal.shard(number)
    assert.deepEqual(await idleShard.end(), idleEnds[index])
    assert.deepEqual((await bodies(journal, number)).at(-1), `idle ${number}`)
  }
  assert.deepEqual((await (await journal.shard(0)).end()).position, position)
  await journal.close()
})

test('file-journal: copies of groups keep their order among newer ones', async () => {
  const folder = `${temporaryFolder()}/journal`
  let journal = await open(folder, { segmentBytes: 4 * KIB, frameBytesMax: 1 * KIB })
  for (const shard of [0, 1]) await journal.create(shard)
  const slow = await journal.shard(1)
  let slowPosition = (await slow.lead(0)).position
  const shard = await journal.shard(0)
  let { position } = await shard.lead(0)
  for (let n = 0; n < 300; n++) {
    position = await append(shard, position, new Uint8Array(300))
    if (n % 10 === 0) slowPosition = await append(slow, slowPosition, text(`s${n / 10}`)) // never trimmed
    await shard.trim(position.epoch, position)
  }
  const expected = Array.from({ length: 30 }, (_, n) => `s${n}`)
  assert.deepEqual(await bodies(journal, 1), expected)
  await journal.close()
  journal = await open(folder, { segmentBytes: 4 * KIB, frameBytesMax: 1 * KIB })
  assert.deepEqual(await bodies(journal, 1), expected)
  assert.deepEqual((await (await journal.shard(1)).end()).position, slowPosition)
  const files = readdirSync(folder).filter((name) => name.startsWith('segment-')).length
  assert.ok(files <= 12, `${files} segments`)
  await journal.close()
})

test('file-journal: a body above a segment gets a file that holds it', async () => {
  const folder = `${temporaryFolder()}/journal`
  let journal = await open(folder)
  await journal.create(0)
  const shard = await journal.shard(0)
  let { position } = await shard.lead(0)
  const big = Buffer.alloc(5_000_000, 'big')
  position = await append(shard, position, big)
  position = await append(shard, position, text('small'))
  await journal.close()
  journal = await open(folder)
  const groups = await (await journal.shard(0)).read(POSITION_NONE, WIDE)
  assert.ok(big.equals(groups.at(-2)!.body))
  await (await journal.shard(0)).trim(position.epoch, position)
  await journal.close()
})

/** Real files whose writes and syncs may be made to fail. */
function breakable(): { files: Files; faults: { write: ZonewiseError | null; sync: ZonewiseError | null; create: ZonewiseError | null } } {
  const faults: { write: ZonewiseError | null; sync: ZonewiseError | null; create: ZonewiseError | null } =
    { write: null, sync: null, create: null }
  const wrap = (file: OpenFile): OpenFile => ({
    path: file.path,
    read: (position, length) => file.read(position, length),
    write: (position, chunks) => (faults.write ? Promise.reject(faults.write) : file.write(position, chunks)),
    sync: () => (faults.sync ? Promise.reject(faults.sync) : file.sync()),
    bytes: () => file.bytes(),
    close: () => file.close()
  })
  const files: Files = {
    ...nodeFiles,
    open: async (path, access) => {
      const file = await nodeFiles.open(path, access)
      return file && wrap(file)
    },
    create: async (path) => (faults.create ? Promise.reject(faults.create) : wrap(await nodeFiles.create(path)))
  }
  return { files, faults }
}

test('file-journal: after a failed sync nothing is acknowledged any more, and the process is told', async () => {
  const folder = `${temporaryFolder()}/journal`
  const { files, faults } = breakable()
  const failures: ZonewiseError[] = []
  const journal = await open(folder, { files, onFailure: (error) => { failures.push(error) } })
  for (const shard of [0, 1]) await journal.create(shard)
  const [a, b] = [await journal.shard(0), await journal.shard(1)]
  const [one, two] = [await a.lead(0), await b.lead(0)]
  faults.sync = new ZonewiseError('STORE_UNAVAILABLE', 'injected')
  const results = await Promise.allSettled([append(a, one.position, text('x')), append(b, two.position, text('x'))])
  for (const result of results) assert.ok(result.status === 'rejected' && fails('JOURNAL_FAILED')(result.reason))
  faults.sync = null
  await assert.rejects(append(a, one.position, text('x')), fails('JOURNAL_FAILED'))
  await assert.rejects(a.end(), fails('JOURNAL_FAILED'))
  await assert.rejects(b.lead(5), fails('JOURNAL_FAILED'))
  assert.equal(failures.length, 1)
  await journal.close()
})

test('file-journal: a disk without room for a new segment leaves the append unsettled, and it succeeds later', async () => {
  const folder = `${temporaryFolder()}/journal`
  const { files, faults } = breakable()
  const journal = await open(folder, { files, segmentBytes: 4 * KIB })
  await journal.create(0)
  const shard = await journal.shard(0)
  let { position } = await shard.lead(0)
  faults.create = new ZonewiseError('STORE_FULL', 'injected')
  let unsettled = 0
  for (let n = 0; n < 40; n++) {
    try {
      position = await append(shard, position, new Uint8Array(900))
    } catch (error) {
      assert.ok(fails('JOURNAL_UNSETTLED')(error))
      assert.deepEqual((await shard.end()).position, position)
      if (++unsettled < 5) continue
      faults.create = null // the disk is not tried again at once
      await new Promise((resolve) => { setTimeout(resolve, 1_100) })
    }
  }
  assert.equal(unsettled, 5)
  assert.equal(position.seq, 35)
  assert.deepEqual(readdirSync(folder).filter((name) => name.startsWith('free-')).length <= 2, true)
  await journal.close()
})

test('file-journal: a closed journal takes nothing', async () => {
  const journal = await open(`${temporaryFolder()}/journal`)
  await journal.create(0)
  const shard = await journal.shard(0)
  const led = await shard.lead(0)
  await journal.close()
  await assert.rejects(append(shard, led.position, text('x')), fails('STOPPING'))
})
