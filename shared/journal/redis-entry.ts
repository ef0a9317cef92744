/**
 * A shard's journal in Redis is one Stream, `<prefix>:{zw-<k>}:journal:<shard>` with k = shard mod slot groups. An
 * entry's id is `<epoch>-<seq>`; it has one field, `g`:
 *   header   formatVersion u8 = 1 | afterCrc u32 | crc u32                            9 bytes
 *   seq > 0  body: what was appended; its predecessor is (epoch, seq - 1)
 *   seq = 0  nonce 16 bytes | afterEpoch u64 | afterSeq u64: what `lead` found         32 bytes
 * crc is the running CRC-32C (shared/journal/running-crc.ts) over afterCrc and the body or the nonce. The first entry,
 * 0-1, is a header without anything behind it and with both CRCs 0: it stands for position (0, 0).
 * Beside the streams, the hash `<prefix>:{zw-0}:journal` has the fields format (1), clusterId, slotGroups, and
 * `shard:<shard>` for each stream that was created.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import { type JournalEnd, type JournalGroup, type Position, POSITION_NONE, positionText } from './journal.ts'
import { NONCE_BYTES, runningCrc } from './running-crc.ts'

export const REDIS_ENTRY = { formatVersion: 1, headerBytes: 9, field: 'g', createdId: '0-1' } as const

const HIGH_WORD = 2 ** 32
const NONCE_END = REDIS_ENTRY.headerBytes + NONCE_BYTES
const LED_BYTES = NONCE_END + 16
const NO_BODY = new Uint8Array(0)
const DIGIT_ZERO = 0x30
const DASH = 0x2d

/** The id of the entry at a position. */
export function entryId(position: Position): string {
  return position.epoch === 0 ? REDIS_ENTRY.createdId : positionText(position)
}

/** The position that an id stands for, or null where it is none of ours. */
export function positionOfId(id: Uint8Array): Position | null {
  let epoch = 0
  let at = 0
  for (; at < id.byteLength && id[at] !== DASH; at++) epoch = epoch * 10 + (id[at]! - DIGIT_ZERO)
  let seq = 0
  for (let digit = at + 1; digit < id.byteLength; digit++) seq = seq * 10 + (id[digit]! - DIGIT_ZERO)
  if (at === 0 || at + 1 >= id.byteLength || !Number.isSafeInteger(epoch) || !Number.isSafeInteger(seq)) return null
  return epoch === 0 ? POSITION_NONE : { epoch, seq }
}

export function encodeHeader(afterCrc: number, crc: number): Uint8Array {
  const header = Buffer.allocUnsafe(REDIS_ENTRY.headerBytes)
  header[0] = REDIS_ENTRY.formatVersion
  header.writeUInt32BE(afterCrc, 1)
  header.writeUInt32BE(crc, 5)
  return header
}

/**
 * The end that an entry makes, from its id and its first bytes.
 * @throws ZonewiseError JOURNAL_CORRUPT, FORMAT_TOO_NEW
 */
export function decodeEnd(id: Uint8Array, value: Uint8Array, key: string): JournalEnd {
  const position = positionOfId(id)
  if (position === null || value.byteLength < REDIS_ENTRY.headerBytes) throw corrupt(key, id)
  if (value[0] !== REDIS_ENTRY.formatVersion) throw unknownFormat(key, id, value[0]!)
  return { position, crc: uint32(value, 5) }
}

/**
 * The group of an entry, its body by reference; null for the entry that stands for (0, 0).
 * @throws ZonewiseError JOURNAL_CORRUPT: its bytes do not have its CRC; FORMAT_TOO_NEW
 */
export function decodeEntry(id: Uint8Array, value: Uint8Array, key: string): JournalGroup | null {
  const { position, crc } = decodeEnd(id, value, key)
  if (position === POSITION_NONE) return null
  const afterCrc = uint32(value, 1)
  const led = position.seq === 0
  if (led && value.byteLength !== LED_BYTES) throw corrupt(key, id)
  const stored = value.subarray(REDIS_ENTRY.headerBytes, led ? NONCE_END : value.byteLength)
  if (runningCrc(afterCrc, position, [stored]) !== crc) throw corrupt(key, id)
  if (!led) return { position, after: { epoch: position.epoch, seq: position.seq - 1 }, afterCrc, crc, body: stored }
  const after = { epoch: uint64(value, NONCE_END), seq: uint64(value, NONCE_END + 8) }
  return { position, after, afterCrc, crc, body: NO_BODY }
}

function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

function uint64(bytes: Uint8Array, at: number): number {
  return uint32(bytes, at) * HIGH_WORD + uint32(bytes, at + 4)
}

function corrupt(key: string, id: Uint8Array): ZonewiseError {
  const facts = { key, entry: new TextDecoder().decode(id) }
  return new ZonewiseError('JOURNAL_CORRUPT', 'a journal entry in Redis is damaged', facts)
}

function unknownFormat(key: string, id: Uint8Array, version: number): ZonewiseError {
  if (version < REDIS_ENTRY.formatVersion) return corrupt(key, id)
  const facts = { key, entry: new TextDecoder().decode(id), version }
  return new ZonewiseError('FORMAT_TOO_NEW', 'a journal entry in Redis is of a newer format', facts)
}
