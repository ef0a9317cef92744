/**
 * Goal: whatever is damaged in whatever file, a shard either says so or serves the end of what was appended to it,
 * exactly; at the first start and at all later ones.
 * Method: journals of several lives with trims, made, damaged and opened again by a seed: a bit, a sector of zeros, a
 * sector of an earlier time, a file cut short.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { nodeFiles } from '#cli/platform/node-files.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { openFileJournal } from '#shared/journal/file-journal.ts'
import { type Journal, type JournalGroup, type Position, POSITION_NONE } from '#shared/journal/journal.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { seeds } from '#test/support/seeds.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'

const awake = setInterval(() => {}, 1_000) // timers of the runtime do not keep the process alive
after(() => { clearInterval(awake) })

const SHARDS = [0, 1, 2, 3]
const SECTOR = 512
const WIDE = { groupsMax: 1_000_000, bytesMax: 1e9 }

type Truth = Map<number, { readonly position: Position; readonly body: string }[]>

const open = (folder: string): Promise<Journal> => openFileJournal({
  files: nodeFiles, folder, runtime: nodeRuntime, segmentBytes: 4_096, frameBytesMax: 1_024, recentBytesMax: 0,
  onFailure: (error) => { throw error }
})

/** One life: appends to all shards at once, so that they share frames; the idle ones are left alone. */
async function live(journal: Journal, rng: Rng, truth: Truth, shards: readonly number[]): Promise<void> {
  await Promise.all(shards.map(async (number) => {
    const shard = await journal.shard(number)
    const groups = truth.get(number)!
    let { position } = await shard.lead(0)
    groups.push({ position, body: '' })
    const count = rng.below(12)
    for (let n = 0; n < count; n++) {
      const body = `${number}:${groups.length}:${'x'.repeat(rng.below(200))}`
      const outcome = await shard.append(position.epoch, position, [Buffer.from(body)])
      assert.ok(outcome.kind === 'durable')
      position = outcome.position
      groups.push({ position, body })
      if (rng.below(5) === 0) await shard.trim(position.epoch, groups[rng.below(groups.length)]!.position)
    }
  }))
}

function filesOf(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('segment-')).sort().map((name) => `${folder}/${name}`)
}

function damage(folder: string, earlier: ReadonlyMap<string, Buffer>, rng: Rng): string {
  const file = rng.pick(filesOf(folder))
  const bytes = readFileSync(file)
  const sector = rng.below(bytes.length / SECTOR) * SECTOR
  const what = rng.pick(['bit', 'bit', 'zeros', 'earlier', 'short'])
  if (what === 'bit') bytes[rng.below(bytes.length)]! ^= 1 << rng.below(8)
  if (what === 'zeros') bytes.fill(0, sector, sector + SECTOR)
  if (what === 'earlier') (rng.pick([...earlier.values()])).copy(bytes, sector, sector, sector + SECTOR)
  writeFileSync(file, bytes)
  if (what === 'short') truncateSync(file, sector)
  return `${what} in ${file.slice(-4)}`
}

/** Each shard serves the end of the truth, or says what is wrong. @returns those that serve. */
async function judge(journal: Journal, truth: Truth, said: string): Promise<number[]> {
  const serving: number[] = []
  for (const [number, groups] of truth) {
    let found: JournalGroup[]
    try {
      found = await (await journal.shard(number)).read(POSITION_NONE, WIDE)
    } catch (error) {
      assert.ok(error instanceof ZonewiseError && error.code === 'JOURNAL_CORRUPT', said)
      assert.equal(typeof error.context['file'], 'string', said)
      continue
    }
    assert.ok(found.length > 0, `${said}: shard ${number} is empty`)
    const end = groups.slice(-found.length)
    assert.deepEqual(found.map(({ position }) => position), end.map(({ position }) => position), `${said}: ${number}`)
    assert.deepEqual(found.map(({ body }) => Buffer.from(body).toString()), end.map(({ body }) => body), said)
    serving.push(number)
  }
  return serving
}

for (const seed of seeds(30)) {
  test(`journal damage: no shard loses its end in silence (seed ${seed})`, async () => {
    const rng = new Rng(seed)
    const folder = `${temporaryFolder()}/journal`
    const truth: Truth = new Map(SHARDS.map((number) => [number, []]))
    const earlier = new Map<string, Buffer>()
    for (let life = 0; life < 3; life++) {
      const journal = await open(folder)
      for (const number of SHARDS) await journal.create(number)
      await live(journal, rng, truth, life === 0 ? SHARDS : SHARDS.filter(() => rng.below(2) === 0))
      await journal.close()
      for (const file of filesOf(folder)) earlier.set(file, readFileSync(file))
    }
    const said = damage(folder, earlier, rng)
    let serving: readonly number[] = SHARDS
    for (let start = 0; start < 3; start++) {
      let journal: Journal
      try {
        journal = await open(folder)
      } catch (error) {
        assert.ok(error instanceof ZonewiseError && error.code === 'JOURNAL_CORRUPT', said)
        return // refused with a sentence: nothing is served
      }
      const now = await judge(journal, truth, `${said}, start ${start}`)
      assert.ok(now.every((number) => serving.includes(number)), `${said}: served what was in doubt, at start ${start}`)
      serving = now
      await live(journal, rng, new Map([...truth].filter(([number]) => now.includes(number))), now)
      await journal.close()
    }
  })
}

