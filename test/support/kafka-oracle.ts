/**
 * Kafka's own message definitions as an oracle for our schemas: both are brought into one form, a list of the fields
 * that a version has, and compared. The definitions are not part of the repository; where they do not lie beside the
 * checkout, `oracleFolder` is null and the tests say that they skip.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Fields, Message } from '#shared/binary/message.ts'

const folder = fileURLToPath(new URL('../../../shared/kafka-messages/', import.meta.url))
export const oracleFolder: string | null = existsSync(folder) ? folder : null

/** What is on the wire for one field of one version. */
export type FieldLayout = {
  readonly name: string
  readonly type: string // 'array' before the type of the element
  readonly nullable: boolean
  readonly tag: number | null
  readonly default: string | null // of tagged fields only: it decides whether the field is written
  readonly fields: readonly FieldLayout[]
}

export type MessageLayout = { readonly flexible: boolean; readonly fields: readonly FieldLayout[] }

type OracleField = {
  readonly name: string; readonly type: string; readonly versions: string; readonly nullableVersions?: string
  readonly taggedVersions?: string; readonly tag?: number; readonly default?: string | number
  readonly fields?: readonly OracleField[]
}
type OracleMessage = {
  readonly apiKey: number; readonly validVersions: string; readonly flexibleVersions: string
  readonly fields: readonly OracleField[]
  readonly commonStructs?: readonly { readonly name: string; readonly fields: readonly OracleField[] }[]
}

function includes(range: string | undefined, version: number): boolean {
  if (range === undefined || range === 'none') return false
  const [min, max] = range.split('-')
  return version >= parseInt(min!, 10) && (range.endsWith('+') || version <= parseInt(max ?? min!, 10))
}

export function readOracle(name: string): OracleMessage {
  const text = readFileSync(`${folder}${name}.json`, 'utf8')
  return JSON.parse(text.split('\n').filter((line) => !line.trim().startsWith('//')).join('\n')) as OracleMessage
}

export function oracleHas(of: OracleMessage, version: number): boolean {
  return includes(of.validVersions, version)
}

export function oracleLayout(of: OracleMessage, version: number): MessageLayout {
  const structOf = (name: string): readonly OracleField[] =>
    of.commonStructs?.find((common) => common.name === name)?.fields ?? []
  const layout = (fields: readonly OracleField[]): FieldLayout[] =>
    fields.filter((field) => includes(field.versions, version)).map((field) => {
      const isArray = field.type.startsWith('[]')
      const element = isArray ? field.type.slice(2) : field.type
      const isStruct = /^[A-Z]/.test(element)
      const tagged = includes(field.taggedVersions, version)
      return {
        name: field.name[0]!.toLowerCase() + field.name.slice(1),
        type: `${isArray ? 'array ' : ''}${isStruct ? 'struct' : element}`,
        nullable: includes(field.nullableVersions, version),
        tag: tagged ? field.tag! : null,
        default: tagged && !isStruct ? String(field.default ?? (element === 'bool' ? false : 0)) : null,
        fields: isStruct ? layout(field.fields ?? structOf(element)) : []
      }
    })
  return { flexible: includes(of.flexibleVersions, version), fields: layout(of.fields) }
}

export function ourLayout(of: Message<unknown>, version: number): MessageLayout {
  const flexible = of.flexibleSince !== null && version >= of.flexibleSince
  const layout = (fields: Fields): FieldLayout[] =>
    Object.entries(fields)
      .filter(([, { options }]) => version >= (options.since ?? 0) && version <= (options.until ?? Infinity))
      .map(([name, { type, options }]) => {
        const element = type.element ?? type
        const tagged = options.tag !== undefined && version >= (options.taggedSince ?? 0)
        const nullable = options.nullable === true || version >= (options.nullableSince ?? Infinity)
        return {
          name,
          type: `${type.kind === 'array' ? 'array ' : ''}${element.kind}`,
          nullable: nullable || type.kind === 'records',
          tag: tagged ? options.tag! : null,
          default: tagged && element.kind !== 'struct'
            ? String((options.default ?? (nullable ? null : element.kind === 'bool' ? false : 0)) as number | boolean)
            : null,
          fields: element.fields === null ? [] : layout(element.fields)
        }
      })
  return { flexible, fields: layout(of.fields) }
}
