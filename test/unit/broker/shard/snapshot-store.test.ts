/**
 * Goal: only what was read back is relied upon, and a snapshot that was let go while somebody looked for it is no
 * damage. Method: the real store over one in memory, with calls that a test puts in between.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newDurableShard, type DurableShard } from '#broker/shard/durable-shard.ts'
import { SnapshotStore } from '#broker/shard/snapshot-store.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { RecordingLog } from '#test/support/gateway-twin.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

const CLUSTER = 'test-cluster'

function shardAt(seq: number): DurableShard {
  return { ...newDurableShard(3), position: { epoch: 1, seq }, crc: seq }
}

/** A store whose calls can be made to do something first. */
function storeWith(before: (call: 'put' | 'get' | 'list', key: string) => Promise<void> | void): ObjectStore {
  const inner = new MemoryStore(new ManualRuntime().clock)
  return new Proxy(inner, { get(target, name: keyof MemoryStore) {
    const method = target[name] as unknown as (...args: unknown[]) => unknown
    if (name !== 'put' && name !== 'get' && name !== 'list') return method.bind(target)
    return async (...args: unknown[]) => {
      await before(name, args[0] as string)
      return method.apply(target, args)
    }
  } })
}

test('snapshot-store: the journal may be trimmed to the older of the two newest, and older ones go', async () => {
  const store = storeWith(() => {})
  const snapshots = new SnapshotStore(store, CLUSTER)
  for (const [seq, trimmable] of [[5, null], [9, 5], [12, 9]] as const) {
    await snapshots.write(shardAt(seq))
    assert.equal((await snapshots.trimmable(3))?.seq ?? null, trimmable)
  }
  await snapshots.prune(3)
  const keys = (await store.list('snapshots/')).map(({ key }) => key)
  assert(keys.every((key) => !key.includes('0000000000000005')))
  assert.equal(keys.filter((key) => key.endsWith('.head')).length, 2)
  assert.equal((await snapshots.newest(3))?.position.seq, 12)
})

test('snapshot-store: one that another node wrote counts for trimming once it was read back here, a damaged one never', async () => {
  const store = storeWith(() => {})
  const own = new SnapshotStore(store, CLUSTER)
  await own.write(shardAt(5))
  await new SnapshotStore(store, CLUSTER).write(shardAt(7))
  await own.write(shardAt(9))
  assert.equal((await own.trimmable(3))?.seq, 7)
  const damaged = (await store.list('snapshots/')).find(({ key }) => key.includes('0007') && !key.endsWith('.head'))!
  await store.put(damaged.key, [new Uint8Array(damaged.bytes)])
  const next = new SnapshotStore(store, CLUSTER)
  assert.equal((await next.trimmable(3))?.seq, 5)
  await next.prune(3)
  assert((await store.list('snapshots/')).some(({ key }) => key.includes('0005')))
})

test('snapshot-store: a write that cannot be read back fails', async () => {
  let failing = true
  const store = storeWith((call) => {
    if (call === 'get' && failing) throw new ZonewiseError('STORE_UNAVAILABLE', 'no answer')
  })
  const snapshots = new SnapshotStore(store, CLUSTER)
  await assert.rejects(snapshots.write(shardAt(5)), { code: 'STORE_UNAVAILABLE' })
  failing = false
  await snapshots.write(shardAt(9))
})

test('snapshot-store: one that was let go between LIST and GET is looked for again; one that is listed still is passed over', async () => {
  let between = async (): Promise<void> => {}
  const store = storeWith(async (call) => {
    if (call !== 'get') return
    const run = between
    between = async () => {}
    await run()
  })
  const [reader, leader] = [new SnapshotStore(store, CLUSTER), new SnapshotStore(store, CLUSTER)]
  await leader.write(shardAt(5))
  between = async () => {
    for (const seq of [6, 7]) await leader.write(shardAt(seq))
    await leader.prune(3)
  }
  assert.equal((await reader.newest(3))?.position.seq, 7)
  const head = (await store.list('snapshots/')).findLast(({ key }) => key.endsWith('.head'))!
  const part = (await store.list('snapshots/')).findLast(
    ({ key }) => key.startsWith(head.key.slice(0, -5)) && key !== head.key
  )!
  await store.delete(part.key)
  assert.equal((await reader.newest(3))?.position.seq, 6)
})

test('snapshot-store: refuses a snapshot of another cluster', async () => {
  const store = storeWith(() => {})
  await new SnapshotStore(store, 'another').write(shardAt(5))
  await assert.rejects(new SnapshotStore(store, CLUSTER).newest(3), { code: 'CLUSTER_MISMATCH' })
})

/** Replaces what a key of a snapshot holds, as a bad disk would. */
async function damage(store: ObjectStore, part: string): Promise<string> {
  const { key } = (await store.list('snapshots/')).find((one) => one.key.includes(part))!
  const bytes = await store.get(key)
  bytes[bytes.length >> 1]! ^= 0x10
  await store.put(key, [bytes])
  return key
}

test('snapshot-store: a damaged snapshot is told with its key, and the one before it is taken', async () => {
  for (const part of ['9.head', '9.state']) {
    const store = storeWith(() => {})
    const log = new RecordingLog()
    const snapshots = new SnapshotStore(store, CLUSTER, log)
    for (const seq of [5, 9]) await snapshots.write(shardAt(seq))
    const key = await damage(store, part)
    assert.equal((await snapshots.newest(3))?.position.seq, 5)
    const [said] = log.lines
    assert.equal(said?.level, 'error')
    assert.match(String(said?.fields['reason']), new RegExp(key))
  }
})

test('snapshot-store: where every snapshot is damaged there is none, and all are told', async () => {
  const store = storeWith(() => {})
  const log = new RecordingLog()
  const snapshots = new SnapshotStore(store, CLUSTER, log)
  for (const seq of [5, 9]) await snapshots.write(shardAt(seq))
  await damage(store, '5.state')
  await damage(store, '9.head')
  assert.equal(await snapshots.newest(3), null)
  assert.equal(log.of('error').length, 2)
})

test('snapshot-store: pages that a crash left without a head go with the snapshots around them', async () => {
  const store = storeWith(() => {})
  const snapshots = new SnapshotStore(store, CLUSTER)
  await snapshots.write(shardAt(5))
  const heads = (await store.list('snapshots/')).filter(({ key }) => key.endsWith('.head'))
  await store.delete(heads[0]!.key)
  for (const seq of [9, 12, 15]) await snapshots.write(shardAt(seq))
  await snapshots.prune(3)
  assert.equal((await store.list('snapshots/')).length, 4)
})
