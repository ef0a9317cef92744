/**
 * The grammar of every message: Kafka's requests and responses, our own calls and journal entries. A message is a table
 * of fields with the versions each one exists in; its TypeScript type is inferred, both directions come from the same
 * table. A (message, version) is compiled once into a flat list of closures: it is on the path of every request.
 * A field outside its versions is not written, and decodes to its default.
 * Source: Kafka's message format and KIP-482 (flexible versions: compact lengths and tagged fields).
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import { compile, type Codec } from './message-codec.ts'
import type { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

declare const inferred: unique symbol // carries the value's type; nothing at run time

export type Kind =
  | 'int8' | 'int16' | 'int32' | 'int64' | 'uint8' | 'uint16' | 'uint32' | 'float64' | 'bool'
  | 'varSafe' | 'string' | 'bytes' | 'records' | 'uuid' | 'array' | 'struct'

export type Type<T> = {
  readonly [inferred]: T
  readonly kind: Kind
  readonly element: Type<unknown> | null // of an array
  readonly fields: Fields | null // of a struct
  readonly packing: Packing | null // of bytes
}

/** What bytes look like on their way. `unpack` is undone by `pack`, and throws FRAME_INVALID. */
export type Packing = { pack(bytes: Uint8Array): Uint8Array; unpack(packed: Uint8Array): Uint8Array }

/** Versions are inclusive. */
export type FieldOptions<T> = {
  readonly since?: number
  readonly until?: number
  readonly nullable?: boolean
  readonly nullableSince?: number // present but never null before
  readonly default?: T | null
  readonly tag?: number // number of a tagged field
  readonly taggedSince?: number // an ordinary field before; always tagged unless given
}

export type Field<T> = { readonly [inferred]: T; readonly type: Type<unknown>; readonly options: FieldOptions<unknown> }
export type Fields = { readonly [name: string]: Field<unknown> }

export type Message<T> = {
  readonly [inferred]: T
  readonly name: string
  readonly versionMin: number
  readonly versionMax: number
  readonly flexibleSince: number | null // null: never
  readonly fields: Fields
  readonly codecs: (Codec | undefined)[] // by version, compiled at first use
}

/** The type of the values that a message, a struct or a field holds. */
export type Infer<M> = M extends { readonly [inferred]: infer T } ? T : never
type InferFields<F> = { readonly [K in keyof F]: Infer<F[K]> }
type FieldValue<T, O> = O extends { readonly nullable: true } | { readonly nullableSince: number } ? T | null : T

function type<T>(
  kind: Kind, element: Type<unknown> | null = null, fields: Fields | null = null, packing: Packing | null = null
): Type<T> {
  return { kind, element, fields, packing } as Type<T>
}

export const int8 = type<number>('int8')
export const int16 = type<number>('int16')
export const int32 = type<number>('int32')
/** A safe integer: a peer's value beyond 2^53 is refused. */
export const int64 = type<number>('int64')
export const uint8 = type<number>('uint8')
export const uint16 = type<number>('uint16')
export const uint32 = type<number>('uint32')
export const float64 = type<number>('float64')
/** A safe integer: as float64, but a zigzag varint in flexible versions. */
export const varSafe = type<number>('varSafe')
export const bool = type<boolean>('bool')
export const string = type<string>('string')
/** Decodes to a view of the frame. */
export const bytes = type<Uint8Array>('bytes')
/** As bytes, but packed in flexible versions; decodes to bytes of its own there. */
export function packed(packing: Packing): Type<Uint8Array> {
  return type('bytes', null, null, packing)
}
/** Record batches: always nullable; decodes to one view of the frame, is written by reference. */
export const records = type<Uint8Array | readonly Uint8Array[] | null>('records')
/** Text of 22 characters; see uuid.ts. */
export const uuid = type<string>('uuid')

export function array<T>(element: Type<T>): Type<readonly T[]> {
  return type('array', element)
}

export function struct<const F extends Fields>(fields: F): Type<InferFields<F>> {
  return type('struct', null, fields)
}

export function field<T, const O extends FieldOptions<T> = object>(of: Type<T>, options?: O): Field<FieldValue<T, O>> {
  return { type: of, options: options ?? {} } as Field<FieldValue<T, O>>
}

export function message<const F extends Fields>(
  name: string,
  options: { readonly versions: readonly [min: number, max: number]; readonly flexibleSince: number | null },
  fields: F
): Message<InferFields<F>> {
  const [versionMin, versionMax] = options.versions
  const built = { name, versionMin, versionMax, flexibleSince: options.flexibleSince, fields, codecs: [] }
  return built as unknown as Message<InferFields<F>>
}

function codecOf(of: Message<unknown>, version: number): Codec {
  const known = of.codecs[version]
  if (known !== undefined) return known
  if (!Number.isInteger(version) || version < of.versionMin || version > of.versionMax) {
    throw new ZonewiseError('FRAME_INVALID', 'message has no such version', { message: of.name, version })
  }
  return (of.codecs[version] = compile(of, version))
}

/**
 * Reads one message; bytes after it stay in the reader (`expectEnd` refuses them). Bytes fields are views.
 * @throws ZonewiseError FRAME_INVALID: no such version, bytes missing, a lying length or count, null where none may be.
 */
export function decodeMessage<T>(of: Message<T>, version: number, reader: Reader): T {
  return codecOf(of, version).decode(reader) as T
}

/**
 * Appends one message. Long bytes and records are taken by reference.
 * @throws ZonewiseError FRAME_INVALID: no such version, or null where this version has none.
 */
export function encodeMessage<T>(of: Message<T>, version: number, value: T, writer: Writer): void {
  codecOf(of, version).encode(writer, value)
}

/** What a message decodes to if every field were absent; a base for values built by hand. */
export function defaultsOf<T>(of: Message<T>): T {
  return codecOf(of, of.versionMax).absent as T
}
