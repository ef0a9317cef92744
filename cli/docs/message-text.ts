/** A message of the grammar as text, for docs: what `message(...)` says in code. */
import type { Field, Fields, Message } from '#shared/binary/message.ts'

const SIZES: Readonly<Record<string, string>> = {
  int8: 'i8', int16: 'i16', int32: 'i32', int64: 'i64', uint8: 'u8', uint16: 'u16', uint32: 'u32', float64: 'f64',
  uuid: '16 bytes'
}

/** One line a field in the newest version; what an array or a struct holds stands below it, further in. */
export function messageText({ name, versionMax, flexibleSince, fields }: Message<unknown>): string {
  const lengths =
    flexibleSince !== null && flexibleSince <= versionMax ? 'compact lengths, tagged fields' : 'plain lengths'
  return [`${name} (${lengths})`, ...fieldLines(fields, '  ')].join('\n')
}

function fieldLines(fields: Fields, indent: string): string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const { type, options } = field
    const inner = type.fields ?? type.element?.fields ?? null
    const nullable = options.nullable === true ? ', or null' : ''
    const line = `${indent}${name} ${typeText(field)}${nullable}`
    return inner === null ? [line] : [line, ...fieldLines(inner, `${indent}  `)]
  })
}

function typeText({ type: { kind, element } }: Field<unknown>): string {
  if (kind === 'array') {
    return `array of ${element === null || element.kind === 'struct' ? 'structs' : sizeOf(element.kind)}`
  }
  return sizeOf(kind)
}

function sizeOf(kind: string): string {
  return SIZES[kind] ?? kind
}
