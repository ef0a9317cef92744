/** Goal: what moves between servers, or is refused by them, is unsettled for a while and then goes on, exactly once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { comparePositions, type JournalGroup } from '#shared/journal/journal.ts'
import { append, appendAll, bodiesOf, connect, endOf, fails, newShard, openJournal, pause, readAll, settle, startRedis, text, urlOf } from '../tool/redis-journals.ts'
import {
  firstOwner, moveSlot, type Operator, operatorOf, replicaFollows, SENTINEL_NAME, startRedisCluster, startSentinels, startTlsRedis
} from '../tool/redis-topologies.ts'

test('redis cluster: a journal whose slot moves to another server goes on there, with its tail', async () => {
  const cluster = await startRedisCluster()
  const opened = await openJournal(`${cluster.url}?slotGroups=4`)
  const seen: JournalGroup[][] = [[], [], [], []]
  const shards = await Promise.all([0, 1, 2, 3].map((number) => newShard(opened, number)))
  const positions = shards.map(({ led }) => led)
  for (const [i, { shard }] of shards.entries()) shard.tail((group) => { seen[i]!.push(group) })
  for (const i of [0, 1, 2, 3]) positions[i] = await appendAll(shards[i]!.shard, positions[i]!, ['a', 'b'])
  const key = 'zonewise:{zw-1}:'
  for (let from = firstOwner(key, 3), moves = 0; moves < 4; moves++) {
    const to = (from + 1) % 3
    await moveSlot(cluster, key, { from, to })
    from = to
    for (const i of [0, 1, 2, 3]) positions[i] = await appendAll(shards[i]!.shard, positions[i]!, [`move ${moves}`])
  }
  for (const [i, { shard }] of shards.entries()) {
    const bodies = ['a', 'b', 'move 0', 'move 1', 'move 2', 'move 3']
    assert.deepEqual(bodiesOf(await readAll(shard)), bodies)
    for (const endMs = performance.now() + 10_000; bodiesOf(seen[i]!).length < bodies.length && performance.now() < endMs;) await pause(20)
    assert.deepEqual(bodiesOf(seen[i]!), bodies)
  }
})

test('redis cluster: one server killed and started again holds up its own journals only', async () => {
  const cluster = await startRedisCluster()
  const opened = await openJournal(`${cluster.url}?slotGroups=8`)
  const shards = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((number) => newShard(opened, number)))
  await cluster.servers[1]!.kill()
  const results = await Promise.allSettled(shards.map(({ shard, led }) => shard.append(led.epoch, led, [text('a')])))
  const served = results.filter(({ status }) => status === 'fulfilled').length
  assert.ok(served > 0 && served < 8, `${served} of 8`)
  for (const result of results) if (result.status === 'rejected') assert.ok(fails('JOURNAL_UNSETTLED')(result.reason))
  await cluster.servers[1]!.start()
  for (const { shard, led } of shards) await appendAll(shard, led, ['a', 'b'])
  for (const { shard } of shards) assert.deepEqual(bodiesOf(await readAll(shard)), ['a', 'b'])
})

test('redis cluster: asked of a Redis that is none, it says so', async () => {
  const server = await startRedis()
  await assert.rejects(openJournal(`redis+cluster://${server.host}:${server.port}`), (error: unknown) => {
    assert.ok(error instanceof ZonewiseError)
    assert.equal(error.code, 'REDIS_UNAVAILABLE')
    assert.match(String(error.context['reason']), /is no cluster: use redis:\/\//)
    return true
  })
})

/** Waits until Sentinels name another primary. */
async function failedOver(sentinels: Operator, port: number): Promise<void> {
  for (const endMs = performance.now() + 20_000; ;) {
    const [, named] = (await sentinels('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', SENTINEL_NAME)).split('\n')
    if (Number(named) === port) return
    assert.ok(performance.now() < endMs, 'no failover')
    await pause(50)
  }
}

async function knowsReplica(sentinels: Operator): Promise<void> {
  while (!(await sentinels('SENTINEL', 'MASTER', SENTINEL_NAME)).includes('num-slaves\n1\n')) await pause(50)
}

test('sentinel: the journal follows the primary to another server', async () => {
  const { primary, replica, sentinel, url } = await startSentinels({ withReplica: true })
  const opened = await openJournal(url)
  const { shard, led } = await newShard(opened)
  const position = await appendAll(shard, led, ['a', 'b'])
  const [operator, sentinels] = [await operatorOf(primary), await operatorOf(sentinel)]
  await replicaFollows(operator) // this time
  await knowsReplica(sentinels)
  await sentinels('SENTINEL', 'FAILOVER', SENTINEL_NAME)
  await failedOver(sentinels, replica!.port)
  // Its connections are cut when it becomes a replica.
  while (!(await operator('ROLE').catch(() => '')).startsWith('slave')) await pause(20)
  const after = await appendAll(shard, position, ['c'])
  await primary.kill()
  await appendAll(shard, after, ['d'])
  assert.deepEqual(bodiesOf(await readAll(shard)), ['a', 'b', 'c', 'd'])
})

test('sentinel: what an asynchronous failover lost is noticed, and not continued', async () => {
  const { primary, replica, sentinel, url } = await startSentinels({ withReplica: true })
  const opened = await openJournal(url)
  const { shard, led } = await newShard(opened)
  const kept = await appendAll(shard, led, ['a', 'b'])
  const [operator, sentinels] = [await operatorOf(primary), await operatorOf(sentinel)]
  await replicaFollows(operator)
  await knowsReplica(sentinels)
  const follower = await operatorOf(replica!)
  while (!/aof_enabled:1\r\naof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(await follower('INFO', 'persistence'))) await pause(20)
  await replica!.kill() // what it acknowledged is on its disk: a new replica writes its log anew first
  const position = await appendAll(shard, kept, ['acknowledged', 'too'])
  await primary.kill()
  await replica!.start()
  await failedOver(sentinels, replica!.port)
  const outcome = await append(shard, position, 'c')
  assert.ok(outcome.kind === 'fenced')
  assert.ok(comparePositions(outcome.end.position, position) < 0)
  await assert.rejects(settle(() => shard.lead(position.epoch, position)), fails('JOURNAL_MISSING'))
})

test('redis: a replica answers no question about the end, however well it follows', async () => {
  const primary = await startRedis()
  const replica = await startRedis({ config: { replicaof: `${primary.host} ${primary.port}` } })
  const opened = await openJournal(urlOf(primary))
  const { shard, led } = await newShard(opened)
  const position = await appendAll(shard, led, ['a'])
  const operator = await operatorOf(primary)
  await replicaFollows(operator)
  const { redis } = connect(urlOf(replica))
  await redis.ready()
  const lagging = await openJournal(urlOf(replica))
  await assert.rejects(lagging.journal.shard(0), (error: unknown) => {
    assert.ok(error instanceof ZonewiseError)
    assert.deepEqual([error.code, error.context['reason']], ['JOURNAL_UNSETTLED', 'this Redis is a replica: name its primary'])
    return true
  })
  assert.deepEqual((await endOf(shard)).position, position)
})

test('redis: a primary that was made a replica is left, and taken again when it is one', async () => {
  const [server, other] = [await startRedis(), await startRedis()]
  const opened = await openJournal(urlOf(server))
  const { shard, led } = await newShard(opened)
  const position = await appendAll(shard, led, ['a'])
  const operator = await operatorOf(server)
  // Its data stays its own: it does not reach the primary it was given.
  await operator('REPLICAOF', other.host, 1)
  await assert.rejects(shard.append(position.epoch, position, [text('b')]), fails('JOURNAL_UNSETTLED'))
  await assert.rejects(settle(() => shard.end(), 1_000), fails('JOURNAL_UNSETTLED'))
  const lines = opened.log.lines.map(({ message }) => message)
  assert.deepEqual(lines, ['redis connected', 'redis refuses']) // however often it was tried
  await operator('REPLICAOF', 'NO', 'ONE')
  await appendAll(shard, position, ['b'])
  assert.deepEqual(bodiesOf(await readAll(shard)), ['a', 'b'])
})

test('redis: wrong passwords, users without permission and strangers\' keys are told in a sentence', async () => {
  const server = await startRedis({ config: { requirepass: 'secret' } })
  const place = `${server.host}:${server.port}`
  const reasonFor = async (url: string): Promise<string> => {
    const error = await openJournal(url).then(async ({ journal }) => { await journal.create(0) }).catch((thrown: unknown) => thrown)
    assert.ok(error instanceof ZonewiseError, `no error for ${url}`)
    assert.ok(['REDIS_UNAVAILABLE', 'JOURNAL_UNSETTLED'].includes(error.code))
    assert.ok(!JSON.stringify(error.context).includes('wrong'), 'no secret in an error')
    return String(error.context['reason'])
  }
  assert.match(await reasonFor(`redis://:wrong@${place}`), /WRONGPASS/)
  assert.match(await reasonFor(`redis://nobody:wrong@${place}`), /WRONGPASS/)
  assert.match(await reasonFor(`redis://${place}`), /NOAUTH|Authentication required|does not accept user and password/)
  assert.match(await reasonFor(`redis://:secret@${place}/99`), /does not give database 99: ERR DB index/)
  const { redis } = connect(`redis://:secret@${place}`)
  await redis.ready()
  await redis.call('', 'ACL', ['SETUSER', 'reader', 'on', '>pw', '~*', '+@read', '+info'])
  assert.match(await reasonFor(`redis://reader:pw@${place}`), /the Redis user may not/)
  await redis.call('', 'SET', ['zonewise:{zw-0}:journal', 'a text of somebody else'])
  assert.match(await reasonFor(`redis://:secret@${place}`), /another program uses our keys/)
})

test('redis: a server whose certificate nobody signed is not talked to', async () => {
  const { url } = await startTlsRedis()
  await assert.rejects(openJournal(url), (error: unknown) => {
    assert.ok(error instanceof ZonewiseError)
    assert.match(String(error.context['reason']), /certificate/)
    return true
  })
})

test('redis: away at the start it is waited for, each change is one line', async () => {
  const server = await startRedis()
  await server.kill()
  const { redis, log } = connect(urlOf(server))
  await assert.rejects(redis.ready(), fails('REDIS_UNAVAILABLE'))
  await server.start()
  await redis.ready()
  await server.kill()
  await pause(300)
  await server.start()
  await redis.ready()
  assert.deepEqual(log.lines.map(({ message }) => message), ['redis is not reachable', 'redis connected', 'redis connection lost', 'redis is not reachable', 'redis connected'])
})
