import type { Chance } from './runtime.ts'

/** `byteCount` random bytes as lower-case hex. */
export function randomHex(chance: Chance, byteCount: number): string {
  return Array.from(chance.bytes(byteCount), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
