/** Compiles a message's table for one version into closures. Only message.ts calls it. */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { Fields, FieldOptions, Message, Packing, Type } from './message.ts'
import { Reader } from './reader.ts'
import { UUID_ZERO } from './uuid.ts'
import { Writer } from './writer.ts'

type Struct = Record<string, unknown>
type Decode = (reader: Reader) => unknown
type Encode = (writer: Writer, value: unknown) => void

export type Codec = {
  readonly decode: Decode
  readonly encode: Encode
  readonly bytesMin: number // what a value takes at least: bounds the count of an array
  readonly absent: unknown // the value of a field that the version does not have
}

type Version = { readonly name: string; readonly version: number; readonly flexible: boolean }
type DecodeField = (reader: Reader, target: Struct) => void
type EncodeField = (writer: Writer, source: Struct) => void
type TaggedField = { readonly name: string; readonly tag: number; readonly codec: Codec
  readonly isAbsent: (value: unknown) => boolean }

const EMPTY_LIST: readonly never[] = Object.freeze([])
const EMPTY_BYTES = Buffer.alloc(0)

export function compile(of: Message<unknown>, version: number): Codec {
  const flexible = of.flexibleSince !== null && version >= of.flexibleSince
  return compileStruct(of.fields, { name: of.name, version, flexible })
}

function refuseNull(at: Version, field: string): never {
  const context = { message: at.name, version: at.version, field }
  throw new ZonewiseError('FRAME_INVALID', 'null where the version has none', context)
}

function compileType(type: Type<unknown>, at: Version, nullable: boolean, field: string): Codec {
  const { flexible } = at
  const lengthBytes = flexible ? 1 : 4
  switch (type.kind) {
    case 'int8': return scalar(1, 0, (r) => r.int8(), (w, v) => w.int8(v as number))
    case 'int16': return scalar(2, 0, (r) => r.int16(), (w, v) => w.int16(v as number))
    case 'int32': return scalar(4, 0, (r) => r.int32(), (w, v) => w.int32(v as number))
    case 'int64': return scalar(8, 0, (r) => r.int64(), (w, v) => w.int64(v as number))
    case 'uint8': return scalar(1, 0, (r) => r.uint8(), (w, v) => w.uint8(v as number))
    case 'uint16': return scalar(2, 0, (r) => r.uint16(), (w, v) => w.uint16(v as number))
    case 'uint32': return scalar(4, 0, (r) => r.uint32(), (w, v) => w.uint32(v as number))
    case 'float64': return scalar(8, 0, (r) => r.float64(), (w, v) => w.float64(v as number))
    case 'varSafe': return flexible
      ? scalar(1, 0, (r) => r.varlong(), (w, v) => w.varlong(v as number))
      : scalar(8, 0, (r) => r.float64(), (w, v) => w.float64(v as number))
    case 'bool': return scalar(1, false, (r) => r.bool(), (w, v) => w.bool(v as boolean))
    case 'uuid': return scalar(16, UUID_ZERO, (r) => r.uuid(), (w, v) => w.uuid(v as string))
    case 'string': {
      const bytesMin = flexible ? 1 : 2
      if (nullable) {
        const encode: Encode = (w, v) => { w.nullableString(v as string | null, flexible) }
        return scalar(bytesMin, null, (r) => r.nullableString(flexible), encode)
      }
      return scalar(bytesMin, '', (r) => r.string(flexible), (w, v) => {
        if (v === null) refuseNull(at, field)
        w.string(v as string, flexible)
      })
    }
    case 'bytes': {
      if (type.packing !== null && flexible) return packedBytes(type.packing)
      if (nullable) {
        const encode: Encode = (w, v) => { w.nullableBytes(v as Uint8Array | null, flexible) }
        return scalar(lengthBytes, null, (r) => r.nullableBytes(flexible), encode)
      }
      return scalar(lengthBytes, EMPTY_BYTES, (r) => r.bytes(flexible), (w, v) => {
        if (v === null) refuseNull(at, field)
        w.bytes(v as Uint8Array, flexible)
      })
    }
    case 'records': return scalar(lengthBytes, null, (r) => r.nullableBytes(flexible), (w, v) => {
      encodeRecords(w, v as Uint8Array | readonly Uint8Array[] | null, flexible)
    })
    case 'array': return compileArray(type.element!, at, nullable, field)
    case 'struct': return nullable ? nullableStruct(compileStruct(type.fields!, at)) : compileStruct(type.fields!, at)
  }
}

function scalar(bytesMin: number, absent: unknown, decode: Decode, encode: Encode): Codec {
  return { decode, encode, bytesMin, absent }
}

function packedBytes({ pack, unpack }: Packing): Codec {
  return scalar(1, EMPTY_BYTES, (r) => unpack(r.bytes(true)), (w, v) => { w.bytes(pack(v as Uint8Array), true) })
}

function encodeRecords(writer: Writer, value: Uint8Array | readonly Uint8Array[] | null, flexible: boolean): void {
  if (value === null || value instanceof Uint8Array) {
    writer.nullableBytes(value, flexible)
    return
  }
  let length = 0
  for (const chunk of value) length += chunk.length
  writer.arrayCount(length, flexible) // a length and a count are written alike
  writer.bytesByReference(value)
}

function compileArray(elementType: Type<unknown>, at: Version, nullable: boolean, field: string): Codec {
  const { flexible } = at
  const element = compileType(elementType, at, false, field)
  const elementBytesMin = Math.max(1, element.bytesMin)
  const { decode: decodeElement, encode: encodeElement } = element
  return {
    bytesMin: flexible ? 1 : 4,
    absent: nullable ? null : EMPTY_LIST,
    decode: (reader) => {
      const count = reader.arrayCount(flexible, elementBytesMin)
      if (count < 0) return nullable ? null : refuseNull(at, field)
      const list: unknown[] = []
      for (let i = 0; i < count; i++) list.push(decodeElement(reader))
      return list
    },
    encode: (writer, value) => {
      const list = value as readonly unknown[] | null
      if (list === null) {
        if (!nullable) refuseNull(at, field)
        writer.arrayCount(-1, flexible)
        return
      }
      writer.arrayCount(list.length, flexible)
      for (let i = 0; i < list.length; i++) encodeElement(writer, list[i])
    }
  }
}

/** Kafka marks a nullable struct by one byte: -1 for null, 1 before the fields. */
function nullableStruct(codec: Codec): Codec {
  return {
    bytesMin: 1,
    absent: null,
    decode: (reader) => (reader.int8() < 0 ? null : codec.decode(reader)),
    encode: (writer, value) => {
      writer.int8(value === null ? -1 : 1)
      if (value !== null) codec.encode(writer, value)
    }
  }
}

function compileStruct(fields: Fields, at: Version): Codec {
  const template: Struct = {}
  const decoders: DecodeField[] = []
  const encoders: EncodeField[] = []
  const tagged: TaggedField[] = []
  let bytesMin = at.flexible ? 1 : 0
  for (const [name, { type, options }] of Object.entries(fields)) {
    const codec = compileType(type, at, isNullable(options, at.version), name)
    const absent = absentValue(options, codec, type, at, name)
    template[name] = absent
    if (at.version < (options.since ?? 0) || at.version > (options.until ?? Infinity)) continue
    if (options.tag !== undefined && at.version >= (options.taggedSince ?? 0)) {
      if (at.flexible) tagged.push({ name, tag: options.tag, codec, isAbsent: absenceTest(type, absent) })
      continue
    }
    const { decode, encode } = codec
    bytesMin += codec.bytesMin
    decoders.push((reader, target) => { target[name] = decode(reader) })
    encoders.push((writer, source) => { encode(writer, source[name]) })
  }
  tagged.sort((a, b) => a.tag - b.tag)
  return {
    bytesMin,
    absent: Object.freeze({ ...template }),
    decode: (reader) => {
      const target = { ...template } // a clone keeps one hidden shape for all values of a struct
      for (let i = 0; i < decoders.length; i++) decoders[i]!(reader, target)
      if (!at.flexible) return target
      if (tagged.length === 0) reader.skipTags()
      else decodeTags(reader, target, tagged)
      return target
    },
    encode: (writer, value) => {
      const source = value as Struct
      for (let i = 0; i < encoders.length; i++) encoders[i]!(writer, source)
      if (!at.flexible) return
      if (tagged.length === 0) writer.emptyTags()
      else encodeTags(writer, source, tagged)
    }
  }
}

function isNullable(options: FieldOptions<unknown>, version: number): boolean {
  return options.nullable === true || (options.nullableSince !== undefined && version >= options.nullableSince)
}

function absentValue(
  options: FieldOptions<unknown>, codec: Codec, type: Type<unknown>, at: Version, name: string
): unknown {
  if (options.default !== undefined) return options.default
  if (options.nullable === true || options.nullableSince !== undefined) return null
  return type.kind === 'array' || type.kind === 'struct' ? compileType(type, at, false, name).absent : codec.absent
}

function decodeTags(reader: Reader, target: Struct, tagged: readonly TaggedField[]): void {
  for (let count = reader.uvarint(); count > 0; count--) {
    const tag = reader.uvarint()
    const value = reader.slice(reader.uvarint())
    const known = tagged.find((candidate) => candidate.tag === tag)
    if (known === undefined) continue // of a later version
    const within = new Reader(value)
    target[known.name] = known.codec.decode(within)
    within.expectEnd()
  }
}

function encodeTags(writer: Writer, source: Struct, tagged: readonly TaggedField[]): void {
  let count = 0
  for (const { name, isAbsent } of tagged) if (!isAbsent(source[name])) count++
  writer.uvarint(count)
  if (count === 0) return
  for (const { name, tag, codec, isAbsent } of tagged) {
    if (isAbsent(source[name])) continue
    const within = new Writer()
    codec.encode(within, source[name])
    writer.uvarint(tag)
    writer.uvarint(within.byteLength)
    writer.bytesByReference(within.finish())
  }
}

/** Tells whether a value is the default of its tagged field, which then is not written. */
function absenceTest(type: Type<unknown>, absent: unknown): (value: unknown) => boolean {
  if (absent === null) return (value) => value === null
  if (type.kind === 'array' || type.kind === 'bytes') {
    return (value) => value !== null && (value as { readonly length: number }).length === 0
  }
  if (type.kind !== 'struct') return (value) => value === absent
  const fields = Object.entries(type.fields!).map(([name, field]) => {
    return { name, isAbsent: absenceTest(field.type, (absent as Struct)[name]) }
  })
  return (value) => value !== null && fields.every(({ name, isAbsent }) => isAbsent((value as Struct)[name]))
}
