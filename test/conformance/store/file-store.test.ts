/** What only a store in a folder can get wrong: leftovers, shared syncs, open files, strange neighbours. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { nodeFiles } from '#cli/platform/node-files.ts'
import type { ErrorCode } from '#shared/errors/error-codes.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Files } from '#shared/runtime/files.ts'
import { openFileStore } from '#shared/store/file-store.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const fails = (code: ErrorCode) => (error: unknown): boolean => error instanceof ZonewiseError && error.code === code

test('file-store: half-written objects are swept at open and never listed', async () => {
  const root = temporaryFolder()
  mkdirSync(`${root}/.tmp`)
  writeFileSync(`${root}/.tmp/17`, 'half')
  mkdirSync(`${root}/lost+found`)
  writeFileSync(`${root}/lost+found/x`, 'not ours')
  const store = await openFileStore({ files: nodeFiles, root, handlesMax: 4 })
  assert.deepEqual(readdirSync(`${root}/.tmp`), [])
  assert.deepEqual(await store.list(''), [])
  await store.putIfAbsent('a', [text('x')])
  await assert.rejects(store.putIfAbsent('a', [text('y')]))
  await assert.rejects(store.putIfAbsent('a/b', [text('y')]), fails('STORE_REFUSED'))
  await assert.rejects(store.put('a/b', [text('y')]), fails('STORE_REFUSED'))
  assert.deepEqual(readdirSync(`${root}/.tmp`), [])
  await store.close()
})

test('file-store: objects made at the same time in one folder share its syncs', async () => {
  let syncs = 0
  const files: Files = { ...nodeFiles, syncFolder: async (path) => { syncs += 1; await nodeFiles.syncFolder(path) } }
  const store = await openFileStore({ files, root: temporaryFolder(), handlesMax: 4 })
  await store.putIfAbsent('chunks/a/first', [text('x')])
  syncs = 0
  await Promise.all(Array.from({ length: 64 }, (_, n) => store.putIfAbsent(`chunks/a/${n}`, [text('x')])))
  assert.ok(syncs < 64, `${syncs} syncs`)
  await store.close()
})

test('file-store: a put is not durable before every new folder above it is', async () => {
  const synced: string[] = []
  const root = temporaryFolder()
  const files: Files = {
    ...nodeFiles, syncFolder: async (path) => { await nodeFiles.syncFolder(path); synced.push(path.slice(root.length)) }
  }
  const store = await openFileStore({ files, root, handlesMax: 4 })
  synced.length = 0
  await store.putIfAbsent('a/b/c/d', [text('x')])
  assert.deepEqual(synced, ['/a/b', '/a', '', '/a/b/c'])
  await store.close()
})

test('file-store: a failed sync of the name is an unknown outcome, and the next try waits for a good one', async () => {
  let broken = false
  const files: Files = {
    ...nodeFiles,
    syncFolder: (path) =>
      (broken ? Promise.reject(new ZonewiseError('STORE_UNAVAILABLE', 'injected')) : nodeFiles.syncFolder(path))
  }
  const store = await openFileStore({ files, root: temporaryFolder(), handlesMax: 4 })
  await store.putIfAbsent('a/first', [text('x')])
  broken = true
  await assert.rejects(store.putIfAbsent('a/second', [text('x')]), fails('STORE_UNAVAILABLE'))
  await assert.rejects(store.putIfAbsent('a/second', [text('x')]), fails('STORE_UNAVAILABLE'))
  broken = false
  await assert.rejects(store.putIfAbsent('a/second', [text('x')]), fails('OBJECT_EXISTS'))
  await store.close()
})

test('file-store: open files stay within their bound, also under many readers at once', async () => {
  let open = 0
  const files: Files = {
    ...nodeFiles,
    open: async (path, access) => {
      const file = await nodeFiles.open(path, access)
      if (file === null) return null
      open += 1
      return {
        path, read: (position, length, into) =>
          file.read(position, length, into), write: (position, chunks) => file.write(position, chunks),
        sync: () => file.sync(), bytes: () => file.bytes(), close: async () => { open -= 1; await file.close() }
      }
    }
  }
  const store = await openFileStore({ files, root: temporaryFolder(), handlesMax: 3 })
  for (let n = 0; n < 20; n++) await store.putIfAbsent(`k${n}`, [text(`value ${n}`)])
  const reads = Array.from({ length: 200 }, async (_, n) => {
    assert.equal(Buffer.from(await store.get(`k${n % 20}`, { start: 6, end: 99 })).toString(), String(n % 20))
  })
  await Promise.all(reads)
  assert.ok(open <= 3, `${open} open`)
  await store.close()
  assert.equal(open, 0)
})

test('file-store: processes that share a folder neither meet in names nor sweep what others write', async () => {
  const root = temporaryFolder()
  const hourMs = 3_600_000
  const open = (name: string, nowMs: number): Promise<ObjectStore> =>
    openFileStore({ files: nodeFiles, root, handlesMax: 4, shared: { name, nowMs } })
  mkdirSync(`${root}/.tmp`)
  writeFileSync(`${root}/.tmp/dead-0`, 'half')
  const first = await open('first', Date.now())
  assert.deepEqual(readdirSync(`${root}/.tmp`), ['dead-0'])
  const second = await open('second', Date.now())
  const writes = [first, second].flatMap((store, i) =>
    Array.from({ length: 50 }, (_, n) => store.putIfAbsent(`chunks/${i}/${n}`, [text('x')])))
  writes.push(...[first, second].map((store) => store.put('meta/one', [text('y')])))
  await Promise.all(writes)
  assert.equal((await second.list('chunks/')).length, 100)
  const third = await open('third', Date.now() + 2 * hourMs)
  assert.deepEqual(readdirSync(`${root}/.tmp`), [])
  await Promise.all([first, second, third].map((store) => store.close()))
})
