/**
 * A journal group's body: what a shard decided, in order (docs/object-format.md). Version 1, all big-endian:
 *   header  formatVersion u8 | timeMs f64 (leader's time) | entryCount u32        13 bytes
 *   entry   kind u16 | length u32 | body                                          6 + length bytes
 * Version 2, which goes with compact commits; `uv` is an unsigned varint of 32 bits, `zz` a zigzag varint:
 *   header  formatVersion u8 | timeMs zz
 *   entry   kind uv | length uv | body; entries go on to the end
 */
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

const GROUP_FORMAT = { plain: 1, compact: 2 } as const

/** Kinds are never reused. An unknown kind quarantines the shard. */
export const ENTRY_KIND = {
  createPartitions: 1, dropPartitions: 2, commit: 3, commitFloor: 4, closeSources: 5, commitCompact: 6,
  groupGeneration: 10, groupOffsets: 11, groupDelete: 12,
  cluster: 20, topicIntent: 21, topicDone: 22, topicDelete: 23, topicGone: 24, partitionsIntent: 25,
  producerIdBlock: 26, nodeLife: 27
} as const

export type Entry = { readonly kind: number; readonly body: Uint8Array }

/** Lays out a group, each entry's body by reference or, where it is short, copied. */
export function encodeGroup(timeMs: number, entries: readonly Entry[]): Uint8Array[] {
  const isCompact = entries.some(({ kind }) => kind === ENTRY_KIND.commitCompact) && Number.isSafeInteger(timeMs)
  const w = new Writer()
  w.uint8(isCompact ? GROUP_FORMAT.compact : GROUP_FORMAT.plain)
  if (isCompact) w.varlong(timeMs)
  else {
    w.float64(timeMs)
    w.uint32(entries.length)
  }
  for (const { kind, body } of entries) {
    if (isCompact) {
      w.uvarint(kind)
      w.uvarint(body.byteLength)
    } else {
      w.uint16(kind)
      w.uint32(body.byteLength)
    }
    w.raw(body)
  }
  return w.finish()
}

/** Calls `onEntry` for each entry of a body, by reference. @throws ZonewiseError JOURNAL_CORRUPT, FORMAT_TOO_NEW */
export function decodeGroup(body: Uint8Array, onEntry: (entry: Entry, timeMs: number) => void): void {
  const version = body[0]
  if (version !== undefined && version !== GROUP_FORMAT.plain && version !== GROUP_FORMAT.compact) {
    throw new ZonewiseError('FORMAT_TOO_NEW', 'journal group has an unknown format', { version })
  }
  const r = new Reader(body, Math.min(1, body.byteLength))
  const isCompact = version === GROUP_FORMAT.compact
  const timeMs = isCompact ? whole(r, varlong) : whole(r, float64)
  let left = isCompact ? Infinity : whole(r, uint32)
  for (; isCompact ? r.remaining > 0 : left > 0; left--) {
    const kind = isCompact ? whole(r, uvarint) : whole(r, uint16)
    const length = isCompact ? whole(r, uvarint) : whole(r, uint32)
    if (length > r.remaining) throw cutShort(r)
    onEntry({ kind, body: r.slice(length) }, timeMs)
  }
  if (r.remaining > 0) throw cutShort(r)
}

const uint16 = (r: Reader): number => r.uint16()
const uint32 = (r: Reader): number => r.uint32()
const float64 = (r: Reader): number => r.float64()
const uvarint = (r: Reader): number => r.uvarint()
const varlong = (r: Reader): number => r.varlong()

function whole(r: Reader, read: (r: Reader) => number): number {
  try {
    return read(r)
  } catch (error) {
    throw cutShort(r, error)
  }
}

function cutShort(r: Reader, cause?: unknown): ZonewiseError {
  const context = { at: r.position, bytes: r.position + r.remaining }
  return new ZonewiseError('JOURNAL_CORRUPT', 'journal group is cut short', context, cause)
}
