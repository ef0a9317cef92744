/**
 * Reads a folder of segments after a start. A bad frame with a whole frame of the same life behind it (in its segment,
 * or in the next one) is corruption; otherwise it is the torn tail, which was never acknowledged, and is cut.
 *
 * What is found must be on the disk, not only in the kernel's cache: after a failed sync the cache may hold what the
 * disk never will. A segment is left behind only after the sync of its last frame, and a failed sync stops the
 * process, so only the newest segment can hold such frames. So it alone is copied, into a synced file of a new life
 * that takes its name atomically: as safe as copying everything, and bounded by one segment.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { Files, OpenFile } from '../runtime/files.ts'
import type { Position } from './journal.ts'
import {
  aligned, decodeFrame, decodeRecordHeader, decodeSegmentHeader, type FrameHeader, RECORD, type RecordHeader, sealFrame,
  SEGMENT, type SegmentHeader, viewOf
} from './segment-format.ts'
import type { Segment, SegmentFiles } from './segment-files.ts'

export type FoundGroup = RecordHeader & { readonly segment: number; readonly filePosition: number } // of the body
export type FoundShard = { readonly groups: FoundGroup[]; trimmedTo: Position | null }
export type Recovered = {
  readonly segments: Segment[] // oldest first; the last one takes the next frame
  readonly shards: Map<number, FoundShard> // groups in the order of their frames
  readonly nextFrameSeq: number
}

/** @throws ZonewiseError JOURNAL_CORRUPT (names file and position), FORMAT_TOO_NEW; null: there is no segment. */
export async function recover(files: Files, segmentFiles: SegmentFiles): Promise<Recovered | null> {
  const numbers = await segmentFiles.scan()
  if (numbers.length === 0) return null
  const opened: OpenFile[] = []
  try {
    return await readSegments(files, segmentFiles, numbers, opened)
  } catch (error) {
    for (const file of opened) await file.close()
    throw error
  }
}

async function readSegments(
  files: Files, segmentFiles: SegmentFiles, numbers: readonly number[], opened: OpenFile[]
): Promise<Recovered> {
  const segments: Segment[] = []
  const shards = new Map<number, FoundShard>()
  let nextFrameSeq = -1
  for (const [index, number] of numbers.entries()) {
    const path = segmentFiles.pathOf(number)
    if (index > 0 && number !== numbers[index - 1]! + 1)
      throw corrupt('a journal segment is missing', segmentFiles.pathOf(numbers[index - 1]! + 1), 0)
    const file = await files.open(path, 'write')
    if (file === null) throw corrupt('a journal segment is missing', path, 0)
    opened.push(file)
    const content = await file.read(0, await file.bytes())
    const header = readHeader(content, path, number)
    if (nextFrameSeq !== -1 && header.firstFrameSeq !== nextFrameSeq) {
      const before = segments.at(-1)! // its last frames are damaged: a segment follows only what is durable
      throw corrupt('a journal frame is damaged', before.file.path, before.endPosition)
    }
    const frames = readFrames(content, path, header)
    for (const at of frames.starts) readRecords(content, at, number, shards, path)
    nextFrameSeq = header.firstFrameSeq + frames.starts.length
    const found = { number, file, life: header.life, bytes: content.byteLength, endPosition: frames.end, liveBytes: 0, readers: 0 }
    segments.push(index === numbers.length - 1 ? await copy(segmentFiles, content, header, frames) : found)
  }
  await opened.at(-1)!.close() // its copy has its name now
  return { segments, shards, nextFrameSeq }
}

function corrupt(message: string, file: string, position: number): ZonewiseError {
  return new ZonewiseError('JOURNAL_CORRUPT', message, { file, position })
}

function readHeader(content: Uint8Array, path: string, number: number): SegmentHeader {
  const header = decodeSegmentHeader(content)
  // A segment gets its name after its header is synced, so that no crash leaves a bad one.
  if (header === null || header.number !== number) throw corrupt('the header of a journal segment is damaged', path, 0)
  if (header.version > SEGMENT.version)
    throw new ZonewiseError('FORMAT_TOO_NEW', 'a journal segment of a newer format', { file: path, version: header.version })
  return header
}

type Frames = { readonly starts: number[]; readonly end: number }

function readFrames(content: Uint8Array, path: string, { life, firstFrameSeq }: SegmentHeader): Frames {
  const starts: number[] = []
  let at: number = SEGMENT.alignBytes
  for (;;) {
    const frame = decodeFrame(content, at, life)
    if (frame === null) break
    if (frame.frameSeq !== firstFrameSeq + starts.length) throw corrupt('a journal frame is out of order', path, at)
    starts.push(at)
    at = endOf(at, frame)
  }
  for (let behind = at + SEGMENT.alignBytes; behind < content.byteLength; behind += SEGMENT.alignBytes)
    if (decodeFrame(content, behind, life) !== null) throw corrupt('a journal frame is damaged', path, at)
  return { starts, end: at }
}

function endOf(at: number, { bodyBytes }: FrameHeader): number {
  return aligned(at + SEGMENT.frameHeaderBytes + bodyBytes)
}

function readRecords(content: Uint8Array, frameAt: number, segment: number, shards: Map<number, FoundShard>, path: string): void {
  const view = viewOf(content)
  const recordCount = view.getUint32(frameAt + 24)
  let at = frameAt + SEGMENT.frameHeaderBytes
  for (let n = 0; n < recordCount; n++) {
    const record = decodeRecordHeader(view, at)
    at += SEGMENT.recordHeaderBytes
    let shard = shards.get(record.shard)
    if (shard === undefined) shards.set(record.shard, (shard = { groups: [], trimmedTo: null }))
    if (record.kind === RECORD.group || record.kind === RECORD.copiedGroup)
      shard.groups.push({ ...record, segment, filePosition: at })
    else if (record.kind === RECORD.trim) shard.trimmedTo = record.position // they only rise
    else throw new ZonewiseError('FORMAT_TOO_NEW', 'a journal record of a newer kind', { file: path, position: at, kind: record.kind })
    at += record.bodyBytes
  }
}

function copy(
  segmentFiles: SegmentFiles, content: Uint8Array, header: SegmentHeader, { starts, end }: Frames
): Promise<Segment> {
  return segmentFiles.make(header.number, header.firstFrameSeq, end, (life) =>
    starts.map((at, index) => {
      const bytes = content.slice(at, Math.min(starts[index + 1] ?? end, content.byteLength))
      const view = viewOf(bytes)
      const [bodyBytes, recordCount] = [view.getUint32(4), view.getUint32(24)]
      const frameBytes = SEGMENT.frameHeaderBytes + bodyBytes
      sealFrame(bytes.subarray(0, frameBytes), [], life, { bodyBytes, recordCount, frameSeq: header.firstFrameSeq + index })
      return bytes
    }))
}
