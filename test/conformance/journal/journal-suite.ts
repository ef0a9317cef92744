/** What every journal must do: the contract of shared/journal/journal.ts as tests. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ErrorCode } from '#shared/errors/error-codes.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import {
  type AppendOutcome, comparePositions, type Journal, type JournalEnd, type JournalGroup, type Position, POSITION_NONE,
  type ShardJournal
} from '#shared/journal/journal.ts'

export type JournalUnderTest = {
  readonly name: string
  /** A new, empty journal. */
  open(): Promise<Journal>
  /** Closes `journal` and opens what it left behind. */
  reopen(journal: Journal): Promise<Journal>
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const string = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const fails = (code: ErrorCode) => (error: unknown): boolean => error instanceof ZonewiseError && error.code === code
const WIDE = { groupsMax: 1_000_000, bytesMax: 1e9 }

/** Repeats until settled, as a leader does. */
async function settle<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call()
    } catch (error) {
      if (!fails('JOURNAL_UNSETTLED')(error) || attempt === 100) throw error
    }
  }
}

const lead = (shard: ShardJournal, above = 0, known = POSITION_NONE): Promise<JournalEnd> => settle(() => shard.lead(above, known))
const append = (shard: ShardJournal, after: Position, ...body: Uint8Array[]): Promise<AppendOutcome> =>
  settle(() => shard.append(after.epoch, after, body))
const trim = (shard: ShardJournal, epoch: number, to: Position): Promise<void> => settle(() => shard.trim(epoch, to))
const shardOf = (journal: Journal, shard: number): Promise<ShardJournal> => settle(() => journal.shard(shard))
const end = (shard: ShardJournal): Promise<JournalEnd> => settle(() => shard.end())
const read = (shard: ShardJournal, after: Position, bounds = WIDE): Promise<JournalGroup[]> => settle(() => shard.read(after, bounds))

async function appendDurably(shard: ShardJournal, after: Position, ...body: Uint8Array[]): Promise<JournalEnd> {
  const outcome = await append(shard, after, ...body)
  assert.ok(outcome.kind === 'durable')
  return outcome
}

/** Appends `count` groups `g<seq>` behind `after`. */
async function fill(shard: ShardJournal, after: Position, count: number): Promise<Position> {
  let position = after
  for (let n = 0; n < count; n++) ({ position } = await appendDurably(shard, position, text(`g${position.seq + 1}`)))
  return position
}

/** Waits for what comes a moment later. */
async function until(isSo: () => boolean): Promise<void> {
  for (const deadlineMs = performance.now() + 5_000; !isSo();) {
    assert.ok(performance.now() < deadlineMs, 'never so')
    await new Promise((resolve) => { setTimeout(resolve, 1) })
  }
}

function assertChain(groups: readonly JournalGroup[]): void {
  for (let at = 1; at < groups.length; at++) {
    assert.deepEqual(groups[at]!.after, groups[at - 1]!.position)
    assert.equal(groups[at]!.afterCrc, groups[at - 1]!.crc)
  }
}

export function journalSuite({ name, open, reopen }: JournalUnderTest): void {
  const openShards = async (...shards: number[]): Promise<{ journal: Journal; shards: ShardJournal[] }> => {
    const journal = await open()
    for (const shard of shards) await settle(() => journal.create(shard))
    return { journal, shards: await Promise.all(shards.map((shard) => shardOf(journal, shard))) }
  }

  describe(`journal (${name})`, () => {
    test('journal: a shard that was never created is missing, create is idempotent', async () => {
      const journal = await open()
      await assert.rejects(shardOf(journal, 3), fails('JOURNAL_MISSING'))
      await settle(() => journal.create(3))
      const shard = await shardOf(journal, 3)
      const { position } = await lead(shard)
      await settle(() => journal.create(3))
      assert.deepEqual((await end(shard)).position, position)
      await journal.close()
    })

    test('journal: an empty shard ends at nothing', async () => {
      const { journal, shards: [shard] } = await openShards(0)
      assert.deepEqual(await end(shard!), { position: POSITION_NONE, crc: 0 })
      assert.deepEqual(await read(shard!, POSITION_NONE), [])
      await journal.close()
    })

    test('journal: lead takes an epoch above what it is told and above the newest', async () => {
      const { journal, shards: [shard] } = await openShards(0)
      const first = await lead(shard!)
      assert.ok(first.position.epoch >= 1 && first.position.seq === 0)
      const second = await lead(shard!)
      assert.ok(second.position.epoch > first.position.epoch)
      const third = await lead(shard!, 1_000)
      assert.ok(third.position.epoch > 1_000)
      assert.deepEqual(await end(shard!), third)
      assert.ok(new Set([first.crc, second.crc, third.crc]).size === 3)
      await journal.close()
    })

    test('journal: epochs may be as large as numbers are exact', async () => {
      const { journal, shards: [shard] } = await openShards(0)
      const above = Number.MAX_SAFE_INTEGER - 2
      const led = await lead(shard!, above)
      assert.equal(led.position.epoch, above + 1)
      const one = await appendDurably(shard!, led.position, text('far'))
      assert.deepEqual(await end(shard!), { position: one.position, crc: one.crc })
      assert.deepEqual((await lead(shard!)).position, { epoch: Number.MAX_SAFE_INTEGER, seq: 0 })
      const groups = await read(shard!, POSITION_NONE)
      assertChain(groups)
      assert.deepEqual(groups.at(-2)!.position, { epoch: above + 1, seq: 1 })
      await journal.close()
    })

    test('journal: who knows a newer position than the end does not lead, and nothing is written', async () => {
      const { journal, shards: [shard] } = await openShards(0)
      const known = { epoch: 3, seq: 7 }
      await assert.rejects(lead(shard!, 0, known), fails('JOURNAL_MISSING'))
      assert.deepEqual((await end(shard!)).position, POSITION_NONE)
      const led = await lead(shard!, 4, POSITION_NONE)
      const position = await fill(shard!, led.position, 3)
      for (const lost of [{ ...position, seq: position.seq + 1 }, { epoch: position.epoch + 1, seq: 0 }])
        await assert.rejects(lead(shard!, 100, lost), fails('JOURNAL_MISSING'))
      assert.deepEqual((await end(shard!)).position, position)
      assert.deepEqual((await lead(shard!, 100, position)).position, { epoch: 101, seq: 0 })
      await lead(shard!, 0, { ...position, seq: 1 })
      await journal.close()
    })

    test('journal: appends follow each other densely, bodies keep their bytes and their order', async () => {
      const { journal, shards: [shard] } = await openShards(0)
      const led = await lead(shard!)
      const big = new Uint8Array(3_000_000).map((_, index) => index * 31)
      const one = await appendDurably(shard!, led.position, text('one '), text('group'))
      const two = await appendDurably(shard!, one.position, text('x'), big, text('y'))
      const three = await appendDurably(shard!, two.position)
      assert.deepEqual([one, two, three].map((group) => group.position.seq), [1, 2, 3])
      assert.deepEqual((await end(shard!)).position, three.position)
      const groups = await read(shard!, POSITION_NONE)
      assertChain(groups)
      const last = groups.slice(-4)
      assert.deepEqual(last.map((group) => group.position), [led, one, two, three].map((group) => group.position))
      assert.deepEqual(last.map((group) => group.crc), [led.crc, one.crc, two.crc, three.crc])
      assert.equal(last[0]!.body.byteLength, 0)
      assert.equal(string(last[1]!.body), 'one group')
      assert.ok(Buffer.from(last[2]!.body).equals(Buffer.concat([text('x'), big, text('y')])))
      assert.equal(last[3]!.body.byteLength, 0)
      await journal.close()
    })

    test('journal: the first group names nothing as its predecessor, every other its exact one', async () => {
      const { journal, shards: [shard] } = await openShards(0)
      const led = await lead(shard!)
      await fill(shard!, led.position, 5)
      const again = await lead(shard!)
      await fill(shard!, again.position, 5)
      const groups = await read(shard!, POSITION_NONE)
      assert.deepEqual(groups[0]!.after, POSITION_NONE)
      assert.equal(groups[0]!.afterCrc, 0)
      assertChain(groups)
      await journal.close()
    })

    test('journal: a newer leader fences the older one', async () => {
      const { journal, shards: [old] } = await openShards(0)
      const newer = await shardOf(journal, 0)
      const led = await lead(old!)
      const one = await appendDurably(old!, led.position, text('mine'))
      const taken = await lead(newer)
      assert.deepEqual(await append(old!, one.position, text('late')), { kind: 'fenced', end: taken })
      const two = await appendDurably(newer, taken.position, text('new'))
      assert.deepEqual(await append(old!, one.position, text('late')), { kind: 'fenced', end: { position: two.position, crc: two.crc } })
      await journal.close()
    })

    test('journal: an append is refused unless the journal ends at its predecessor', async () => {
      const { journal, shards: [shard] } = await openShards(0)
      const led = await lead(shard!)
      const position = await fill(shard!, led.position, 3)
      const before = await end(shard!)
      for (const seq of [position.seq + 1, position.seq + 10, position.seq - 1])
        assert.deepEqual(await append(shard!, { epoch: position.epoch, seq }, text('other')), { kind: 'fenced', end: before })
      const ahead = { epoch: position.epoch + 1, seq: 0 }
      assert.deepEqual(await append(shard!, ahead, text('other')), { kind: 'fenced', end: before })
      assert.deepEqual(await end(shard!), before)
      await journal.close()
    })

    test('journal: the same bytes at the same position are durable, other bytes are fenced', async () => {
      const { journal, shards: [shard] } = await openShards(0)
      const led = await lead(shard!)
      const one = await appendDurably(shard!, led.position, text('a'), text('b'))
      assert.deepEqual(await appendDurably(shard!, led.position, text('ab')), one)
      assert.equal((await append(shard!, led.position, text('ac'))).kind, 'fenced')
      assert.equal((await append(shard!, led.position, text('abc'))).kind, 'fenced')
      const two = await appendDurably(shard!, one.position, text('c'))
      assert.deepEqual(await appendDurably(shard!, led.position, text('ab')), one)
      assert.deepEqual((await end(shard!)).position, two.position)
      await journal.close()
    })

    test('journal: what a fenced leader wrote before it was fenced is still durable when it asks again', async () => {
      const { journal, shards: [old] } = await openShards(0)
      const led = await lead(old!)
      const one = await appendDurably(old!, led.position, text('a'))
      const newer = await shardOf(journal, 0)
      await lead(newer)
      assert.deepEqual(await appendDurably(old!, led.position, text('a')), one)
      assert.equal((await append(old!, led.position, text('b'))).kind, 'fenced')
      await journal.close()
    })

    test('journal: a race for leadership leaves one order that both see', async () => {
      const { journal, shards: [a] } = await openShards(0)
      const b = await shardOf(journal, 0)
      let durable = 0
      for (let round = 0; round < 20; round++) {
        const [one, two] = await Promise.all([lead(a!), lead(b)])
        assert.notEqual(one.position.epoch, two.position.epoch)
        const outcomes = await Promise.all([append(a!, one.position, text('a')), append(b, two.position, text('b'))])
        durable += outcomes.filter((outcome) => outcome.kind === 'durable').length
      }
      const groups = await read(a!, POSITION_NONE)
      assertChain(groups)
      assert.ok(durable >= 20 || name.includes('faulty')) // at least the newer one of each round
      await journal.close()
    })

    test('journal: read keeps both bounds but gives at least one group', async () => {
      const { journal, shards: [shard] } = await openShards(0)
      let { position } = await lead(shard!)
      const led = position
      for (let n = 0; n < 10; n++) ({ position } = await appendDurably(shard!, position, new Uint8Array(100)))
      assert.equal((await read(shard!, led, { groupsMax: 3, bytesMax: 1e9 })).length, 3)
      assert.equal((await read(shard!, led, { groupsMax: 100, bytesMax: 250 })).length, 2)
      assert.equal((await read(shard!, led, { groupsMax: 100, bytesMax: 1 })).length, 1)
      assert.deepEqual((await read(shard!, { epoch: led.epoch, seq: 4 }, WIDE)).map((group) => group.position.seq), [5, 6, 7, 8, 9, 10])
      assert.deepEqual(await read(shard!, position, WIDE), [])
      assert.deepEqual(await read(shard!, { epoch: position.epoch + 1, seq: 0 }, WIDE), [])
      await journal.close()
    })

    test('journal: after a trim the first group names a predecessor that is gone', async () => {
      const { journal, shards: [shard] } = await openShards(0)
      const led = await lead(shard!)
      const position = await fill(shard!, led.position, 10)
      await trim(shard!, led.position.epoch, { epoch: led.position.epoch, seq: 6 })
      const groups = await read(shard!, { epoch: led.position.epoch, seq: 2 })
      assert.deepEqual(groups.map((group) => string(group.body)), ['g7', 'g8', 'g9', 'g10'])
      assert.deepEqual(groups[0]!.after, { epoch: led.position.epoch, seq: 6 })
      assertChain(groups)
      await trim(shard!, led.position.epoch, { epoch: led.position.epoch, seq: 3 }) // an older trim changes nothing
      assert.equal((await read(shard!, POSITION_NONE)).length, 4)
      await trim(shard!, led.position.epoch, { epoch: led.position.epoch + 5, seq: 0 })
      assert.deepEqual((await read(shard!, POSITION_NONE)).map((group) => group.position), [position]) // the newest stays
      await appendDurably(shard!, position, text('more'))
      assert.equal((await read(shard!, POSITION_NONE)).length, 2)
      await journal.close()
    })

    test('journal: a fenced leader trims nothing', async () => {
      const { journal, shards: [shard] } = await openShards(0)
      const led = await lead(shard!)
      const position = await fill(shard!, led.position, 5)
      await lead(await shardOf(journal, 0))
      const before = (await read(shard!, POSITION_NONE)).length
      await trim(shard!, led.position.epoch, position)
      assert.equal((await read(shard!, POSITION_NONE)).length, before)
      await journal.close()
    })

    test('journal: tails see every group of their shard, in order, until they stop', async () => {
      const { journal, shards: [shard, other] } = await openShards(0, 1)
      const led = { position: await fill(shard!, (await lead(shard!)).position, 3) }
      const seen: JournalGroup[] = []
      let seenByOther = 0
      const stop = (await shardOf(journal, 0)).tail((group) => { seen.push(group) })
      other!.tail(() => { seenByOther += 1 })
      const position = await fill(shard!, led.position, 5)
      const taken = await lead(shard!)
      await until(() => seen.some((group) => comparePositions(group.position, taken.position) === 0))
      stop()
      stop()
      await fill(shard!, taken.position, 1)
      const groups = (await read(shard!, led.position)).filter((group) => comparePositions(group.position, taken.position) <= 0)
      assert.deepEqual(seen.map((group) => ({ ...group, body: string(group.body) })), groups.map((group) => ({ ...group, body: string(group.body) })))
      assert.ok(comparePositions(seen[4]!.position, position) === 0)
      assert.equal(seenByOther, 0)
      await journal.close()
    })

    test('journal: a second tail of a shard starts where it is called', async () => {
      const { journal, shards: [shard] } = await openShards(0)
      const [early, late]: [Position[], Position[]] = [[], []]
      let { position } = await lead(shard!)
      shard!.tail((group) => { early.push(group.position) })
      position = await fill(shard!, position, 3)
      await until(() => early.length === 3)
      shard!.tail((group) => { late.push(group.position) })
      position = await fill(shard!, position, 3)
      await until(() => early.length === 6 && late.length >= 3)
      assert.deepEqual(early.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6])
      assert.deepEqual(late.map(({ seq }) => seq), [4, 5, 6])
      await journal.close()
    })

    test('journal: shards do not mix, whoever appends at the same time', async () => {
      const numbers = [0, 1, 2, 5, 16, 0xffff]
      const { journal, shards } = await openShards(...numbers)
      await Promise.all(shards.map(async (shard, index) => {
        let { position } = await lead(shard)
        for (let n = 0; n < 30; n++) ({ position } = await appendDurably(shard, position, text(`${numbers[index]}:${n}`)))
      }))
      for (const [index, shard] of shards.entries()) {
        const groups = await read(shard, POSITION_NONE)
        assertChain(groups)
        assert.deepEqual(groups.filter((group) => group.position.seq > 0).map((group) => string(group.body)),
          Array.from({ length: 30 }, (_, n) => `${numbers[index]}:${n}`))
      }
      await journal.close()
    })

    test('journal: a reopened journal goes on where it ended', async () => {
      let { journal, shards: [shard, idle] } = await openShards(7, 8)
      const idleLed = await lead(idle!)
      const led = await lead(shard!)
      const position = await fill(shard!, led.position, 20)
      await trim(shard!, led.position.epoch, { epoch: led.position.epoch, seq: 15 })
      const before = await end(shard!)
      const groups = (await read(shard!, { epoch: led.position.epoch, seq: 15 })).map((group) => ({ ...group, body: string(group.body) }))
      journal = await reopen(journal)
      shard = await shardOf(journal, 7)
      idle = await shardOf(journal, 8)
      assert.deepEqual(await end(shard), before)
      assert.deepEqual(await end(idle), idleLed)
      const after = (await read(shard, { epoch: led.position.epoch, seq: 15 })).map((group) => ({ ...group, body: string(group.body) }))
      assert.deepEqual(after, groups)
      assert.equal((await append(shard, position, text('g21'))).kind, 'durable')
      const taken = await lead(shard)
      assert.ok(taken.position.epoch > before.position.epoch)
      await assert.rejects(shardOf(journal, 9), fails('JOURNAL_MISSING'))
      await journal.close()
    })

    test('journal: the cluster id is written once and kept', async () => {
      let journal = await open()
      assert.equal(await settle(() => journal.clusterId()), null)
      await settle(() => journal.setClusterId('cluster-1'))
      await settle(() => journal.setClusterId('cluster-1'))
      await assert.rejects(settle(() => journal.setClusterId('cluster-2')), fails('CLUSTER_MISMATCH'))
      journal = await reopen(journal)
      assert.equal(await settle(() => journal.clusterId()), 'cluster-1')
      await assert.rejects(settle(() => journal.setClusterId('cluster-2')), fails('CLUSTER_MISMATCH'))
      await journal.close()
    })
  })
}
