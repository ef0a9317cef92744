/**
 * The journal on Redis against a Redis in memory, healthy and faulty; test/services runs the same on real servers.
 * Beside the suite: what only a journal in Redis can meet.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import type { ErrorCode } from '#shared/errors/error-codes.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { type Journal, type JournalGroup, type Position, POSITION_NONE, type ShardJournal } from '#shared/journal/journal.ts'
import { redisSettings } from '#shared/journal/redis-config.ts'
import { openRedisJournal } from '#shared/journal/redis-journal.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { RecordingLog } from '#test/support/gateway-twin.ts'
import { type RedisFaults, RedisMedium, RedisTwin } from '#test/support/redis-twin.ts'
import { type JournalUnderTest, journalSuite } from './journal-suite.ts'

const awake = setInterval(() => {}, 1_000) // timers of the runtime do not keep the process alive
after(() => { clearInterval(awake) })

const WIDE = { groupsMax: 1_000_000, bytesMax: 1e9 }
const fails = (code: ErrorCode) => (error: unknown): boolean => error instanceof ZonewiseError && error.code === code
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

type Opened = { readonly journal: Journal; readonly redis: RedisTwin; readonly medium: RedisMedium; readonly log: RecordingLog }
type OpenOptions = { readonly faults?: Partial<RedisFaults>; readonly slotGroups?: number; readonly prefix?: string }

async function openOn(medium: RedisMedium, { faults = {}, slotGroups = 1, prefix = 'test' }: OpenOptions = {}): Promise<Opened> {
  const redis = new RedisTwin(medium, { chance: new Rng(5), timer: nodeRuntime.timer, faults })
  const log = new RecordingLog()
  const settings = { ...redisSettings.defaults(), redisTailBlockMs: 200, redisReadBytes: 64 * 1_024 }
  for (;;) {
    try {
      return { journal: await openRedisJournal({ redis, prefix, slotGroups, runtime: nodeRuntime, settings, log }), redis, medium, log }
    } catch (error) {
      if (!fails('JOURNAL_UNSETTLED')(error)) throw error
    }
  }
}

function redis(name: string, options: OpenOptions): JournalUnderTest {
  const media = new WeakMap<Journal, RedisMedium>()
  const open = async (medium: RedisMedium): Promise<Journal> => {
    const { journal } = await openOn(medium, options)
    media.set(journal, medium)
    return journal
  }
  return {
    name,
    open: () => open(new RedisMedium()),
    reopen: async (journal) => {
      await journal.close()
      return open(media.get(journal)!)
    }
  }
}

journalSuite(redis('redis in memory', {}))
journalSuite(redis('faulty redis in memory, three slot groups', { faults: { lostCallPerMille: 100, lostReplyPerMille: 100 }, slotGroups: 3 }))

async function appended(shard: ShardJournal, after: Position, ...bodies: string[]): Promise<Position> {
  let position = after
  for (const body of bodies) {
    const outcome = await shard.append(position.epoch, position, [text(body)])
    assert.ok(outcome.kind === 'durable')
    position = outcome.position
  }
  return position
}

/** A shard with groups a to e, led by `epoch`. */
async function filled(opened: Opened, shard = 0): Promise<{ readonly shard: ShardJournal; readonly led: Position; readonly position: Position }> {
  await opened.journal.create(shard)
  const opening = await opened.journal.shard(shard)
  const { position: led } = await opening.lead(0)
  return { shard: opening, led, position: await appended(opening, led, 'a', 'b', 'c', 'd', 'e') }
}

const streamOf = ({ medium }: Opened, shard = 0): NonNullable<ReturnType<RedisMedium['streams']['get']>> =>
  medium.streams.get(`test:{zw-0}:journal:${shard}`)!

test('redis-journal: a repeated append costs no other group, whether the first one came through or not', async () => {
  const opened = await openOn(new RedisMedium())
  const { shard, position } = await filled(opened)
  const body = [text('once')]
  for (const fault of ['lostCallPerMille', 'lostReplyPerMille'] as const) {
    opened.redis.faults[fault] = 1_000
    await assert.rejects(shard.append(position.epoch, position, body), fails('JOURNAL_UNSETTLED'))
    opened.redis.faults[fault] = 0
  }
  assert.equal((await shard.append(position.epoch, position, body)).kind, 'durable')
  assert.deepEqual((await shard.read(position, WIDE)).map((group) => Buffer.from(group.body).toString()), ['once'])
})

test('redis-journal: a stream that is gone is missing to every call, and no call makes it', async () => {
  const opened = await openOn(new RedisMedium())
  const { shard, position } = await filled(opened)
  opened.medium.clear()
  await assert.rejects(shard.append(position.epoch, position, [text('f')]), fails('JOURNAL_MISSING'))
  await assert.rejects(shard.end(), fails('JOURNAL_MISSING'))
  await assert.rejects(shard.lead(0, position), fails('JOURNAL_MISSING'))
  await assert.rejects(shard.read(position, WIDE), fails('JOURNAL_MISSING'))
  await shard.trim(position.epoch, position)
  assert.equal(opened.medium.streams.size, 0)
})

test('redis-journal: a stream that was created and is gone is not created again', async () => {
  const opened = await openOn(new RedisMedium())
  await filled(opened)
  opened.medium.streams.clear()
  await assert.rejects(opened.journal.create(0), fails('JOURNAL_MISSING'))
  assert.equal(opened.medium.streams.size, 0)
})

test('redis-journal: a creation that was cut short goes on, but never over groups that nothing describes', async () => {
  const opened = await openOn(new RedisMedium())
  await opened.journal.create(0)
  const description = opened.medium.hashes.get('test:{zw-0}:journal')!
  description.delete('shard:0')
  await opened.journal.create(0)
  assert.ok(description.has('shard:0'))
  await (await opened.journal.shard(0)).lead(0)
  description.delete('shard:0')
  await assert.rejects(opened.journal.create(0), fails('CLUSTER_MISMATCH'))
})

test('redis-journal: who creates a shard that another node creates and leads at the same time finds it created', async () => {
  const medium = new RedisMedium()
  const [slow, quick] = [await openOn(medium), await openOn(medium)]
  slow.redis.before = (name) => {
    if (name !== 'XADD') return
    slow.redis.before = () => {}
    medium.streams.set('test:{zw-0}:journal:0', medium.streams.get('quick:{zw-0}:journal:0')!)
    medium.hashes.get('test:{zw-0}:journal')!.set('shard:0', Buffer.from('1'))
  }
  const ahead = await openOn(medium, { prefix: 'quick' })
  await ahead.journal.create(0)
  await (await ahead.journal.shard(0)).lead(0)
  await slow.journal.create(0)
  assert.equal((await (await quick.journal.shard(0)).end()).position.epoch, 1)
})

test('redis-journal: a trim between two replies of one read is a gap, not damage', async () => {
  const opened = await openOn(new RedisMedium())
  await opened.journal.create(0)
  const shard = await opened.journal.shard(0)
  let { position } = await shard.lead(0)
  const led = position
  for (let n = 0; n < 40; n++) position = await appended(shard, position, 'x'.repeat(20_000))
  let replies = 0
  opened.redis.before = (name) => {
    if (name !== 'XRANGE' || ++replies !== 2) return
    const stream = streamOf(opened)
    stream.entries = stream.entries.slice(-5)
  }
  const groups = await shard.read(led, WIDE)
  assert.ok(groups.length > 0 && groups.length < 35)
  assert.deepEqual(groups.map((group) => group.position.seq), groups.map((_, n) => n + 1))
  const rest = await shard.read(groups.at(-1)!.position, WIDE)
  assert.deepEqual([rest[0]!.after.seq, rest.at(-1)!.position], [35, position])
})

test('redis-journal: a journal that was rolled back fences with its older end, and is not led by who knows better', async () => {
  const opened = await openOn(new RedisMedium())
  const { shard, position } = await filled(opened)
  const stream = streamOf(opened)
  stream.entries = stream.entries.slice(0, -2)
  stream.last = stream.entries.at(-1)!
  const outcome = await shard.append(position.epoch, position, [text('f')])
  assert.ok(outcome.kind === 'fenced')
  assert.deepEqual(outcome.end.position, { ...position, seq: 3 })
  await assert.rejects(shard.lead(position.epoch, position), fails('JOURNAL_MISSING'))
  assert.equal(stream.entries.length, 1 + 1 + 3) // creation, lead, a to c
})

test('redis-journal: a flipped bit in any byte of an entry is corruption, and names the entry', async () => {
  const opened = await openOn(new RedisMedium())
  const { shard, led } = await filled(opened)
  const { entries } = streamOf(opened)
  for (const at of [1, 2, 4]) { // the leader's group, a, c
    const { value, epoch, seq } = entries[at]!
    const covered = at === 1 ? 9 + 16 : value.byteLength // what `lead` found is compared with what was before
    for (let byte = 1; byte < covered; byte++) {
      value[byte]! ^= 0x10
      await assert.rejects(shard.read(POSITION_NONE, WIDE), (error: unknown) => {
        assert.ok(error instanceof ZonewiseError)
        assert.deepEqual([error.code, error.context['entry']], ['JOURNAL_CORRUPT', `${epoch}-${seq}`])
        return true
      })
      value[byte]! ^= 0x10
    }
    value[0] = 9
    await assert.rejects(shard.read(POSITION_NONE, WIDE), fails('FORMAT_TOO_NEW'))
    value[0] = 1
  }
  assert.equal((await shard.read(led, WIDE)).length, 5)
})

test('redis-journal: an entry that was taken out of the middle is noticed', async () => {
  const opened = await openOn(new RedisMedium())
  const { shard, led } = await filled(opened)
  const { entries } = streamOf(opened)
  entries.splice(4, 1)
  await assert.rejects(shard.read(led, WIDE), fails('JOURNAL_CORRUPT'))
})

test('redis-journal: a tail whose replies are lost sees every group once and in order', async () => {
  const opened = await openOn(new RedisMedium(), { faults: { lostReplyPerMille: 0 } })
  const { shard, position } = await filled(opened)
  const other = await openOn(opened.medium)
  const seen: JournalGroup[] = []
  ;(await other.journal.shard(0)).tail((group) => { seen.push(group) })
  other.redis.faults.lostReplyPerMille = 400
  let newest = position
  for (let n = 0; n < 50; n++) {
    newest = await appended(shard, newest, `g${n}`)
    if (n % 7 === 0) await new Promise((resolve) => { setTimeout(resolve, 2) })
  }
  for (const deadlineMs = performance.now() + 10_000; seen.length < 50 && performance.now() < deadlineMs;) await new Promise((resolve) => { setTimeout(resolve, 5) })
  assert.deepEqual(seen.map(({ body }) => Buffer.from(body).toString()), Array.from({ length: 50 }, (_, n) => `g${n}`))
  await other.journal.close()
})

test('redis-journal: a damaged entry ends the tail, aloud', async () => {
  const opened = await openOn(new RedisMedium())
  const { shard, position } = await filled(opened)
  const seen: Position[] = []
  shard.tail((group) => { seen.push(group.position) })
  await appended(shard, position, 'f')
  while (seen.length < 1) await new Promise((resolve) => { setTimeout(resolve, 1) })
  const { entries } = streamOf(opened)
  entries.push({ epoch: position.epoch, seq: position.seq + 2, value: Buffer.from('this is no entry of ours') })
  opened.medium.wake()
  while (opened.log.of('error').length === 0) await new Promise((resolve) => { setTimeout(resolve, 1) })
  assert.deepEqual(opened.log.of('error'), ['a journal cannot be followed any more'])
  assert.equal(seen.length, 1)
})

test('redis-journal: refusals are unsettled, and said once a change', async () => {
  const opened = await openOn(new RedisMedium())
  const { shard, position } = await filled(opened)
  const refuse = async (refusal: string, words: RegExp): Promise<void> => {
    opened.redis.faults.refusal = refusal
    for (let n = 0; n < 3; n++) {
      await assert.rejects(shard.append(position.epoch, position, [text('f')]), (error: unknown) => {
        assert.ok(error instanceof ZonewiseError)
        assert.equal(error.code, 'JOURNAL_UNSETTLED')
        assert.match(String(error.context['reason']), words)
        return true
      })
    }
  }
  await refuse("OOM command not allowed when used memory > 'maxmemory'.", /Redis is full: raise its maxmemory/)
  await refuse('ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can\'t write', /is a replica/)
  await refuse('MOVED 3999 127.0.0.1:6381', /moves to another server/)
  await refuse('ERR never heard', /Redis says "ERR never heard"/)
  opened.redis.faults.refusal = null
  await appended(shard, position, 'f')
  assert.deepEqual(opened.log.lines.map(({ level, message }) => `${level} ${message}`),
    [...Array(4).fill('warn redis refuses') as string[], 'info redis serves again'])
})

test('redis-journal: prefixes keep clusters apart, slot groups are those of the first', async () => {
  const medium = new RedisMedium()
  const [one, two] = [await openOn(medium, { prefix: 'one', slotGroups: 2 }), await openOn(medium, { prefix: 'two' })]
  await one.journal.setClusterId('cluster-one')
  assert.equal(await two.journal.clusterId(), null)
  await two.journal.setClusterId('cluster-two')
  await one.journal.create(5)
  await assert.rejects(two.journal.shard(5), fails('JOURNAL_MISSING'))
  const again = await openOn(medium, { prefix: 'one', slotGroups: 7 })
  await again.journal.shard(5)
  assert.deepEqual([...medium.streams.keys()], ['one:{zw-1}:journal:5'])
})

test('redis-journal: another format, or a damaged description, is not opened', async () => {
  const opened = await openOn(new RedisMedium())
  await opened.journal.setClusterId('c')
  const description = opened.medium.hashes.get('test:{zw-0}:journal')!
  description.set('format', Buffer.from('2'))
  await assert.rejects(openOn(opened.medium), fails('FORMAT_TOO_NEW'))
  description.set('format', Buffer.from('1'))
  description.delete('slotGroups')
  await assert.rejects(openOn(opened.medium), fails('JOURNAL_CORRUPT'))
})

test('redis-journal: what a read asks for is bounded, whatever the groups weigh', async () => {
  const opened = await openOn(new RedisMedium())
  await opened.journal.create(0)
  const shard = await opened.journal.shard(0)
  let { position } = await shard.lead(0)
  for (let n = 0; n < 300; n++) position = await appended(shard, position, n % 3 === 0 ? 'x'.repeat(20_000) : 'small')
  const groups = await shard.read(POSITION_NONE, { groupsMax: 1_000, bytesMax: 1_000_000 })
  const bytes = groups.reduce((sum, group) => sum + group.body.byteLength, 0)
  assert.ok(bytes <= 1_000_000 && bytes > 950_000, `${bytes}`)
  let [at, count]: [Position, number] = [POSITION_NONE, 0]
  for (;;) {
    const more = await shard.read(at, { groupsMax: 50, bytesMax: 100_000 })
    if (more.length === 0) break
    count += more.length
    at = more.at(-1)!.position
  }
  assert.equal(count, 301)
})

test('redis-journal: a closed journal opens nothing', async () => {
  const opened = await openOn(new RedisMedium())
  await filled(opened)
  await opened.journal.close()
  await assert.rejects(opened.journal.shard(0), fails('STOPPING'))
  await assert.rejects(opened.journal.create(1), fails('STOPPING'))
})
