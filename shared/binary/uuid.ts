/**
 * 128-bit ids as text: the base64url form of 22 characters that Kafka prints for topic ids, everywhere inside the
 * product; the 16 bytes only on the wire and on disk.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'

/** Sixteen zero bytes: Kafka's "no id". */
export const UUID_ZERO = 'AAAAAAAAAAAAAAAAAAAAAA'

const UUID_BYTES = 16

/** Turns 16 bytes at `at` into the text form. @throws ZonewiseError FRAME_INVALID if fewer than 16 are there. */
export function uuidFromBytes(bytes: Uint8Array, at = 0): string {
  if (at + UUID_BYTES > bytes.length) {
    throw new ZonewiseError('FRAME_INVALID', 'uuid cut short', { length: bytes.length })
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, UUID_BYTES).toString('base64url')
}

/** Turns the text form into a new array of 16 bytes. @throws ZonewiseError FRAME_INVALID if it is no uuid. */
export function uuidToBytes(uuid: string): Uint8Array {
  const bytes = Buffer.from(uuid, 'base64url')
  if (uuid.length !== UUID_ZERO.length || bytes.length !== UUID_BYTES) {
    throw new ZonewiseError('FRAME_INVALID', 'text is no uuid', { uuid })
  }
  return bytes
}
