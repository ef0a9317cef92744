/** The grammar of store keys, checked once at the door of every implementation. */
import { ZonewiseError } from '../errors/zonewise-error.ts'

export const KEY_BYTES_MAX = 900 // S3 allows 1,024; a prefix of the bucket needs room
const PART_BYTES_MAX = 240 // file systems allow 255
const KEY = /^[A-Za-z0-9._=-]+(?:\/[A-Za-z0-9._=-]+)*$/
const PREFIX = /^[A-Za-z0-9._=/-]*$/

export function isKey(key: string): boolean {
  if (key.length > KEY_BYTES_MAX || key.startsWith('.') || !KEY.test(key)) return false
  return key.split('/').every((part) => part !== '.' && part !== '..' && part.length <= PART_BYTES_MAX)
}

/** @throws ZonewiseError STORE_REFUSED: no key of ours looks like this. */
export function checkKey(key: string): void {
  if (!isKey(key)) throw new ZonewiseError('STORE_REFUSED', 'a bad key', { key: key.slice(0, KEY_BYTES_MAX) })
}

/** @throws ZonewiseError STORE_REFUSED */
export function checkPrefix(prefix: string): void {
  const dots = prefix.split('/').some((part) => part === '..' || part === '.')
  if (PREFIX.test(prefix) && prefix.length <= KEY_BYTES_MAX && !dots && !prefix.startsWith('/')) return
  throw new ZonewiseError('STORE_REFUSED', 'a bad prefix', { prefix: prefix.slice(0, KEY_BYTES_MAX) })
}

export const LIST_MAX = 1_000 // keys of one answer where the caller names no other bound
