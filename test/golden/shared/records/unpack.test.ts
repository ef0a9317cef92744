/**
 * Goal: batches of every codec are unpacked, and nothing that only looks like one.
 * Method: `*.hex` hold the text below as snappy 1.1 and lz4 1.9 packed it; gzip and zstd are packed here.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { unpackRecords } from '#shared/records/unpack.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { seeds } from '#test/support/seeds.ts'

const HEADER_BYTES = 61
const MiB = 2 ** 20
const verses = Array.from({ length: 200 }, (_, i) => `${i % 97} bottles of beer on the wall; `).join('')
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
const text = Buffer.concat([Buffer.from(`${verses}${'a'.repeat(300)}`), everyByte])
const long = Buffer.concat(Array.from({ length: 40 }, () => text)) // more than one block of 64 KiB

const packed = (name: string): Buffer =>
  Buffer.from(readFileSync(new URL(`./${name}.hex`, import.meta.url), 'utf8').replace(/\s/g, ''), 'hex')

const CASES: readonly (readonly [name: string, codec: number, packed: Buffer, content: Buffer])[] = [
  ['none', 0, text, text], ['gzip', 1, gzipSync(text), text], ['snappy', 2, packed('snappy-raw'), text],
  ['snappy in xerial\'s blocks', 2, packed('snappy-xerial'), text], ['lz4', 3, packed('lz4'), text],
  ['lz4 of several blocks that refer to each other', 3, packed('lz4-linked-blocks'), long],
  ['zstd', 4, zstdCompressSync(text), text]
]

function batchOf(codec: number, records: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header[22] = codec
  return Buffer.concat([header, records])
}

for (const [name, codec, records, content] of CASES) {
  test(`unpack: ${name} gives back what was packed, and no more than allowed`, async () => {
    assert.deepEqual(Buffer.from((await unpackRecords(batchOf(codec, records), content.byteLength))!), content)
    if (codec !== 0) assert.equal(await unpackRecords(batchOf(codec, records), content.byteLength - 1), null)
  })
}

test('unpack: what is cut off is refused', async () => {
  for (const [name, codec, records] of CASES) {
    if (codec === 0) continue
    const cut = [0, 3, 9, records.byteLength >> 1, records.byteLength - 9]
    for (const length of cut)
      assert.equal(await unpackRecords(batchOf(codec, records.subarray(0, length)), MiB), null, `${name} ${length}`)
  }
  assert.equal(await unpackRecords(batchOf(5, text), MiB), null, 'no such codec')
})

test('unpack: damaged bytes never reach outside the output', async () => {
  for (const seed of seeds(30)) {
    const rng = new Rng(seed)
    for (const [, codec, records] of CASES) {
      if (codec === 0) continue
      const damaged = Buffer.from(records)
      for (let i = 0; i < 3; i++) damaged[rng.below(damaged.byteLength)] = rng.below(256)
      const unpacked = await unpackRecords(batchOf(codec, damaged), MiB)
      assert.ok(unpacked === null || unpacked.byteLength <= MiB)
    }
  }
})
