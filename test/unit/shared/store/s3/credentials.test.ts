import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Credentials, CredentialsHolder, RenewalFailed } from '#shared/store/s3/credentials.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const MINUTE = 60_000

/** A service that gives out keys for an hour each; `wait` holds its answers back. */
function setUp({ lifeMs = 60 * MINUTE } = {}) {
  const runtime = new ManualRuntime()
  const state = { asked: 0, broken: false, waiting: null as Promise<void> | null, same: false }
  const holder = new CredentialsHolder(async () => {
    state.asked += 1
    await state.waiting
    if (state.broken) throw new Error('the service is away')
    const name = state.same ? 'key 1' : `key ${state.asked}`
    return { accessKeyId: name, secretAccessKey: 's', expiration: new Date(runtime.clock.nowMs() + lifeMs) }
  }, runtime.clock)
  return { runtime, state, holder }
}

test('credentials: are found once for many, and kept', async () => {
  const { holder, state, runtime } = setUp()
  const all = await Promise.all([1, 2, 3].map(() => holder.get()))
  assert.deepEqual(all.map(({ accessKeyId }) => accessKeyId), ['key 1', 'key 1', 'key 1'])
  await runtime.advance(54 * MINUTE)
  assert.equal((await holder.get()).accessKeyId, 'key 1')
  assert.equal(state.asked, 1)
})

test('credentials: are renewed before they expire, and nobody waits for it', async () => {
  const { holder, state, runtime } = setUp()
  await holder.get()
  await runtime.advance(56 * MINUTE)
  let answer = (): void => {}
  state.waiting = new Promise((resolve) => { answer = resolve })
  assert.equal((await holder.get()).accessKeyId, 'key 1')
  assert.equal((await holder.get()).accessKeyId, 'key 1')
  assert.equal(state.asked, 2)
  answer()
  await runtime.settle()
  assert.equal((await holder.get()).accessKeyId, 'key 2')
})

test('credentials: a renewal that fails is tried again now and then while the old ones last, then told', async () => {
  const { holder, state, runtime } = setUp()
  await holder.get()
  state.broken = true
  await runtime.advance(56 * MINUTE)
  for (let n = 0; n < 5; n++) {
    assert.equal((await holder.get()).accessKeyId, 'key 1')
    await runtime.advance(1_000)
  }
  assert.equal(state.asked, 2)
  await runtime.advance(4 * MINUTE)
  await assert.rejects(holder.get(), (error) => error instanceof RenewalFailed && error.message.endsWith('the service is away'))
  state.broken = false
  assert.equal((await holder.get()).accessKeyId, `key ${state.asked}`)
})

test('credentials: refused ones are replaced, once for all who used them', async () => {
  const { holder, runtime, state } = setUp()
  const used = await holder.get()
  await runtime.advance(MINUTE)
  assert.deepEqual(await Promise.all([holder.replace(used), holder.replace(used)]), [true, true])
  assert.equal(await holder.replace(used), true)
  assert.equal(state.asked, 2)
  assert.equal((await holder.get()).accessKeyId, 'key 2')
})

test('credentials: where there are no others, refused is refused, without a storm of questions', async () => {
  const { holder, runtime, state } = setUp()
  state.same = true
  const used: Credentials = await holder.get()
  await runtime.advance(MINUTE)
  for (let n = 0; n < 20; n++) assert.equal(await holder.replace(used), false)
  assert.equal(state.asked, 2)
})
