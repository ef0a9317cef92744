/**
 * Goal: what one side writes the other reads, for every message and version, and the size is known before.
 * Method: random values; decode(encode(v)) equals v, and nothing is left over.
 * Replay one failure: TEST_SEEDS=<seed>
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeMessage, encodeMessage } from '#shared/binary/message.ts'
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { API_LIST } from '#shared/wire/api-registry.ts'
import { seeds } from '#test/support/seeds.ts'
import { randomValue } from './random-value.ts'

for (const seed of seeds(20)) {
  test(`wire: every message survives a round trip in every version (seed ${seed})`, () => {
    const rng = new Rng(seed)
    for (const api of API_LIST) {
      for (const message of [api.request, api.response]) {
        for (let version = api.versionMin; version <= api.versionMax; version++) {
          const value = randomValue(message, version, rng)
          const writer = new Writer(rng.below(2) === 0 ? 1 : 512)
          encodeMessage(message, version, value, writer)
          const length = writer.byteLength
          const bytes = Buffer.concat(writer.finish())
          assert.equal(bytes.length, length, `${message.name} v${version}`)
          const reader = new Reader(bytes)
          assert.deepEqual(decodeMessage(message, version, reader), value, `${message.name} v${version}`)
          reader.expectEnd()
        }
      }
    }
  })
}
