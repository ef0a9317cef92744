/**
 * Goal: whatever happens to single requests, a call of the S3 store tells the truth: durable means durable, taken means
 * taken by another, and an unknown outcome is said to be unknown.
 * Method: the twin of S3 with faults to order, at both ends of the effect.
 */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { MemoryPool, release } from '#shared/binary/memory-pool.ts'
import type { ErrorCode } from '#shared/errors/error-codes.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { StoreSettings } from '#shared/store/config.ts'
import type { S3Store } from '#shared/store/s3/s3-store.ts'
import type { StoreAttempt } from '#shared/store/store-attempt.ts'
import { FakeS3, type Fault } from '#test/support/s3/fake-s3.ts'
import { openFake } from '#test/support/s3/open-fake.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const string = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const fails = (code: ErrorCode, context: Record<string, unknown> = {}) => (error: unknown): boolean => {
  assert.ok(error instanceof ZonewiseError, String(error))
  assert.equal(error.code, code)
  for (const [name, value] of Object.entries(context)) assert.deepEqual(error.context[name], value, name)
  return true
}

let fake: FakeS3
let store: S3Store
let attempts: StoreAttempt[]
let opened: S3Store[]

async function open(settings: Partial<StoreSettings> = {}): Promise<S3Store> {
  attempts = []
  const made = await openFake({ endpoint: fake.endpoint, settings, attempts })
  opened.push(made)
  return made
}

before(() => { opened = [] })
beforeEach(async () => {
  await Promise.all([...opened.map((one) => one.close()), fake?.close()])
  fake = await FakeS3.start()
  opened = []
  store = await open()
})
after(() => Promise.all([...opened.map((one) => one.close()), fake.close()]))

const held = (key: string): string | undefined => fake.objects.get(`clusters/a/${key}`)?.bytes.toString()

const PASSING: readonly Fault[] = [
  { kind: 'status', status: 503, code: 'SlowDown' }, { kind: 'status', status: 500, code: 'InternalError' },
  { kind: 'status', status: 502 }, { kind: 'status', status: 429 }, { kind: 'status', status: 409, code: 'ConditionalRequestConflict' },
  { kind: 'status', status: 400, code: 'RequestTimeout' }, { kind: 'status', status: 400, code: 'BadDigest' },
  { kind: 'reset' }, { kind: 'half body' }, { kind: 'lost reply' }
]

for (const fault of PASSING) {
  const name = fault.kind === 'status' ? `${fault.status} ${fault.code ?? ''}`.trim() : fault.kind
  test(`s3-store: a new object survives ${name}, three times in a row`, async () => {
    fake.fault('PUT', fault, 3)
    await store.putIfAbsent('chunks/1', [text('once '), text('only')])
    assert.equal(held('chunks/1'), 'once only')
    assert.equal(store.extraRequests.retries, 3)
    assert.equal(attempts.filter(({ call }) => call === 'put').length, 4)
  })
}

test('s3-store: a large object of many chunks is sent again from its first byte when the connection ends in the middle', async () => {
  const chunks = Array.from({ length: 300 }, (_, n) => new Uint8Array(10_000 + n).fill(n))
  for (const fault of [{ kind: 'half body' }, { kind: 'status', status: 503 }, { kind: 'lost reply' }] as const) {
    fake.fault('PUT', fault)
    await store.putIfAbsent(`chunks/${fault.kind.replace(" ", "-")}`, chunks)
    assert.ok(fake.objects.get(`clusters/a/chunks/${fault.kind.replace(" ", "-")}`)!.bytes.equals(Buffer.concat(chunks)))
  }
})

test('s3-store: a reply that was lost after the effect is known as our own object by its id, not by its bytes', async () => {
  fake.fault('PUT', { kind: 'lost reply' })
  await store.putIfAbsent('chunks/1', [text('mine')])
  fake.fault('PUT', { kind: 'reset' })
  await assert.rejects(store.putIfAbsent('chunks/1', [text('mine')]), fails('OBJECT_EXISTS', { key: 'chunks/1' }))
  assert.equal(held('chunks/1'), 'mine')
})

test('s3-store: the key is taken by another writer between two tries', async () => {
  fake.fault('PUT', { kind: 'slow', ms: 30 })
  const [first, second] = await Promise.allSettled([store.putIfAbsent('chunks/1', [text('slow')]), store.putIfAbsent('chunks/1', [text('fast')])])
  assert.equal(second.status, 'fulfilled')
  assert.ok(first.status === 'rejected' && fails('OBJECT_EXISTS')(first.reason))
  assert.equal(held('chunks/1'), 'fast')
})

test('s3-store: where a taken key is gone again when it is looked at, the PUT is tried again', async () => {
  fake.fault('PUT', { kind: 'status', status: 412, code: 'PreconditionFailed' })
  await store.putIfAbsent('chunks/1', [text('x')])
  assert.equal(held('chunks/1'), 'x')
  assert.deepEqual(attempts.map(({ call }) => call), ['put', 'head', 'put'])
})

test('s3-store: the look at a taken key may fail as often as a PUT may', async () => {
  fake.fault('PUT', { kind: 'lost reply' })
  fake.fault('HEAD', { kind: 'status', status: 503 }, 2)
  fake.fault('HEAD', { kind: 'reset' })
  await store.putIfAbsent('chunks/1', [text('x')])
  assert.equal(attempts.filter(({ call }) => call === 'head').length, 4)
})

test('s3-store: attempts are bounded, then the outcome is unknown, with what the store said last', async () => {
  store = await open({ s3AttemptsMax: 3 })
  fake.fault('PUT', { kind: 'status', status: 503, code: 'SlowDown' }, 3)
  await assert.rejects(store.putIfAbsent('chunks/1', [text('x')]),
    fails('STORE_UNAVAILABLE', { attempt: 3, status: 503, code: 'SlowDown', call: 'put', key: 'chunks/1', bucket: 'bucket-a' }))
  assert.equal(attempts.length, 3)
  await store.putIfAbsent('chunks/1', [text('x')])
})

test('s3-store: a store that does not answer is given up in time, and so is what waits for its turn', async () => {
  store = await open({ s3CallTimeoutMs: 150, s3PutsMax: 1 })
  fake.fault('PUT', { kind: 'hang' }, 9)
  const startedMs = performance.now()
  const calls = await Promise.allSettled([1, 2].map((n) => store.putIfAbsent(`chunks/${n}`, [text('x')])))
  for (const call of calls) assert.ok(call.status === 'rejected' && fails('STORE_UNAVAILABLE')(call.reason))
  assert.ok(performance.now() - startedMs < 2_000)
})

test('s3-store: no answer within the answer timeout ends the attempt, not the call', async () => {
  store = await open({ s3AnswerTimeoutMs: 100 })
  fake.fault('PUT', { kind: 'hang' })
  fake.fault('GET', { kind: 'hang' })
  await store.putIfAbsent('chunks/1', [text('x')])
  assert.equal(string(await store.get('chunks/1')), 'x')
  assert.equal(store.extraRequests.retries, 2)
})

test('s3-store: calls that wait are bounded', async () => {
  store = await open({ s3PutsMax: 2, s3WaitingMax: 3 })
  fake.delayMs = 50
  const results = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => store.putIfAbsent(`chunks/${n}`, [text('x')])))
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 5)
  for (const result of results) if (result.status === 'rejected') fails('STORE_UNAVAILABLE', { waitingMax: 3 })(result.reason)
  assert.equal(new Set(fake.requests.map(({ socketId }) => socketId)).size, 2)
})

for (const range of [undefined, { start: 1, end: 4_000 }]) {
  const name = range === undefined ? 'an object' : 'a range'
  for (const fault of [{ kind: 'truncated' }, { kind: 'reset' }, { kind: 'status', status: 503 }] as const) {
    test(`s3-store: ${name} is read whole after: ${fault.kind}`, async () => {
      const bytes = new Uint8Array(5_000).map((_, index) => index % 251)
      await store.putIfAbsent('chunks/1', [bytes])
      fake.fault('GET', fault, 2)
      assert.deepEqual(new Uint8Array(await store.get('chunks/1', range)), bytes.slice(range?.start, range?.end))
    })
  }
}

test('s3-store: an object with a damaged byte is read again, and is corrupt where that does not help', async () => {
  store = await open({ s3AttemptsMax: 3 })
  await store.putIfAbsent('chunks/1', [text('whole')])
  fake.fault('GET', { kind: 'damaged' }, 2)
  assert.equal(string(await store.get('chunks/1')), 'whole')
  fake.fault('GET', { kind: 'damaged' }, 3)
  await assert.rejects(store.get('chunks/1'), fails('OBJECT_CORRUPT', { key: 'chunks/1' }))
})

test('s3-store: attempts that failed, and answers that came too late, hold no memory', async () => {
  store = await open({ s3AttemptsMax: 2, s3HedgePercentMax: 100, s3HedgeMinMs: 20 })
  const memory = new MemoryPool()
  await store.putIfAbsent('chunks/1', [new Uint8Array(200_000)])
  for (const fault of [{ kind: 'truncated' }, { kind: 'damaged' }, { kind: 'reset' }] as const) {
    fake.fault('GET', fault)
    release(await store.get('chunks/1', undefined, memory))
    assert.equal(memory.heldBytes, 0, fault.kind)
    fake.fault('GET', fault, 2)
    await assert.rejects(store.get('chunks/1', undefined, memory), ZonewiseError)
    assert.equal(memory.heldBytes, 0, fault.kind)
  }
  for (let n = 0; n < 64; n++) release(await store.get('chunks/1', { start: 0, end: 1_000 }, memory))
  const hedges = store.extraRequests.hedges
  fake.fault('GET', { kind: 'slow', ms: 2_000 }, 2) // both: they answer at about the same time
  release(await store.get('chunks/1', { start: 0, end: 1_000 }, memory))
  assert.equal(store.extraRequests.hedges - hedges, 1)
  await new Promise((resolve) => { setTimeout(resolve, 150) })
  assert.equal(memory.heldBytes, 0)
})

test('s3-store: what was lent to a PUT is not read any more once it is answered, however early', async () => {
  store = await open({ s3AttemptsMax: 1 })
  const bytes = Buffer.alloc(32 * 2 ** 20, 1)
  fake.fault('PUT', { kind: 'early refusal' })
  await assert.rejects(store.putIfAbsent('chunks/1', [bytes]), fails('STORE_UNAVAILABLE', { status: 503 }))
  bytes.fill(2)
  while (fake.cancelledCount === 0) await new Promise((resolve) => { setTimeout(resolve, 5) })
  assert.ok(fake.lateBytes < bytes.byteLength && !fake.sawByte(2), `${fake.lateBytes} bytes of the body came`)
})

test('s3-store: list, head and delete are tried again too', async () => {
  await store.putIfAbsent('a', [text('x')])
  fake.fault('GET', { kind: 'status', status: 503 }, 2)
  assert.deepEqual((await store.list('')).map(({ key }) => key), ['a'])
  fake.fault('HEAD', { kind: 'reset' }, 2)
  assert.equal((await store.head('a'))?.bytes, 1)
  fake.fault('DELETE', { kind: 'lost reply' })
  await store.delete('a')
  assert.equal(held('a'), undefined)
  assert.equal(store.extraRequests.retries, 5)
})

test('s3-store: every attempt is counted with the bytes of its socket', async () => {
  fake.fault('PUT', { kind: 'status', status: 503 })
  await store.putIfAbsent('chunks/1', [new Uint8Array(100_000)])
  await store.get('chunks/1', { start: 0, end: 50_000 })
  await store.list('chunks/')
  await store.delete('chunks/1')
  assert.deepEqual(attempts.map(({ call, key }) => `${call} ${key}`), ['put chunks/1', 'put chunks/1', 'get chunks/1', 'list chunks/', 'delete chunks/1'])
  for (const { call, sentBytes } of attempts) {
    const body = call === 'put' ? 100_000 : 0
    assert.ok(sentBytes > body + 300 && sentBytes < body + 1_500, `${call} sent ${sentBytes}`)
  }
  const { receivedBytes } = attempts[2]!
  assert.ok(receivedBytes > 50_000 && receivedBytes < 50_600, String(receivedBytes))
})

test('s3-store: calls on a closed store, and those under way when it closes, have no known outcome', async () => {
  fake.fault('PUT', { kind: 'hang' })
  const call = store.putIfAbsent('chunks/1', [text('x')])
  while (fake.requests.length === 0) await new Promise((resolve) => { setTimeout(resolve, 5) })
  const rejected = assert.rejects(call, fails('STORE_UNAVAILABLE'))
  await store.close()
  await rejected
  await assert.rejects(store.get('chunks/1'), fails('STORE_UNAVAILABLE'))
})

test('s3-store: what others keep in the bucket is neither listed nor in the way', async () => {
  await store.putIfAbsent('a', [text('x')])
  await store.putIfAbsent('c', [text('x')])
  const foreign = { bytes: Buffer.from('x'), metadata: {}, modifiedMs: 0 }
  for (const key of ['clusters/a/b c', 'clusters/a/ä%2B+', 'clusters/a/folder/', 'clusters/b/a', 'a']) fake.objects.set(key, foreign)
  assert.deepEqual((await store.list('')).map(({ key }) => key), ['a', 'c'])
  assert.deepEqual((await store.list('', { max: 1, after: 'a' })).map(({ key }) => key), ['c'])
})

test('s3-store: lists go on over the pages of the store', async () => {
  const object = { bytes: Buffer.from('x'), metadata: {}, modifiedMs: 0 }
  for (let n = 0; n < 2_500; n++) fake.objects.set(`clusters/a/k/${String(n).padStart(5, '0')}`, object)
  const found = await store.list('k/', { max: 2_400 })
  assert.equal(found.length, 2_400)
  assert.equal(found.at(-1)!.key, 'k/02399')
  assert.equal(attempts.filter(({ call }) => call === 'list').length, 3)
})
