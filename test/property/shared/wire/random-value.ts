/** Random values of a message at a version: what decoding must yield again, defaults where the version has no field. */
import { defaultsOf, type Fields, type Message, type Type } from '#shared/binary/message.ts'
import { UUID_ZERO } from '#shared/binary/uuid.ts'
import type { Rng } from '#shared/runtime/rng.ts'

const TEXTS = ['', 'a', 'orders', 'größe', '日本語', 'x'.repeat(200), '\u{1f980}']

function safeInteger(rng: Rng): number {
  const magnitude = rng.below(2 ** 21) * 2 ** 32 + rng.below(2 ** 32)
  return rng.below(2) === 0 ? magnitude : -magnitude
}

function randomBytes(rng: Rng): Buffer {
  const length = [0, 1, 61, 512, 513, 3000][rng.below(6)]!
  return Buffer.alloc(length, rng.below(256))
}

function signed(rng: Rng, bits: number): number {
  return rng.below(2 ** bits) - 2 ** (bits - 1)
}

function randomOf(type: Type<unknown>, rng: Rng, version: number, nullable: boolean): unknown {
  if (nullable && rng.below(3) === 0) return null
  switch (type.kind) {
    case 'int8': return signed(rng, 8)
    case 'int16': return signed(rng, 16)
    case 'int32': return signed(rng, 32)
    case 'int64': return rng.below(4) === 0 ? -1 : safeInteger(rng)
    case 'uint8': return rng.below(2 ** 8)
    case 'uint16': return rng.below(2 ** 16)
    case 'uint32': return rng.below(2 ** 32)
    case 'float64': return signed(rng, 32) / 8
    case 'bool': return rng.below(2) === 0
    case 'string': return TEXTS[rng.below(TEXTS.length)]!
    case 'bytes': return randomBytes(rng)
    case 'records': return rng.below(4) === 0 ? null : randomBytes(rng)
    case 'uuid': return rng.below(3) === 0 ? UUID_ZERO
      : Buffer.from(Array.from({ length: 16 }, () => rng.below(256))).toString('base64url')
    case 'array': return Array.from({ length: rng.below(4) }, () => randomOf(type.element!, rng, version, false))
    case 'struct': return randomFields(type.fields!, rng, version)
  }
}

function randomFields(fields: Fields, rng: Rng, version: number): object {
  const value: Record<string, unknown> = {}
  const absent = defaultsOf({ name: 'absent', versionMin: 0, versionMax: 0, flexibleSince: null, fields, codecs: [] } as
    unknown as Message<Readonly<Record<string, unknown>>>)
  for (const [name, { type, options }] of Object.entries(fields)) {
    const present = version >= (options.since ?? 0) && version <= (options.until ?? Infinity)
    const keepDefault = options.tag !== undefined && rng.below(2) === 0
    const nullable = options.nullable === true || version >= (options.nullableSince ?? Infinity)
    value[name] = present && !keepDefault ? randomOf(type, rng, version, nullable) : absent[name]
  }
  return value
}

export function randomValue<T>(message: Message<T>, version: number, rng: Rng): T {
  return randomFields(message.fields, rng, version) as T
}
