/** What every object store must do: the contract of shared/store/object-store.ts as tests. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ErrorCode } from '#shared/errors/error-codes.ts'
import { MemoryPool, release } from '#shared/binary/memory-pool.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'

export type StoreUnderTest = {
  readonly name: string
  /** A new, empty store. */
  open(): Promise<ObjectStore>
  /** Closes `store` and opens what it left behind. */
  reopen(store: ObjectStore): Promise<ObjectStore>
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const string = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const fails = (code: ErrorCode) => (error: unknown): boolean => error instanceof ZonewiseError && error.code === code

export function storeSuite({ name, open, reopen }: StoreUnderTest): void {
  describe(`store (${name})`, () => {
    test('store: an object holds the bytes of all chunks, in order', async () => {
      const store = await open()
      await store.putIfAbsent('chunks/a/1', [text('one '), text(''), text('two '), text('three')])
      assert.equal(string(await store.get('chunks/a/1')), 'one two three')
      assert.equal((await store.head('chunks/a/1'))?.bytes, 13)
      await store.putIfAbsent('empty', [])
      assert.equal((await store.get('empty')).byteLength, 0)
      await store.close()
    })

    test('store: thousands of chunks make one object', async () => {
      const store = await open()
      const chunks = Array.from({ length: 3_000 }, (_, index) => new Uint8Array(7).fill(index & 0xff))
      await store.putIfAbsent('many', chunks)
      assert.ok(Buffer.from(await store.get('many')).equals(Buffer.concat(chunks)))
      await store.close()
    })

    test('store: of racing creators of one key exactly one wins, and its bytes stay', async () => {
      const store = await open()
      for (let round = 0; round < 10; round++) {
        const key = `race/${round}`
        const tries = Array.from({ length: 12 }, (_, writer) => store.putIfAbsent(key, [text(`writer ${writer}`)]))
        const results = await Promise.allSettled(tries)
        const winners = results.flatMap((result, writer) => (result.status === 'fulfilled' ? [writer] : []))
        assert.equal(winners.length, 1)
        for (const result of results)
          if (result.status === 'rejected') assert.ok(fails('OBJECT_EXISTS')(result.reason), String(result.reason))
        assert.equal(string(await store.get(key)), `writer ${winners[0]}`)
      }
      await store.close()
    })

    test('store: put replaces, also what was read before', async () => {
      const store = await open()
      await store.put('meta/x', [text('first')])
      assert.equal(string(await store.get('meta/x')), 'first')
      await store.put('meta/x', [text('the second')])
      assert.equal(string(await store.get('meta/x')), 'the second')
      await assert.rejects(store.putIfAbsent('meta/x', [text('third')]), fails('OBJECT_EXISTS'))
      assert.equal(string(await store.get('meta/x')), 'the second')
      await store.close()
    })

    test('store: a range is cut at the size of the object', async () => {
      const store = await open()
      await store.putIfAbsent('ranged', [text('0123456789')])
      const range = async (start: number, end: number): Promise<string> => string(await store.get('ranged', { start, end }))
      assert.equal(await range(0, 10), '0123456789')
      assert.equal(await range(2, 5), '234')
      assert.equal(await range(4, 4), '')
      assert.equal(await range(8, 99), '89')
      assert.equal(await range(10, 12), '')
      assert.equal(await range(50, 60), '')
      await store.close()
    })

    test('store: the caller owns what it got', async () => {
      const store = await open()
      await store.putIfAbsent('owned', [text('abc')])
      const bytes = await store.get('owned')
      bytes.fill(0)
      assert.equal(string(await store.get('owned')), 'abc')
      await store.close()
    })

    test('store: with memory of the caller the bytes lie in it, held once, and nothing is held after a failure', async () => {
      const store = await open()
      const memory = new MemoryPool({ regionBytes: 2 ** 20, poison: true })
      await store.putIfAbsent('pooled', [text('01234'), text('56789')])
      for (const [range, expected] of [[undefined, '0123456789'], [{ start: 2, end: 5 }, '234'], [{ start: 8, end: 99 }, '89'], [{ start: 4, end: 4 }, ''], [{ start: 50, end: 60 }, '']] as const) {
        const bytes = await store.get('pooled', range, memory)
        assert.equal(string(bytes), expected)
        if (expected !== '') assert.ok(memory.heldBytes >= expected.length)
        release(bytes)
        assert.equal(memory.heldBytes, 0)
      }
      await assert.rejects(store.get('not-there', undefined, memory), fails('OBJECT_MISSING'))
      assert.equal(memory.heldBytes, 0)
      await store.close()
    })

    test('store: what is not there is missing, null, and deleted without complaint', async () => {
      const store = await open()
      await assert.rejects(store.get('a/b/c'), fails('OBJECT_MISSING'))
      assert.equal(await store.head('a/b/c'), null)
      assert.equal(await store.head('a'), null)
      await store.delete('a/b/c')
      await store.putIfAbsent('a/b/c', [text('x')])
      assert.equal(string(await store.get('a/b/c')), 'x')
      assert.equal(await store.head('a/b'), null)
      await assert.rejects(store.get('a/b'), (error) => error instanceof ZonewiseError)
      await store.delete('a/b/c')
      await assert.rejects(store.get('a/b/c'), fails('OBJECT_MISSING'))
      await store.putIfAbsent('a/b/c', [text('y')])
      assert.equal(string(await store.get('a/b/c')), 'y')
      await store.close()
    })

    test('store: list gives keys in byte order, in pages', async () => {
      const store = await open()
      const keys = ['a', 'b-c/1', 'b/1', 'b/10', 'b/2', 'b/a/z', 'b/a.b', 'b.c/1', 'b0', 'bb/x', 'c/1', 'B/1']
      for (const key of keys) await store.putIfAbsent(key, [text(key)])
      const sorted = [...keys].sort()
      const list = async (prefix: string, options?: { after?: string; max?: number }): Promise<string[]> =>
        (await store.list(prefix, options)).map((info) => info.key)
      assert.deepEqual(await list(''), sorted)
      for (const prefix of ['b', 'b/', 'b/1', 'b/a', 'b/a/', 'bb', 'c/1', 'zz', 'b/1/', 'b-'])
        assert.deepEqual(await list(prefix), sorted.filter((key) => key.startsWith(prefix)), prefix)
      for (const after of [...keys, 'b/', 'b/a', 'zz', '0'])
        assert.deepEqual(await list('b', { after }), sorted.filter((key) => key.startsWith('b') && key > after), after)
      const paged: string[] = []
      for (let after = ''; ;) {
        const page = await list('', { after, max: 5 })
        paged.push(...page)
        if (page.length < 5) break
        after = page.at(-1)!
      }
      assert.deepEqual(paged, sorted)
      assert.deepEqual(await list('', { max: 0 }), [])
      assert.deepEqual((await store.list('b/10')).map((info) => info.bytes), [4])
      await store.close()
    })

    test('store: bad keys are refused', async () => {
      const store = await open()
      for (const key of ['', '/', 'a/', '/a', 'a//b', '.', '..', 'a/..', '../a', 'a/./b', 'a b', 'ä', 'a\\b', 'a\0b', 'x'.repeat(2_000)]) {
        await assert.rejects(store.putIfAbsent(key, [text('x')]), fails('STORE_REFUSED'), JSON.stringify(key))
        await assert.rejects(store.put(key, [text('x')]), fails('STORE_REFUSED'), JSON.stringify(key))
        await assert.rejects(store.get(key), fails('STORE_REFUSED'), JSON.stringify(key))
      }
      await assert.rejects(store.list('../'), fails('STORE_REFUSED'))
      assert.deepEqual(await store.list(''), [])
      await store.close()
    })

    test('store: objects and deletions outlive a reopen', async () => {
      let store = await open()
      await store.putIfAbsent('chunks/deep/er/1', [text('kept')])
      await store.put('meta/cluster', [text('id')])
      await store.putIfAbsent('gone', [text('x')])
      await store.delete('gone')
      store = await reopen(store)
      assert.deepEqual((await store.list('')).map((info) => info.key), ['chunks/deep/er/1', 'meta/cluster'])
      assert.equal(string(await store.get('chunks/deep/er/1')), 'kept')
      await assert.rejects(store.putIfAbsent('chunks/deep/er/1', [text('x')]), fails('OBJECT_EXISTS'))
      await store.close()
    })
  })
}
