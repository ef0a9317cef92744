/**
 * Goal: whatever a Redis and the network to it do, nothing acknowledged is lost or there twice, what is not settled
 * settles when it is repeated, and a journal that lost its tail is never continued.
 * Method: real redis-servers that are killed, paused, emptied, rolled back and filled, and a proxy that loses replies.
 * (A killed process leaves its writes to the operating system: that a sync reaches the disk is for the disk to keep.)
 */
import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import { after, test } from 'node:test'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { comparePositions, type JournalGroup, type Position } from '#shared/journal/journal.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { operatorOf } from '../tool/redis-topologies.ts'
import {
  append, appendAll, bodiesOf, connect, endOf, fails, newShard, openJournal, pause, readAll, settle, startRedis, text, urlOf, WIDE
} from '../tool/redis-journals.ts'
import { TcpProxy } from '../tool/tcp-proxy.ts'

const proxies: TcpProxy[] = []
after(() => { for (const proxy of proxies) proxy.close() })

async function proxied(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(target)
  proxies.push(proxy)
  return proxy
}

const reasonOf = (words: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof ZonewiseError)
  assert.equal(error.code, 'JOURNAL_UNSETTLED')
  assert.match(String(error.context['reason']), words)
  return true
}

test('redis: killed in the middle of appends, nothing acknowledged is lost and nothing is there twice', async () => {
  const server = await startRedis()
  const opened = await openJournal(urlOf(server))
  let done = false
  const writers = [0, 1, 2, 3].map(async (number) => {
    const { shard, led } = await newShard(opened, number)
    const acked: string[] = []
    let position = led
    for (let n = 0; !done; n++) {
      const outcome = await append(shard, position, `${number}:${n}`)
      assert.ok(outcome.kind === 'durable', 'nobody else leads')
      position = outcome.position
      acked.push(`${number}:${n}`)
    }
    return { shard, acked }
  })
  await pause(300)
  for (let round = 0; round < 5; round++) {
    await pause(100 + round * 37)
    await server.kill()
    await pause(round * 40)
    await server.start()
    await endOf((await settle(() => opened.journal.shard(0))))
    await pause(200)
  }
  done = true
  let total = 0
  for (const { shard, acked } of await Promise.all(writers)) {
    assert.deepEqual(bodiesOf(await readAll(shard)), acked)
    total += acked.length
  }
  assert.ok(total > 200, `${total} appends`)
  const said = opened.log.lines.map(({ message }) => message)
  assert.equal(said.filter((message) => message === 'redis connection lost').length, 5)
  assert.equal(said.filter((message) => message === 'redis connected').length, 6)
})

test('redis: a reply that is lost leaves the append unsettled; repeated, it is there once', async () => {
  const server = await startRedis()
  const proxy = await proxied(server)
  const opened = await openJournal(urlOf(proxy))
  const { shard, led } = await newShard(opened)
  let position = led
  for (let n = 0; n < 5; n++) {
    proxy.dropReplies = true
    await assert.rejects(shard.append(position.epoch, position, [text(`g${n}`)]), reasonOf(/sent nothing for 500 ms/))
    proxy.dropReplies = false
    const outcome = await append(shard, position, `g${n}`)
    assert.ok(outcome.kind === 'durable')
    position = outcome.position
  }
  assert.deepEqual(bodiesOf(await readAll(shard)), ['g0', 'g1', 'g2', 'g3', 'g4'])
})

test('redis: a connection cut inside a request, at any byte, is unsettled and settles', async () => {
  const server = await startRedis()
  const proxy = await proxied(server)
  const opened = await openJournal(urlOf(proxy))
  const { shard, led } = await newShard(opened)
  let position = await appendAll(shard, led, ['first'])
  const bodies = ['first']
  for (const cutAfterBytes of [1, 20, 80, 120, 150, 180, 1_000]) {
    const body = `cut at ${cutAfterBytes}`.padEnd(2_000, '.')
    proxy.cutAfterBytes = cutAfterBytes
    await assert.rejects(shard.append(position.epoch, position, [text(body)]), fails('JOURNAL_UNSETTLED'))
    position = await appendAll(shard, position, [body])
    bodies.push(body)
  }
  assert.deepEqual(bodiesOf(await readAll(shard)), bodies)
})

test('redis: a connection that went silent is given up, and another one is made', async () => {
  const server = await startRedis()
  const proxy = await proxied(server)
  const opened = await openJournal(urlOf(proxy))
  const { shard, led } = await newShard(opened)
  const seen: JournalGroup[] = []
  shard.tail((group) => { seen.push(group) })
  const position = await appendAll(shard, led, ['a'])
  proxy.isHalfOpen = true
  const startedMs = performance.now()
  await assert.rejects(shard.append(position.epoch, position, [text('b')]), fails('JOURNAL_UNSETTLED'))
  const tookMs = performance.now() - startedMs
  assert.ok(tookMs < 2_000, `${tookMs} ms`)
  await assert.rejects(shard.end(), fails('JOURNAL_UNSETTLED'))
  proxy.isHalfOpen = false
  await appendAll(shard, position, ['b', 'c'])
  while (seen.length < 3) await pause(10) // also what follows the journal comes back
  assert.deepEqual(bodiesOf(seen), ['a', 'b', 'c'])
})

test('redis: replies that come late, or too late, settle one append once', async () => {
  const server = await startRedis()
  const proxy = await proxied(server)
  const opened = await openJournal(urlOf(proxy))
  const shards = await Promise.all([0, 1, 2].map((number) => newShard(opened, number)))
  const bodies = ['a', 'b', 'c', 'd']
  proxy.replyDelayMs = 60
  const positions = await Promise.all(shards.map(({ shard, led }) => appendAll(shard, led, bodies)))
  proxy.replyDelayMs = 900 // beyond what a call waits: the connection is gone when they come
  await assert.rejects(shards[0]!.shard.append(positions[0]!.epoch, positions[0]!, [text('e')]), fails('JOURNAL_UNSETTLED'))
  proxy.replyDelayMs = 0
  await Promise.all(shards.map(({ shard }, i) => appendAll(shard, positions[i]!, ['e'])))
  for (const { shard } of shards) assert.deepEqual(bodiesOf(await readAll(shard)), [...bodies, 'e'])
})

test('redis: an append that arrives after its repetition changes nothing', async () => {
  const server = await startRedis()
  const proxy = await proxied(server)
  const [slow, direct] = [await openJournal(urlOf(proxy)), await openJournal(urlOf(server))]
  const { shard, led } = await newShard(slow)
  proxy.holdRequests = true
  await assert.rejects(shard.append(led.epoch, led, [text('once')]), fails('JOURNAL_UNSETTLED'))
  const other = await direct.journal.shard(0) // the same leader by another way
  const position = await appendAll(other, led, ['once', 'twice'])
  proxy.release()
  await pause(100)
  assert.deepEqual(bodiesOf(await readAll(other)), ['once', 'twice'])
  await appendAll(shard, position, ['thrice'])
  assert.deepEqual(bodiesOf(await readAll(other)), ['once', 'twice', 'thrice'])
})

test('redis: a stale leader whose append was on its way for long is refused', async () => {
  const server = await startRedis()
  const proxy = await proxied(server)
  const [stale, fresh] = [await openJournal(urlOf(proxy)), await openJournal(urlOf(server))]
  const { shard, led } = await newShard(stale)
  const position = await appendAll(shard, led, ['mine'])
  proxy.holdRequests = true
  const late = shard.append(position.epoch, position, [text('late')])
  const other = await fresh.journal.shard(0)
  const taken = await other.lead(0, position)
  await appendAll(other, taken.position, ['theirs'])
  proxy.release()
  const outcome = await late
  assert.ok(outcome.kind === 'fenced')
  assert.equal(outcome.end.position.epoch, taken.position.epoch)
  assert.equal((await append(shard, position, 'late')).kind, 'fenced')
  assert.ok((await endOf(shard)).position.epoch > led.epoch)
  assert.deepEqual(bodiesOf(await readAll(other)), ['mine', 'theirs'])
})

test('redis: two leaders race over a thousand appends: one order, each acknowledged group in it once', async () => {
  const server = await startRedis()
  const nodes = [await openJournal(urlOf(server)), await openJournal(urlOf(server))]
  await nodes[0]!.journal.create(0)
  const acked: string[] = []
  let leads = 0
  await Promise.all(nodes.map(async ({ journal }, node) => {
    const shard = await journal.shard(0)
    for (let n = 0; acked.length < 1_000;) {
      let { position } = await settle(() => shard.lead(0))
      leads += 1
      for (let inRow = 0; inRow < 20; inRow++) {
        const outcome = await append(shard, position, `${node}:${n}`)
        if (outcome.kind === 'fenced') break
        position = outcome.position
        acked.push(`${node}:${n++}`)
      }
    }
  }))
  const bodies = bodiesOf(await readAll(await nodes[0]!.journal.shard(0)))
  assert.equal(new Set(bodies).size, bodies.length)
  assert.deepEqual([...bodies].sort(), [...acked].sort())
  for (const node of ['0:', '1:']) {
    const own = bodies.filter((body) => body.startsWith(node)).map((body) => Number(body.slice(2)))
    assert.deepEqual(own, own.map((_, n) => n)) // each in its own order
  }
  assert.ok(leads > 20)
})

test('redis: a paused server is unsettled until it goes on', async () => {
  const server = await startRedis()
  const opened = await openJournal(urlOf(server))
  const { shard, led } = await newShard(opened)
  server.pause()
  await assert.rejects(shard.append(led.epoch, led, [text('a')]), reasonOf(/sent nothing/))
  await pause(1_500) // connections are accepted by the kernel, but nobody greets
  await assert.rejects(shard.append(led.epoch, led, [text('a')]), fails('JOURNAL_UNSETTLED'))
  server.resume()
  const position = await appendAll(shard, led, ['a', 'b'])
  const { redis: operator } = connect(urlOf(server))
  await operator.ready()
  const asleep = operator.call('', 'DEBUG', ['SLEEP', '0.3'])
  await appendAll(shard, position, ['c']) // shorter than a connection is given up for
  await asleep
  assert.deepEqual(bodiesOf(await readAll(shard)), ['a', 'b', 'c'])
})

test('redis: emptied behind our back, nothing goes on from nothing', async () => {
  const server = await startRedis()
  const opened = await openJournal(urlOf(server))
  const { shard, led } = await newShard(opened)
  const position = await appendAll(shard, led, ['a', 'b'])
  const { redis: operator } = connect(urlOf(server))
  await operator.ready()
  await operator.call('', 'FLUSHALL', [])
  await assert.rejects(shard.append(position.epoch, position, [text('c')]), fails('JOURNAL_MISSING'))
  await assert.rejects(shard.end(), fails('JOURNAL_MISSING'))
  await assert.rejects(shard.lead(position.epoch, position), fails('JOURNAL_MISSING'))
  await assert.rejects(shard.read(position, WIDE), fails('JOURNAL_MISSING'))
  await shard.trim(position.epoch, position)
  assert.equal(await operator.call('', 'DBSIZE', []), 0)
  const anew = await openJournal(urlOf(server))
  assert.equal(await anew.journal.clusterId(), null)
  await assert.rejects(anew.journal.shard(0), fails('JOURNAL_MISSING'))
})

test('redis: rolled back to an older copy of its data, whoever knows better refuses it', async () => {
  const server = await startRedis()
  const opened = await openJournal(urlOf(server))
  const { shard, led } = await newShard(opened)
  const old = await appendAll(shard, led, ['a', 'b'])
  await server.stop()
  const copy = `${temporaryFolder()}/copy`
  cpSync(server.folder, copy, { recursive: true })
  await server.start()
  const position = await appendAll(shard, old, ['c', 'd', 'e'])
  await server.kill()
  rmSync(server.folder, { recursive: true })
  cpSync(copy, server.folder, { recursive: true })
  await server.start()
  const outcome = await append(shard, position, 'f')
  assert.ok(outcome.kind === 'fenced')
  assert.ok(comparePositions(outcome.end.position, position) < 0) // the leadership quarantines
  await assert.rejects(settle(() => shard.lead(position.epoch, position)), fails('JOURNAL_MISSING'))
  assert.deepEqual((await endOf(shard)).position, old)
  assert.deepEqual(bodiesOf(await readAll(shard)), ['a', 'b'])
})

test('redis: full, it refuses retriably and says so; with room again it goes on where it was', async () => {
  const server = await startRedis({ config: { maxmemory: '6mb' } })
  const operate = await operatorOf(server)
  const opened = await openJournal(urlOf(server))
  const { shard, led } = await newShard(opened)
  const body = text('x'.repeat(64 * 1_024))
  let position: Position = led
  let refused: unknown = null
  while (refused === null) {
    const outcome = await shard.append(position.epoch, position, [body]).catch((error: unknown) => { refused = error; return null })
    if (outcome !== null) {
      assert.ok(outcome.kind === 'durable')
      position = outcome.position
    }
  }
  assert.ok(reasonOf(/Redis is full: raise its maxmemory/)(refused))
  assert.ok(position.seq > 10)
  for (let n = 0; n < 3; n++) await assert.rejects(shard.append(position.epoch, position, [body]), fails('JOURNAL_UNSETTLED'))
  assert.deepEqual((await shard.end()).position, position) // reads and proofs go on
  assert.equal((await shard.read(led, WIDE)).length, position.seq)
  await operate('CONFIG', 'SET', 'maxmemory', '1mb') // far above it
  const { position: again } = await shard.lead(led.epoch, position) // whoever follows a node that died
  await operate('CONFIG', 'SET', 'maxmemory', '6mb')
  await assert.rejects(shard.append(again.epoch, again, [body]), fails('JOURNAL_UNSETTLED'))
  await shard.trim(again.epoch, { epoch: led.epoch, seq: position.seq - 5 }) // a snapshot caught up
  const outcome = await shard.append(again.epoch, again, [body])
  assert.ok(outcome.kind === 'durable')
  assert.deepEqual(opened.log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message), ['redis refuses'])
  assert.ok(opened.log.of('info').includes('redis serves again'))
})

test('redis: trims go in steps and keep what they must, whatever the size of nodes', async () => {
  const server = await startRedis({ config: { 'stream-node-max-entries': '50' } })
  const opened = await openJournal(urlOf(server), { redisTrimGroupsMax: 100 })
  const { shard, led } = await newShard(opened)
  const position = await appendAll(shard, led, Array.from({ length: 1_000 }, (_, n) => `g${n}`))
  await shard.trim(led.epoch, { epoch: led.epoch, seq: 777 })
  assert.equal((await readAll(shard))[0]!.position.seq, 778)
  await shard.trim(led.epoch, { epoch: led.epoch + 9, seq: 0 })
  assert.deepEqual((await readAll(shard)).map((group) => group.position), [position])
})

test('redis: a tail goes on over a restart of the server, without a gap and nothing twice', async () => {
  const server = await startRedis()
  const [writer, reader] = [await openJournal(urlOf(server)), await openJournal(urlOf(server))]
  const seen = new Map<number, string[]>()
  const shards = await Promise.all([0, 1, 2].map((number) => newShard(writer, number)))
  for (const number of [0, 1, 2]) {
    const bodies: string[] = []
    seen.set(number, bodies)
    ;(await reader.journal.shard(number)).tail((group) => { if (group.position.seq > 0) bodies.push(Buffer.from(group.body).toString()) })
  }
  const expected = Array.from({ length: 60 }, (_, n) => `g${n}`)
  const writing = Promise.all(shards.map(({ shard, led }) => appendAll(shard, led, expected)))
  for (let round = 0; round < 3; round++) {
    await pause(30)
    await server.kill()
    await server.start()
  }
  await writing
  for (const endMs = performance.now() + 10_000; [...seen.values()].some(({ length }) => length < 60);) {
    assert.ok(performance.now() < endMs, 'the tail did not come back')
    await pause(10)
  }
  for (const bodies of seen.values()) assert.deepEqual(bodies, expected)
})
