/** What is set up wrongly becomes one sentence with cause and cure, at once and not after retries. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { type Log, silentLog } from '#shared/log/log.ts'
import type { Clock } from '#shared/runtime/runtime.ts'
import type { S3Store } from '#shared/store/s3/s3-store.ts'
import type { StoreAttempt } from '#shared/store/store-attempt.ts'
import { FAKE_KEY, type FakeOptions, FakeS3 } from '#test/support/s3/fake-s3.ts'
import { type OpenFake, openFake } from '#test/support/s3/open-fake.ts'
import { selfSigned } from '#test/support/s3/self-signed.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const opened: { close(): Promise<void> }[] = []
after(() => Promise.all(opened.map((one) => one.close())))

async function setUp(server: FakeOptions = {}, client: Partial<OpenFake> = {}): Promise<{ fake: FakeS3; store: S3Store; attempts: StoreAttempt[] }> {
  const fake = await FakeS3.start(server)
  const attempts: StoreAttempt[] = []
  const store = await openFake({ endpoint: fake.endpoint, attempts, ...client })
  opened.push(store, fake)
  return { fake, store, attempts }
}

/** Every kind of call is refused in the same words. */
async function sentenceOf(store: S3Store): Promise<string> {
  const calls = [() => store.putIfAbsent('a', [text('x')]), () => store.get('a'), () => store.list(''), () => store.delete('a')]
  const sentences: string[] = []
  for (const call of calls) {
    const error = await call().then(() => null, (reason: unknown) => reason)
    assert.ok(error instanceof ZonewiseError, String(error))
    assert.equal(error.code, 'STORE_REFUSED', explain(error))
    assert.equal(error.retriable, false)
    assert.equal(typeof error.context['cure'], 'string')
    sentences.push(error.message)
  }
  assert.equal(new Set(sentences).size, 1, sentences.join(' | '))
  return sentences[0]!
}

test('s3-store: an unknown key, and a wrong secret, are refused credentials', async () => {
  for (const credentials of [{ accessKeyId: 'nobody', secretAccessKey: 'x' }, { accessKeyId: 'AKIAFAKE', secretAccessKey: 'wrong' }]) {
    const { store, attempts } = await setUp({}, { credentials })
    assert.equal(await sentenceOf(store), 'the object store does not accept the credentials')
    assert.equal(attempts.length, 4)
  }
})

test('s3-store: credentials that the store stops taking are renewed, and the calls under way go on', async () => {
  let laterMs = 0
  const clock: Clock = { nowMs: () => nodeRuntime.clock.nowMs(), monotonicMs: () => nodeRuntime.clock.monotonicMs() + laterMs }
  let current = { ...FAKE_KEY, accessKeyId: 'old' }
  const { fake, store } = await setUp({}, { clock, credentials: async () => current })
  fake.key = current
  await store.putIfAbsent('a', [text('x')])
  laterMs = 60_000
  fake.key = current = FAKE_KEY
  const calls = [store.get('a'), store.get('a'), store.putIfAbsent('b', [text('y')])]
  await Promise.all(calls)
  assert.equal((await store.list('')).length, 2)
})

test('s3-store: a clock that is wrong is said with how much', async () => {
  const { store } = await setUp({ clockOffsetMs: 3_600_000 })
  assert.equal(await sentenceOf(store), 'the clock of this machine and that of the object store differ too much')
  const error = await store.get('a').then(() => null, (reason: unknown) => reason) as ZonewiseError
  const ahead = Number(error.context['serverAheadMs'])
  assert.ok(Math.abs(ahead - 3_600_000) < 10_000, String(ahead))
})

test('s3-store: a bucket that is not there', async () => {
  const { store } = await setUp({}, { bucket: 'bucket-b' })
  assert.equal(await sentenceOf(store), 'there is no such bucket')
})

test('s3-store: a call without permission names the permissions', async () => {
  const { fake, store, attempts } = await setUp()
  fake.fault('*', { kind: 'status', status: 403, code: 'AccessDenied' }, 4)
  assert.equal(await sentenceOf(store), 'the credentials have no permission for this call')
  assert.equal(attempts.length, 4)
  fake.fault('HEAD', { kind: 'status', status: 403 })
  await assert.rejects(store.head('a'), (error) => error instanceof ZonewiseError && error.code === 'STORE_REFUSED')
})

test('s3-store: what the server cannot do at all is not tried again', async () => {
  const { fake, store, attempts } = await setUp()
  fake.fault('*', { kind: 'status', status: 501, code: 'NotImplemented' }, 4)
  assert.equal(await sentenceOf(store), 'the object store refuses the call')
  assert.equal(attempts.length, 4)
})

test('s3-store: the region that the server names is used, for every call, said once', async () => {
  const warnings: unknown[] = []
  const log: Log = { ...silentLog, warn: (message, fields) => { warnings.push([message, fields?.['region']]) } }
  const { fake, store, attempts } = await setUp({ region: 'ap-southeast-2' }, { log })
  const puts = Array.from({ length: 5 }, (_, n) => store.putIfAbsent(`chunks/${n}`, [text('x')]))
  await Promise.all(puts)
  assert.equal(fake.objects.size, 5)
  assert.equal(Buffer.from(await store.get('chunks/1')).toString(), 'x')
  assert.equal((await store.head('chunks/1'))?.bytes, 1)
  assert.equal((await store.list('')).length, 5)
  assert.deepEqual(warnings, [['the bucket is in another region: it is used there from now on', 'ap-southeast-2']])
  assert.equal(attempts.length, 5 + 5 + 3)
})

test('s3-store: a HEAD that meets the wrong region finds the right one too', async () => {
  const { store } = await setUp({ region: 'ap-southeast-2' })
  assert.equal(await store.head('chunks/1'), null)
})

for (const [status, headers, body] of [
  [301, { 'x-amz-bucket-region': 'eu-west-1' }, ''], [307, { location: 'https://bucket-a.s3.eu-west-1.amazonaws.com/k' }, ''],
  [307, {}, '<Endpoint>bucket-a.s3-eu-west-1.amazonaws.com</Endpoint>'], [400, {}, '<Region>eu-west-1</Region>']
] as const) {
  test(`s3-store: a redirect (${status}, ${body || JSON.stringify(headers)}) is followed by signing for that region`, async () => {
    const { fake, store } = await setUp({}, { settings: { s3Region: 'us-west-2' } })
    fake.fault('PUT', { kind: 'status', status, code: 'PermanentRedirect', headers, body })
    await store.putIfAbsent('a', [text('x')])
    assert.equal(fake.objects.size, 1)
  })
}

test('s3-store: a redirect that names no region, and regions without end, are refused', async () => {
  const { fake, store, attempts } = await setUp()
  fake.fault('PUT', { kind: 'status', status: 301, code: 'PermanentRedirect' })
  await assert.rejects(store.putIfAbsent('a', [text('x')]), /the bucket is in another region/)
  for (const region of ['us-east-1', 'us-east-2', 'us-west-1']) fake.fault('PUT', { kind: 'status', status: 301, headers: { 'x-amz-bucket-region': region } })
  await assert.rejects(store.putIfAbsent('a', [text('x')]), /the bucket is in another region/)
  assert.equal(attempts.length, 4)
})

test('s3-store: a full store is full, not refused', async () => {
  const { fake, store } = await setUp()
  fake.fault('PUT', { kind: 'status', status: 507, code: 'InsufficientStorage' })
  await assert.rejects(store.putIfAbsent('a', [text('x')]), (error) => error instanceof ZonewiseError && error.code === 'STORE_FULL')
})

test('s3-store: a certificate of our own is trusted where it is given, and refused in words where not', async () => {
  const tls = selfSigned()
  const { store, attempts } = await setUp({ tls }, { caPem: tls.cert })
  await store.putIfAbsent('chunks/1', [new Uint8Array(300_000), text('end')])
  assert.equal((await store.get('chunks/1')).byteLength, 300_003)
  assert.equal((await store.list('')).length, 1)
  const [put] = attempts
  assert.ok(put!.sentBytes > 300_003 + 500 && put!.sentBytes < 304_000, `TLS and its handshake count: ${put!.sentBytes}`)
  for (const caPem of [undefined, selfSigned().cert]) {
    const other = await setUp({ tls }, caPem === undefined ? {} : { caPem })
    assert.equal(await sentenceOf(other.store), 'the certificate of the object store is not trusted')
    assert.equal(other.attempts.length, 4)
  }
})

test('s3-store: a certificate of another host, and one that is over, are refused', async () => {
  for (const tls of [selfSigned({ address: '127.0.0.2' }), selfSigned({ validToMs: Date.now() - 60_000 })]) {
    const { store } = await setUp({ tls }, { caPem: tls.cert })
    assert.equal(await sentenceOf(store), 'the certificate of the object store is not trusted')
  }
})

test('s3-store: https: to a server without TLS is said, not tried again', async () => {
  const fake = await FakeS3.start()
  const store = await openFake({ endpoint: fake.endpoint.replace('http:', 'https:') })
  opened.push(store, fake)
  assert.equal(await sentenceOf(store), 'what answers there speaks no HTTP')
})

test('s3-store: where nothing listens the outcome is unknown, and the reason is said', async () => {
  const { fake, store } = await setUp()
  await fake.close()
  await assert.rejects(store.putIfAbsent('a', [text('x')]), (error) => {
    assert.ok(error instanceof ZonewiseError)
    assert.equal(error.code, 'STORE_UNAVAILABLE')
    assert.equal(error.context['code'], 'ECONNREFUSED')
    return true
  })
})

test('s3-store: signed payloads are verified, and a server that wants them is served', async () => {
  const { fake, store } = await setUp({}, { settings: { s3SignPayload: true } })
  await store.putIfAbsent('a', [text('one '), text('two')])
  assert.match(String(fake.requests[0]!.headers['x-amz-content-sha256']), /^[0-9a-f]{64}$/)
  assert.equal(fake.objects.get('clusters/a/a')?.bytes.toString(), 'one two')
})
