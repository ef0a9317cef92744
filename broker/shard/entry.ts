/**
 * A journal group's body: what a shard decided, in order. All big-endian (docs/object-format.md):
 *   header  formatVersion u8 | timeMs f64 (leader's time) | entryCount u32        13 bytes
 *   entry   kind u16 | length u32 | body                                          6 + length bytes
 */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

export const GROUP_FORMAT = { version: 1, headerBytes: 13, entryHeaderBytes: 6 } as const

/** Kinds are never reused. An unknown kind quarantines the shard. */
export const ENTRY_KIND = {
  createPartitions: 1, dropPartitions: 2, commit: 3, commitFloor: 4, closeSources: 5,
  groupGeneration: 10, groupOffsets: 11, groupDelete: 12,
  cluster: 20, topicIntent: 21, topicDone: 22, topicDelete: 23, topicGone: 24, partitionsIntent: 25,
  producerIdBlock: 26, nodeLife: 27
} as const

export type Entry = { readonly kind: number; readonly body: Uint8Array }

/** Lays out a group: one header, then each entry's header and body by reference. */
export function encodeGroup(timeMs: number, entries: readonly Entry[]): Uint8Array[] {
  const heads = new Uint8Array(GROUP_FORMAT.headerBytes + entries.length * GROUP_FORMAT.entryHeaderBytes)
  const view = new DataView(heads.buffer)
  view.setUint8(0, GROUP_FORMAT.version)
  view.setFloat64(1, timeMs)
  view.setUint32(9, entries.length)
  const chunks: Uint8Array[] = [heads.subarray(0, GROUP_FORMAT.headerBytes)]
  let at: number = GROUP_FORMAT.headerBytes
  for (const { kind, body } of entries) {
    view.setUint16(at, kind)
    view.setUint32(at + 2, body.byteLength)
    chunks.push(heads.subarray(at, at + GROUP_FORMAT.entryHeaderBytes), body)
    at += GROUP_FORMAT.entryHeaderBytes
  }
  return chunks
}

/** Calls `onEntry` for each entry of a body, by reference. @throws ZonewiseError JOURNAL_CORRUPT, FORMAT_TOO_NEW */
export function decodeGroup(body: Uint8Array, onEntry: (entry: Entry, timeMs: number) => void): void {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const corrupt = (at: number): ZonewiseError =>
    new ZonewiseError('JOURNAL_CORRUPT', 'journal group is cut short', { at, bytes: body.byteLength })
  if (body.byteLength < GROUP_FORMAT.headerBytes) throw corrupt(0)
  const version = view.getUint8(0)
  if (version !== GROUP_FORMAT.version) {
    throw new ZonewiseError('FORMAT_TOO_NEW', 'journal group has an unknown format', { version })
  }
  const timeMs = view.getFloat64(1)
  const count = view.getUint32(9)
  let at: number = GROUP_FORMAT.headerBytes
  for (let i = 0; i < count; i++) {
    if (at + GROUP_FORMAT.entryHeaderBytes > body.byteLength) throw corrupt(at)
    const kind = view.getUint16(at)
    const length = view.getUint32(at + 2)
    at += GROUP_FORMAT.entryHeaderBytes
    if (at + length > body.byteLength) throw corrupt(at)
    onEntry({ kind, body: body.subarray(at, at + length) }, timeMs)
    at += length
  }
  if (at !== body.byteLength) throw corrupt(at)
}
