/**
 * Goal: damage of a journal file costs only the shards that it hit or may have hit, names file and position, and is
 * never skipped silently, however often the journal is opened again; a file that is put back heals all.
 * Method: small journals in real files, damaged at chosen places, opened again, against what was appended.
 */
import assert from 'node:assert/strict'
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { nodeFiles } from '#cli/platform/node-files.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { type FileJournalOptions, openFileJournal } from '#shared/journal/file-journal.ts'
import { type Journal, type Position, POSITION_NONE, type ShardJournal } from '#shared/journal/journal.ts'
import { SEGMENT } from '#shared/journal/segment-format.ts'
import { RecordingLog } from '#test/support/gateway-twin.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'

const awake = setInterval(() => {}, 1_000) // timers of the runtime do not keep the process alive
after(() => { clearInterval(awake) })

const WIDE = { groupsMax: 1_000_000, bytesMax: 1e9 }
const KIB = 1_024

type Opened = { readonly journal: Journal; readonly log: RecordingLog }

async function open(folder: string, options: Partial<FileJournalOptions> = {}): Promise<Opened> {
  const log = new RecordingLog()
  const journal = await openFileJournal({
    files: nodeFiles, folder, runtime: nodeRuntime, segmentBytes: 64 * KIB, frameBytesMax: 32 * KIB, recentBytesMax: 0,
    log, onFailure: (error) => { throw error }, ...options
  })
  return { journal, log }
}

async function append(shard: ShardJournal, after: Position, text: string): Promise<Position> {
  const outcome = await shard.append(after.epoch, after, [new TextEncoder().encode(text)])
  assert.ok(outcome.kind === 'durable')
  return outcome.position
}

/** Bodies of a shard, or what it says instead. */
async function look(journal: Journal, shard: number): Promise<string[] | ZonewiseError> {
  try {
    const groups = await (await journal.shard(shard)).read(POSITION_NONE, WIDE)
    return groups.filter(({ position }) => position.seq > 0).map(({ body }) => Buffer.from(body).toString())
  } catch (error) {
    assert.ok(error instanceof ZonewiseError)
    return error
  }
}

function assertDamaged(found: string[] | ZonewiseError, file: string, position: number | null): void {
  assert.ok(found instanceof ZonewiseError, `served ${String(found)}`)
  assert.equal(found.code, 'JOURNAL_CORRUPT')
  assert.equal(found.context['file'], file)
  if (position !== null) assert.equal(found.context['position'], position)
}

/** Three shards; each step is a frame of its own: `0a` appends `0a` to shard 0. Left as by a kill: a copy. */
async function written(steps: readonly string[]): Promise<string> {
  const folder = `${temporaryFolder()}/journal`
  const { journal } = await open(folder)
  const ends = new Map<number, Position>()
  for (const number of [0, 1, 2]) await journal.create(number)
  for (const number of [0, 1, 2]) ends.set(number, (await (await journal.shard(number)).lead(0)).position)
  for (const step of steps) {
    const number = Number(step[0])
    ends.set(number, await append(await journal.shard(number), ends.get(number)!, step))
  }
  cpSync(folder, `${folder}-killed`, { recursive: true })
  await journal.close()
  return `${folder}-killed`
}

function segments(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('segment-')).sort().map((name) => `${folder}/${name}`)
}

const newest = (folder: string): string => segments(folder).at(-1)!
const oldest = (folder: string): string => segments(folder)[0]!

function flip(file: string, position: number): void {
  const bytes = readFileSync(file)
  bytes[position]! ^= 0x10
  writeFileSync(file, bytes)
}

/** Where the frame begins that holds `text`, and where the text is. */
function find(file: string, text: string): { readonly frame: number; readonly body: number } {
  const body = readFileSync(file).indexOf(text)
  assert.ok(body > 0)
  return { frame: Math.floor(body / SEGMENT.alignBytes) * SEGMENT.alignBytes, body }
}

const STEPS = ['0one', '1one', '2one', '0two', '1two', '0three']

test('journal damage: a flipped bit in a body costs the shard of that body, and no other', async () => {
  const folder = await written(STEPS)
  const file = newest(folder)
  const { frame, body } = find(file, '1one')
  flip(file, body + 1)
  const expected = ['0one', '0two', '0three']
  for (let start = 0; start < 3; start++) { // said at every start, not only at the first
    const { journal, log } = await open(folder)
    assert.deepEqual(await look(journal, 0), expected)
    assert.deepEqual(await look(journal, 2), ['2one'])
    assertDamaged(await look(journal, 1), file, body)
    const [said] = log.lines.filter(({ level }) => level === 'error')
    assert.deepEqual([said?.fields['file'], said?.fields['position']], [file, frame])
    const zero = await journal.shard(0)
    const led = await zero.lead(0)
    await append(zero, led.position, `0life${start}`) // intact shards go on
    expected.push(`0life${start}`)
    await journal.close()
  }
  flip(file, body + 1) // the file is put back as it was
  const { journal, log } = await open(folder)
  assert.deepEqual(await look(journal, 1), ['1one', '1two'])
  assert.deepEqual(log.lines.filter(({ level }) => level === 'error'), [])
  await journal.close()
})

test('journal damage: each flipped bit of a middle frame is noticed, and a shard with newer groups is judged by its chain', async () => {
  const folder = await written(STEPS)
  const file = newest(folder)
  const { frame } = find(file, '1one')
  const frameBytes = SEGMENT.frameHeaderBytes + SEGMENT.recordHeaderBytes + 4
  for (let bit = 0; bit < frameBytes * 8; bit += 13) {
    const copy = `${folder}-${bit % 2}`
    rmSync(copy, { recursive: true, force: true })
    cpSync(folder, copy, { recursive: true })
    const damaged = newest(copy)
    flip(damaged, frame + (bit >>> 3))
    const { journal, log } = await open(copy)
    assert.deepEqual(await look(journal, 0), ['0one', '0two', '0three'], `bit ${bit}`)
    const [one, two] = [await look(journal, 1), await look(journal, 2)]
    if (one instanceof ZonewiseError) assertDamaged(one, damaged, null)
    else assert.deepEqual(one, ['1one', '1two'], `bit ${bit}`)
    assert.ok(two instanceof ZonewiseError ? two.code === 'JOURNAL_CORRUPT' : two.length === 1, `bit ${bit}`)
    const errors = log.lines.filter(({ level }) => level === 'error')
    assert.deepEqual(errors.map(({ fields }) => [fields['file'], fields['position']]), [[damaged, frame]], `bit ${bit}`)
    await journal.close()
  }
})

test('journal damage: a damaged header of one record spares the other shards of its frame', async () => {
  const folder = `${temporaryFolder()}/journal`
  const { journal } = await open(folder)
  for (const number of [0, 1, 2]) await journal.create(number)
  const shards = await Promise.all([0, 1, 2].map((number) => journal.shard(number)))
  const led = await Promise.all(shards.map((shard) => shard.lead(0))) // one frame
  await Promise.all(shards.map((shard, number) => append(shard, led[number]!.position, `${number}one`))) // and another
  await append(shards[2]!, { epoch: 1, seq: 1 }, '2two')
  cpSync(folder, `${folder}-killed`, { recursive: true })
  await journal.close()
  const file = newest(`${folder}-killed`)
  flip(file, find(file, '1one').body - 30) // in the header of its record
  const again = await open(`${folder}-killed`)
  assert.deepEqual(await look(again.journal, 0), ['0one'])
  assert.deepEqual(await look(again.journal, 2), ['2one', '2two'])
  assertDamaged(await look(again.journal, 1), file, find(file, '0one').frame)
  await again.journal.close()
})

test('journal damage: where it cannot be known whose groups are lost, no shard without newer ones goes on', async () => {
  const folder = await written(['0one', '1one', '2one', '0two'])
  const file = newest(folder)
  const { frame } = find(file, '1one')
  const bytes = readFileSync(file)
  bytes.fill(0, frame, frame + SEGMENT.alignBytes) // a sector is gone: nothing says what it was
  writeFileSync(file, bytes)
  for (let start = 0; start < 2; start++) {
    const { journal } = await open(folder)
    assert.deepEqual(await look(journal, 0), ['0one', '0two'])
    assert.deepEqual(await look(journal, 2), ['2one'])
    assertDamaged(await look(journal, 1), file, frame)
    const one = await journal.shard(1)
    await assert.rejects(one.lead(0), { code: 'JOURNAL_CORRUPT' })
    await assert.rejects(one.end(), { code: 'JOURNAL_CORRUPT' })
    await assert.rejects(one.append(1, { epoch: 1, seq: 1 }, [new Uint8Array(1)]), { code: 'JOURNAL_CORRUPT' })
    await journal.close()
  }
})

test('journal damage: a damaged header of a segment is told, and read by its frames', async () => {
  const folder = `${temporaryFolder()}/journal`
  const { journal } = await open(folder, { segmentBytes: 2 * KIB })
  await journal.create(0)
  const shard = await journal.shard(0)
  let { position } = await shard.lead(0)
  const expected = Array.from({ length: 10 }, (_, n) => `g${n}`)
  for (const text of expected) position = await append(shard, position, text)
  await journal.close()
  for (const which of [oldest, newest]) {
    const copy = `${folder}-${which.name}`
    cpSync(folder, copy, { recursive: true })
    const file = which(copy)
    flip(file, 9)
    const again = await open(copy, { segmentBytes: 2 * KIB })
    assert.deepEqual(await look(again.journal, 0), expected)
    const [said] = again.log.lines.filter(({ level }) => level === 'error')
    assert.deepEqual([said?.fields['file'], said?.fields['position']], [file, 0])
    await again.journal.close()
  }
})

test('journal damage: the last frame of an older segment is no torn tail', async () => {
  const folder = `${temporaryFolder()}/journal`
  const { journal } = await open(folder, { segmentBytes: 2 * KIB })
  for (const number of [0, 1]) await journal.create(number)
  const [zero, one] = [await journal.shard(0), await journal.shard(1)]
  let [position] = [(await zero.lead(0)).position]
  const idle = await append(one, (await one.lead(0)).position, 'idle')
  for (let n = 0; n < 10; n++) position = await append(zero, position, `g${n}`)
  await journal.close()
  const file = segments(folder)[1]!
  const isFrame = (at: number): boolean => readFileSync(file).toString('latin1', at, at + 4) === 'ZWJF'
  const last = Array.from({ length: 3 }, (_, n) => SEGMENT.alignBytes * (n + 1)).findLast(isFrame)!
  const intact = readFileSync(file)
  flip(file, last + SEGMENT.frameHeaderBytes + SEGMENT.recordHeaderBytes)
  let again = await open(folder, { segmentBytes: 2 * KIB })
  assertDamaged(await look(again.journal, 0), file, last + SEGMENT.frameHeaderBytes + SEGMENT.recordHeaderBytes)
  assert.deepEqual(await look(again.journal, 1), ['idle'])
  await again.journal.close()
  writeFileSync(file, Buffer.from(intact).fill(0, last))
  again = await open(folder, { segmentBytes: 2 * KIB })
  assertDamaged(await look(again.journal, 0), file, last)
  // What a snapshot may cover is served.
  const left = await (await again.journal.shard(0)).read({ epoch: 1, seq: 6 }, WIDE)
  assert.equal(Buffer.from(left.at(-1)!.body).toString(), 'g9')
  assertDamaged(await look(again.journal, 1), file, last) // nothing newer says that nothing of it is lost
  assert.deepEqual(idle.seq, 1)
  await again.journal.close()
})

test('journal damage: a segment that is gone, or has nothing to be known by, stops the start', async () => {
  const folder = `${temporaryFolder()}/journal`
  const { journal } = await open(folder, { segmentBytes: 2 * KIB })
  await journal.create(0)
  const shard = await journal.shard(0)
  let { position } = await shard.lead(0)
  for (let n = 0; n < 10; n++) position = await append(shard, position, `g${n}`)
  await journal.close()
  const file = segments(folder)[1]!
  const intact = readFileSync(file)
  writeFileSync(file, new Uint8Array(intact.byteLength))
  await assert.rejects(open(folder), { code: 'JOURNAL_CORRUPT', context: { file, position: 0 } })
  rmSync(file)
  await assert.rejects(open(folder), { code: 'JOURNAL_CORRUPT', context: { file, position: 0 } })
  for (const name of segments(folder)) rmSync(name)
  await assert.rejects(open(folder), { code: 'JOURNAL_MISSING' })
})

test('journal damage: segments with groups that somebody still misses are kept, whatever is trimmed', async () => {
  const folder = await written(STEPS)
  const file = newest(folder)
  const { body } = find(file, '1one')
  flip(file, body + 1)
  const { journal } = await open(folder, { segmentBytes: 4 * KIB })
  const zero = await journal.shard(0)
  let { position } = await zero.lead(0)
  for (let n = 0; n < 60; n++) {
    position = await append(zero, position, `0more ${n} ${'x'.repeat(500)}`)
    await zero.trim(position.epoch, position)
  }
  await journal.close()
  flip(file, body + 1)
  const again = await open(folder, { segmentBytes: 4 * KIB })
  assert.deepEqual(await look(again.journal, 1), ['1one', '1two'])
  assert.deepEqual((await (await again.journal.shard(0)).end()).position, position)
  await again.journal.close()
})

test('journal damage: after a stop in peace the last group too is told from a torn tail', async () => {
  const folder = `${temporaryFolder()}/journal`
  const { journal } = await open(folder)
  await journal.create(0)
  const shard = await journal.shard(0)
  const led = await shard.lead(0)
  await append(shard, led.position, 'the last one')
  await journal.close()
  const file = newest(folder)
  const { body } = find(file, 'the last one')
  flip(file, body)
  const again = await open(folder)
  assertDamaged(await look(again.journal, 0), file, body)
  await again.journal.close()
})

test('journal damage: a torn tail that is cut is told', async () => {
  const folder = await written(['0one', '0two'])
  const file = newest(folder)
  const { frame, body } = find(file, '0two')
  flip(file, body)
  const { journal, log } = await open(folder)
  assert.deepEqual(await look(journal, 0), ['0one'])
  const [said] = log.lines.filter(({ level }) => level === 'warn')
  assert.deepEqual([said?.fields['file'], said?.fields['position']], [file, frame])
  await journal.close()
})
