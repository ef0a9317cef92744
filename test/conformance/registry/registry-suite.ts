/** What every registry promises (shared/cluster/registry.ts). Times are short and real: a registry has its own clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeEntry, Registry, RenewOptions } from '#shared/cluster/registry.ts'

export type RegistryUnderTest = {
  readonly name: string
  /** Ways of `count` nodes to one new, empty registry. */
  open(count: number): Promise<Registry[]>
  sleep(ms: number): Promise<void>
}

const TTL_MS = 400
const LONG_MS = 60_000

const entry = (nodeId: number, nodeEpoch = 1, content = `node ${nodeId}`): NodeEntry => ({ nodeId, nodeEpoch, content })
const options = (knownVersion: number, ttlMs = LONG_MS, load = 0): RenewOptions =>
  ({ knownVersion, ttlMs, vitals: { clockMs: 1_700_000_000_000, load } })

export function registrySuite({ name, open, sleep }: RegistryUnderTest): void {
  const check = (sentence: string, fn: (registry: Registry, other: Registry) => Promise<void>): void => {
    test(`${name} registry: ${sentence}`, async () => {
      const [registry, other] = await open(2)
      await fn(registry!, other!)
    })
  }

  check('a first renewal tells all that live', async (registry, other) => {
    await registry.renew(entry(2), options(-1))
    const renewal = await other.renew(entry(1), options(-1))
    assert(renewal.kind === 'renewed' && renewal.state !== null)
    assert.deepEqual(renewal.state.entries, [entry(1), entry(2)])
    assert.equal(renewal.state.version, renewal.version)
  })

  check('a renewal without news tells nothing again', async (registry) => {
    const first = await registry.renew(entry(1), options(-1))
    assert(first.kind === 'renewed')
    for (const load of [0.1, 0.9]) {
      const again = await registry.renew(entry(1), options(first.version, LONG_MS, load))
      assert.deepEqual(again, { kind: 'renewed', version: first.version, state: null, wasGone: false })
    }
  })

  check('a changed content is a new version for all', async (registry, other) => {
    await registry.renew(entry(1), options(-1))
    const known = await other.renew(entry(2), options(-1))
    assert(known.kind === 'renewed')
    await registry.renew(entry(1, 1, 'changed'), options(known.version))
    const told = await other.renew(entry(2), options(known.version))
    assert(told.kind === 'renewed' && told.state !== null)
    assert(told.version > known.version)
    assert.equal(told.state.entries[0]?.content, 'changed')
  })

  check('what is not renewed in time is gone, and that is a new version', async (registry, other) => {
    await registry.renew(entry(1), options(-1, TTL_MS))
    const known = await other.renew(entry(2), options(-1))
    assert(known.kind === 'renewed')
    await sleep(TTL_MS + 150)
    const told = await other.renew(entry(2), options(known.version))
    assert(told.kind === 'renewed' && told.state !== null)
    assert.deepEqual(told.state.entries.map(({ nodeId }) => nodeId), [2])
    assert.equal(await other.holder(1), null)
    const back = await registry.renew(entry(1), options(-1, TTL_MS))
    assert(back.kind === 'renewed' && back.state !== null && back.wasGone)
    assert.deepEqual(back.state.entries, [entry(1), entry(2)])
  })

  check('a renewal lengthens the time to live', async (registry) => {
    await registry.renew(entry(1), options(-1, TTL_MS))
    const before = await registry.holder(1)
    assert(before !== null && before.expiresInMs <= TTL_MS && before.expiresInMs > TTL_MS - 200)
    await sleep(200)
    await registry.renew(entry(1), options(-1, TTL_MS))
    const after = await registry.holder(1)
    assert(after !== null && after.expiresInMs > TTL_MS - 150)
    await sleep(250)
    assert.notEqual(await registry.holder(1), null)
  })

  check('the newer life of a node wins', async (registry, other) => {
    await registry.renew(entry(1, 7, 'old'), options(-1))
    const newer = await other.renew(entry(1, 8, 'new'), options(-1))
    assert(newer.kind === 'renewed' && newer.state !== null)
    assert.deepEqual(newer.state.entries, [entry(1, 8, 'new')])
    assert.deepEqual(await registry.renew(entry(1, 7, 'old'), options(-1)), { kind: 'superseded', nodeEpoch: 8 })
    await registry.remove(1, 7) // of the older life: does nothing
    assert.equal((await registry.holder(1))?.nodeEpoch, 8)
  })

  check('a newer life with the same content is a change', async (registry, other) => {
    await registry.renew(entry(1, 1, 'same'), options(-1))
    const known = await other.renew(entry(2), options(-1))
    assert(known.kind === 'renewed')
    await registry.renew(entry(1, 2, 'same'), options(-1))
    const told = await other.renew(entry(2), options(known.version))
    assert(told.kind === 'renewed' && told.state !== null)
    assert.equal(told.state.entries[0]?.nodeEpoch, 2)
  })

  check('a node taken off is gone at once', async (registry, other) => {
    await registry.renew(entry(1), options(-1))
    const known = await other.renew(entry(2), options(-1))
    assert(known.kind === 'renewed')
    await registry.remove(1, 1)
    const told = await other.renew(entry(2), options(known.version))
    assert(told.kind === 'renewed' && told.state !== null)
    assert.deepEqual(told.state.entries.map(({ nodeId }) => nodeId), [2])
    await registry.remove(1, 1) // again: nothing to do
    const quiet = await other.renew(entry(2), options(told.version))
    assert(quiet.kind === 'renewed')
    assert.equal(quiet.state, null)
  })

  check('vitals are read beside the entries', async (registry, other) => {
    await registry.renew(entry(1), options(-1, LONG_MS, 0.25))
    await other.renew(entry(2), options(-1, LONG_MS, 0.5))
    const { entries, vitals } = await registry.read()
    assert.deepEqual(entries, [entry(1), entry(2)])
    assert.deepEqual([...vitals].sort(([a], [b]) => a - b),
      [[1, { clockMs: 1_700_000_000_000, load: 0.25 }], [2, { clockMs: 1_700_000_000_000, load: 0.5 }]])
  })

  check('a change is hinted to those that listen', async (registry, other) => {
    let hints = 0
    const stop = other.onChange(() => { hints += 1 })
    await sleep(100)
    await registry.renew(entry(1), options(-1))
    for (let waits = 0; hints === 0 && waits < 100; waits++) await sleep(20)
    assert(hints > 0)
    stop()
    const before = hints
    await registry.renew(entry(1, 1, 'changed'), options(-1))
    await sleep(100)
    assert.equal(hints, before)
  })
}
