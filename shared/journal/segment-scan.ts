/**
 * What the bytes of a segment hold. Frames follow each other without a gap; a place without one is the tail, where
 * nothing of the same life follows, and damage where something does. Frames are counted, so that it is always known how
 * many are missing; their records carry checksums of their own, so that most of a damaged frame can still be told.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import { runningCrc } from './running-crc.ts'
import {
  aligned, decodeFrame, decodeRecordHeader, decodeSegmentHeader, frameBeginsAt, lifeAt, RECORD, type RecordHeader,
  SEGMENT, type SegmentHeader, viewOf
} from './segment-format.ts'

const SEARCH_BYTES_MAX = 1024 * 1024 // bytes looked through for records behind a damaged one, in one gap

export type Frame = {
  readonly kind: 'frame'
  readonly position: number
  readonly frameSeq: number
  readonly bodyBytes: number
  readonly recordCount: number
}
/** Frames `firstFrameSeq` to `lastFrameSeq`, both included, lay in [position, end). */
export type Gap = {
  readonly kind: 'gap'
  readonly position: number
  readonly end: number
  readonly firstFrameSeq: number
  readonly lastFrameSeq: number
}

export type Scan = {
  readonly header: SegmentHeader
  readonly headerDamaged: boolean
  readonly pieces: (Frame | Gap)[] // in order of position
  readonly end: number // where the next frame goes
  readonly nextFrameSeq: number
  readonly torn: boolean // a frame was begun at `end` and is not whole
}

export type Found = RecordHeader & { readonly frameSeq: number; readonly filePosition: number } // of the body
/** `complete`: every record of the gap is there, if with a bad body. `bad`: those whose body is. */
export type Salvaged = {
  readonly records: readonly Found[]
  readonly bad: readonly Found[]
  readonly complete: boolean
}

export function corrupt(message: string, file: string, position: number): ZonewiseError {
  return new ZonewiseError('JOURNAL_CORRUPT', message, { file, position })
}

/**
 * The header of a segment. Where it is damaged its first frame stands in, if that is frame `expectedFrameSeq` (null:
 * any will do, there is no segment before). @throws ZonewiseError JOURNAL_CORRUPT, FORMAT_TOO_NEW
 */
export function readHeader(
  content: Uint8Array, path: string, number: number, expectedFrameSeq: number | null
): { readonly header: SegmentHeader; readonly damaged: boolean } {
  const header = decodeSegmentHeader(content)
  if (header !== null && header.version !== SEGMENT.version) {
    const facts = { file: path, version: header.version }
    throw new ZonewiseError('FORMAT_TOO_NEW', 'a journal segment of an unknown format', facts)
  }
  if (header !== null && header.number === number) return { header, damaged: false }
  // A segment gets its name after its header is synced, so that no crash leaves a bad one.
  const life = lifeAt(content, SEGMENT.alignBytes)
  const first = decodeFrame(content, SEGMENT.alignBytes, life)
  if (header !== null || first === null || (expectedFrameSeq !== null && first.frameSeq !== expectedFrameSeq))
    throw corrupt('the header of a journal segment is damaged', path, 0)
  const told = { life, number, firstFrameSeq: first.frameSeq, fileBytes: content.byteLength }
  return { header: { version: SEGMENT.version, ...told }, damaged: true }
}

/** @throws ZonewiseError JOURNAL_CORRUPT: the order of frames makes no sense. */
export function scanSegment(content: Uint8Array, path: string, header: SegmentHeader, headerDamaged: boolean): Scan {
  const { life } = header
  const pieces: (Frame | Gap)[] = []
  let frameSeq = header.firstFrameSeq
  let position: number = SEGMENT.alignBytes
  for (;;) {
    const next = findFrame(content, position, life)
    if (next === null) break
    if (next.frameSeq < frameSeq || (next.position === position) !== (next.frameSeq === frameSeq))
      throw corrupt('a journal frame is out of order', path, next.position)
    if (next.position !== position)
      pieces.push(
        { kind: 'gap', position, end: next.position, firstFrameSeq: frameSeq, lastFrameSeq: next.frameSeq - 1 })
    pieces.push(next)
    frameSeq = next.frameSeq + 1
    position = aligned(next.position + SEGMENT.frameHeaderBytes + next.bodyBytes)
  }
  const torn = frameBeginsAt(content, position, life)
  return { header, headerDamaged, pieces, end: position, nextFrameSeq: frameSeq, torn }
}

/** The first whole frame at `from` or behind it. */
function findFrame(content: Uint8Array, from: number, life: Uint8Array): Frame | null {
  for (let position = from; position < content.byteLength; position += SEGMENT.alignBytes) {
    const frame = decodeFrame(content, position, life)
    if (frame !== null) return { kind: 'frame', position, ...frame }
  }
  return null
}

/** The records of a whole frame. @throws ZonewiseError JOURNAL_CORRUPT, FORMAT_TOO_NEW: a record of a newer kind */
export function recordsOf(content: Uint8Array, { position, frameSeq, recordCount }: Frame, path: string): Found[] {
  const view = viewOf(content)
  const found: Found[] = []
  let at = position + SEGMENT.frameHeaderBytes
  for (let n = 0; n < recordCount; n++) {
    const record = recordAt(view, at, frameSeq, path)
    if (record === null) throw corrupt('a journal record is damaged', path, at)
    found.push(record)
    at = record.filePosition + record.bodyBytes
  }
  return found
}

/** What can still be told of damaged frames: behind a record whose header is damaged the next one is looked for. */
export function salvage(content: Uint8Array, gap: Gap, path: string): Salvaged {
  const { position, end, firstFrameSeq, lastFrameSeq } = gap
  const view = viewOf(content)
  const records: Found[] = []
  let complete = true
  let searchBytes = SEARCH_BYTES_MAX
  let at = position
  for (let frameSeq = firstFrameSeq; frameSeq <= lastFrameSeq; frameSeq++) {
    const first = records.length
    const start = at
    for (at += SEGMENT.frameHeaderBytes; ;) {
      let record = recordAt(view, at, frameSeq, path)
      if (record === null) {
        const bodyBytes = at - start - SEGMENT.frameHeaderBytes
        if (saysItself(view, start, bodyBytes, records.length - first)) break
        complete = false
        for (let from = at + 1; record === null && from < end && searchBytes > 0; from++, searchBytes--)
          record = recordAt(view, from, frameSeq, path)
      }
      if (record === null || record.filePosition + record.bodyBytes > end) break
      records.push(record)
      at = record.filePosition + record.bodyBytes
    }
    at = aligned(at)
  }
  const bad = records.filter((record) => record.kind !== RECORD.trim && !isBodyGood(content, record))
  return { records, bad, complete }
}

/** Whether a frame's own header says that it holds this and no more; zeros behind it could be records that are gone. */
function saysItself(view: DataView, start: number, bodyBytes: number, recordCount: number): boolean {
  return recordCount > 0 && view.getUint32(start + 4) === bodyBytes && view.getUint32(start + 24) === recordCount
}

function recordAt(view: DataView, at: number, frameSeq: number, path: string): Found | null {
  const header = decodeRecordHeader(view, at, frameSeq)
  if (header === null) return null
  const { kind } = header
  if (kind !== RECORD.group && kind !== RECORD.copiedGroup && kind !== RECORD.trim)
    throw new ZonewiseError('FORMAT_TOO_NEW', 'a journal record of a newer kind', { file: path, position: at, kind })
  return { ...header, frameSeq, filePosition: at + SEGMENT.recordHeaderBytes }
}

function isBodyGood(content: Uint8Array, { afterCrc, position, filePosition, bodyBytes, crc }: Found): boolean {
  return runningCrc(afterCrc, position, [content.subarray(filePosition, filePosition + bodyBytes)]) === crc
}
