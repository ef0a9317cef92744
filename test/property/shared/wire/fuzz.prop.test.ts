/**
 * Goal: no bytes of a peer make a decoder throw anything but FRAME_INVALID, nor make it build more than the bytes hold.
 * Method: valid bodies cut short, with bytes changed, with lengths and counts that lie; and plain noise.
 * Replay one failure: TEST_SEEDS=<seed>
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeMessage, encodeMessage } from '#shared/binary/message.ts'
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { API_LIST } from '#shared/wire/api-registry.ts'
import { decodeRequestHeader } from '#shared/wire/request-header.ts'
import { seeds } from '#test/support/seeds.ts'
import { randomValue } from './random-value.ts'

const LIES = [0x7fffffff, 0x7ffffffe, -2, -1, -0x80000000, 0x00ffffff]

function mutate(bytes: Buffer, rng: Rng): Buffer {
  const kind = rng.below(5)
  if (kind === 0) return bytes.subarray(0, rng.below(bytes.length + 1))
  if (kind === 1) return Buffer.concat([bytes, Buffer.alloc(1 + rng.below(8), rng.below(256))])
  if (kind === 2) return Buffer.from(Array.from({ length: rng.below(64) }, () => rng.below(256)))
  const changed = Buffer.from(bytes)
  if (kind === 3 && changed.length >= 4) {
    changed.writeInt32BE(rng.pick(LIES), rng.below(changed.length - 3))
    return changed
  }
  if (changed.length === 0) return changed
  for (let count = 1 + rng.below(4); count > 0; count--) changed[rng.below(changed.length)] = rng.below(256)
  return changed
}

/** Values inside a decoded value: a bound on what was allocated. */
function countOf(value: unknown): number {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return 1
  return Object.values(value).reduce<number>((sum, each) => sum + countOf(each), 1)
}

function decodes(action: () => unknown): unknown {
  try {
    return action()
  } catch (error) {
    assert.ok(error instanceof ZonewiseError && error.code === 'FRAME_INVALID', String(error))
    return null
  }
}

for (const seed of seeds(10)) {
  test(`wire: damaged bytes are refused, never believed (seed ${seed})`, () => {
    const rng = new Rng(seed)
    for (const api of API_LIST) {
      for (const message of [api.request, api.response]) {
        for (let version = api.versionMin; version <= api.versionMax; version++) {
          const writer = new Writer()
          encodeMessage(message, version, randomValue(message, version, rng), writer)
          const valid = Buffer.concat(writer.finish())
          for (let round = 0; round < 8; round++) {
            const bytes = mutate(valid, rng)
            const value = decodes(() => decodeMessage(message, version, new Reader(bytes)))
            assert.ok(countOf(value) <= 40 + 20 * bytes.length, `${message.name} v${version} stays within its bytes`)
          }
        }
      }
    }
  })

  test(`wire: damaged request headers are refused (seed ${seed})`, () => {
    const rng = new Rng(seed)
    for (let round = 0; round < 500; round++) {
      const bytes = Buffer.from(Array.from({ length: rng.below(40) }, () => rng.below(rng.below(2) === 0 ? 4 : 256)))
      decodes(() => decodeRequestHeader(new Reader(bytes)))
    }
  })
}
