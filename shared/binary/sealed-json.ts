/**
 * Small files that a person may want to read: one line of JSON whose first member is the format and whose last one is
 * the CRC-32C of the line without it, `{"format":1,"clusterId":"x","crc32c":"9f281fa2"}`: a flipped bit is never
 * believed.
 */
import { crc32c } from './crc32c.ts'

type Members = Readonly<Record<string, unknown>>
export type Unsealed =
  | { readonly kind: 'good'; readonly value: Members }
  | { readonly kind: 'newer'; readonly format: number }
  | { readonly kind: 'damaged' }

const SEALED = /^(\{.*),"crc32c":"([0-9a-f]{8})"\}\n?$/s
const DAMAGED: Unsealed = { kind: 'damaged' }

export function sealJson(value: Members & { readonly format: number }): Uint8Array {
  const line = JSON.stringify(value)
  return new TextEncoder().encode(`${line.slice(0, -1)},"crc32c":"${sumOf(Buffer.from(line))}"}\n`)
}

/** The members without the checksum. What a newer version wrote is told apart from damage, also if it seals no more. */
export function unsealJson(bytes: Uint8Array, format: number): Unsealed {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1') // byte for byte
  const found = SEALED.exec(text)
  const line = Buffer.from(`${found?.[1] ?? ''}}`, 'latin1')
  const isSealed = found !== null && sumOf(line) === found[2]
  const value = isSealed ? membersOf(line) : found === null ? membersOf(bytes) : null
  const isNewer = typeof value?.['format'] === 'number' && value['format'] > format
  if (isNewer) return { kind: 'newer', format: value['format'] as number }
  return isSealed && value?.['format'] === format ? { kind: 'good', value } : DAMAGED
}

function membersOf(bytes: Uint8Array): Members | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof value === 'object' && value !== null && !('crc32c' in value) ? value as Members : null
  } catch {
    return null
  }
}

function sumOf(line: Uint8Array): string {
  return crc32c(line).toString(16).padStart(8, '0')
}
