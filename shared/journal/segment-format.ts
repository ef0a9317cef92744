/**
 * Bytes of the file journal, all integers big-endian (docs/object-format.md). A segment file:
 *
 *   header   magic u32 'ZWJS' | version u32 | life 8 bytes | number u64 | firstFrameSeq u64 | fileBytes u64 | crc u32
 *                                                                                                     44 bytes
 *   frames   each from a multiple of 512 bytes on, so that no write touches a sector of a frame before it
 *
 * A frame is one write and one sync, whatever it holds of however many shards:
 *
 *   header   magic u32 'ZWJF' | bodyBytes u32 | life 8 bytes | frameSeq u64 | recordCount u32 | crc u32   32 bytes
 *   records  back to back:
 *            kind u32 | shard u32 | epoch u64 | seq u64 | afterEpoch u64 | afterSeq u64 | afterCrc u32 | crc u32 |
 *            bodyBytes u32 | headCrc u32 | body                                                    56 bytes + body
 *
 * A file has its full length before it gets its name: a shorter one was cut.
 * The crc of a header is over the bytes before it; that of a frame goes on over its body. `life` is random and new
 * each time a file is used, so that frames of an earlier use are never taken for new ones; `frameSeq` is dense over
 * all segments. `crc` of a record is the group's running CRC, `headCrc` is over the record's header, begun with the low
 * half of the frame's frameSeq: where a frame is damaged they tell which of its groups are. A frame without records is written when the log is idle or closed: what is before
 * it is no torn tail. Record kinds: 1 a group as appended; 2 the same, copied forward so that an old segment can go;
 * 3 trim: groups of the shard up to (epoch, seq) are not needed any more (all else is zero).
 */
import { crc32c } from '../binary/crc32c.ts'
import type { Position } from './journal.ts'

export const SEGMENT = {
  magic: 0x5a574a53, version: 2, lifeBytes: 8, headerBytes: 44, frameMagic: 0x5a574a46, frameHeaderBytes: 32,
  recordHeaderBytes: 56, alignBytes: 512
} as const
export const RECORD = { group: 1, copiedGroup: 2, trim: 3 } as const

const HIGH_WORD = 2 ** 32

export type SegmentHeader = { readonly version: number; readonly life: Uint8Array; readonly number: number; readonly firstFrameSeq: number
  readonly fileBytes: number }
export type FrameHeader = { readonly bodyBytes: number; readonly frameSeq: number; readonly recordCount: number }
export type RecordHeader = {
  readonly kind: number
  readonly shard: number
  readonly position: Position
  readonly after: Position
  readonly afterCrc: number
  readonly crc: number
  readonly bodyBytes: number
}

/** The next place where a frame may start. */
export function aligned(position: number): number {
  return Math.ceil(position / SEGMENT.alignBytes) * SEGMENT.alignBytes
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / HIGH_WORD))
  view.setUint32(at + 4, value >>> 0)
}

function getU64(view: DataView, at: number): number {
  return view.getUint32(at) * HIGH_WORD + view.getUint32(at + 4)
}

/** One whole block of 512 bytes. */
export function encodeSegmentHeader({ version, life, number, firstFrameSeq, fileBytes }: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SEGMENT.alignBytes)
  const view = viewOf(bytes)
  view.setUint32(0, SEGMENT.magic)
  view.setUint32(4, version)
  bytes.set(life, 8)
  setU64(view, 16, number)
  setU64(view, 24, firstFrameSeq)
  setU64(view, 32, fileBytes)
  view.setUint32(40, crc32c(bytes.subarray(0, 40)))
  return bytes
}

/** The life that a frame at `at` claims to be of. */
export function lifeAt(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.slice(at + 8, at + 8 + SEGMENT.lifeBytes)
}

/** Whether a frame of `life` began to be written at `at`, whole or not. */
export function frameBeginsAt(bytes: Uint8Array, at: number, life: Uint8Array): boolean {
  if (at + SEGMENT.frameHeaderBytes > bytes.byteLength || viewOf(bytes).getUint32(at) !== SEGMENT.frameMagic) return false
  return Buffer.compare(lifeAt(bytes, at), life) === 0
}

/** null: these bytes are no header. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | null {
  if (bytes.byteLength < SEGMENT.headerBytes) return null
  const view = viewOf(bytes)
  if (view.getUint32(0) !== SEGMENT.magic || view.getUint32(40) !== crc32c(bytes.subarray(0, 40))) return null
  return {
    version: view.getUint32(4), life: bytes.slice(8, 16), number: getU64(view, 16), firstFrameSeq: getU64(view, 24), fileBytes: getU64(view, 32)
  }
}

/** Fills in the header at the start of `first`; `first` and `more` together are the frame. */
export function sealFrame(
  first: Uint8Array, more: readonly Uint8Array[], life: Uint8Array, { bodyBytes, frameSeq, recordCount }: FrameHeader
): void {
  const view = viewOf(first)
  view.setUint32(0, SEGMENT.frameMagic)
  view.setUint32(4, bodyBytes)
  first.set(life, 8)
  setU64(view, 16, frameSeq)
  view.setUint32(24, recordCount)
  let crc = crc32c(first.subarray(SEGMENT.frameHeaderBytes), crc32c(first.subarray(0, 28)))
  for (const chunk of more) crc = crc32c(chunk, crc)
  view.setUint32(28, crc)
}

/** The frame of `life` that starts at `at` and is whole; null: there is none. */
export function decodeFrame(bytes: Uint8Array, at: number, life: Uint8Array): FrameHeader | null {
  const bodyStart = at + SEGMENT.frameHeaderBytes
  if (bodyStart > bytes.byteLength) return null
  const view = viewOf(bytes)
  if (view.getUint32(at) !== SEGMENT.frameMagic) return null
  for (let i = 0; i < SEGMENT.lifeBytes; i++) if (bytes[at + 8 + i] !== life[i]) return null
  const bodyBytes = view.getUint32(at + 4)
  if (bodyStart + bodyBytes > bytes.byteLength) return null
  const crc = crc32c(bytes.subarray(bodyStart, bodyStart + bodyBytes), crc32c(bytes.subarray(at, at + 28)))
  if (crc !== view.getUint32(at + 28)) return null
  return { bodyBytes, frameSeq: getU64(view, at + 16), recordCount: view.getUint32(at + 24) }
}

/** Writes the header of a record that goes into frame `frameSeq`. */
export function encodeRecordHeader(view: DataView, at: number, record: RecordHeader, frameSeq: number): void {
  view.setUint32(at, record.kind)
  view.setUint32(at + 4, record.shard)
  setU64(view, at + 8, record.position.epoch)
  setU64(view, at + 16, record.position.seq)
  setU64(view, at + 24, record.after.epoch)
  setU64(view, at + 32, record.after.seq)
  view.setUint32(at + 40, record.afterCrc)
  view.setUint32(at + 44, record.crc)
  view.setUint32(at + 48, record.bodyBytes)
  view.setUint32(at + 52, headCrc(view, at, frameSeq))
}

function headCrc(view: DataView, at: number, frameSeq: number): number {
  return crc32c(new Uint8Array(view.buffer, view.byteOffset + at, SEGMENT.recordHeaderBytes - 4), frameSeq >>> 0)
}

/** null: these bytes are no record header of frame `frameSeq`, or a damaged one. */
export function decodeRecordHeader(view: DataView, at: number, frameSeq: number): RecordHeader | null {
  if (at + SEGMENT.recordHeaderBytes > view.byteLength || view.getUint32(at + 52) !== headCrc(view, at, frameSeq)) return null
  return {
    kind: view.getUint32(at),
    shard: view.getUint32(at + 4),
    position: { epoch: getU64(view, at + 8), seq: getU64(view, at + 16) },
    after: { epoch: getU64(view, at + 24), seq: getU64(view, at + 32) },
    afterCrc: view.getUint32(at + 40),
    crc: view.getUint32(at + 44),
    bodyBytes: view.getUint32(at + 48)
  }
}
