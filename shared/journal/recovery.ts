/**
 * Reads a folder of segments after a start. A bad frame with a whole frame of the same life behind it (in its segment,
 * or in the next one) is damage; otherwise it is the torn tail, which was never acknowledged, and is cut.
 *
 * Damage costs the shards that it hit: groups whose bytes are bad are served to nobody, and a shard whose newest groups
 * may have been among what is lost goes on no more. All others go on. Files with damage stay as they are, so that the
 * same is found at every start, and that a file put back heals all.
 *
 * What is found must be on the disk, not only in the kernel's cache: after a failed sync the cache may hold what the
 * disk never will. A segment is left behind only after the sync of its last frame, and a failed sync stops the
 * process, so only the newest segment can hold such frames. So it alone is copied, into a synced file of a new life
 * that takes its name atomically: as safe as copying everything, and bounded by one segment. A damaged one is written
 * over with its own bytes instead, and left behind.
 */
import type { Files, OpenFile } from '../runtime/files.ts'
import type { Position } from './journal.ts'
import { RECORD, type RecordHeader, sealFrame, SEGMENT, type SegmentHeader } from './segment-format.ts'
import type { Segment, SegmentFiles } from './segment-files.ts'
import { corrupt, type Found, type Frame, type Gap, readHeader, recordsOf, salvage, type Scan, scanSegment } from './segment-scan.ts'

export type FoundGroup = RecordHeader & { readonly segment: number; readonly filePosition: number; readonly bad: boolean } // of the body
export type FoundShard = { readonly groups: FoundGroup[]; trimmedTo: Position | null; newestFrameSeq: number } // of groups as appended

/** What is wrong with a file. `shards`: those with groups whose bytes are bad; null: it cannot be known whose are lost. */
export type Damage = { readonly file: string; readonly position: number; readonly lastFrameSeq: number; readonly shards: readonly number[] | null }

export type Recovered = {
  readonly segments: Segment[] // oldest first; the last one takes the next frame
  readonly shards: Map<number, FoundShard> // groups in the order of their frames
  readonly nextFrameSeq: number
  readonly damages: readonly Damage[]
  readonly damagedHeaders: readonly string[] // of files whose frames prove themselves
  readonly torn: { readonly file: string; readonly position: number } | null // the tail that was cut
}

/** @throws ZonewiseError JOURNAL_CORRUPT (names file and position), FORMAT_TOO_NEW; null: there is no segment. */
export async function recover(files: Files, segmentFiles: SegmentFiles): Promise<Recovered | null> {
  const numbers = await segmentFiles.scan()
  if (numbers.length === 0) return null
  const recovery = new Recovery(files, segmentFiles)
  try {
    return await recovery.run(numbers)
  } catch (error) {
    await recovery.close()
    throw error
  }
}

type Read = { readonly number: number; readonly path: string; readonly file: OpenFile; readonly content: Uint8Array; readonly scan: Scan }

class Recovery {
  readonly #files: Files
  readonly #segmentFiles: SegmentFiles
  readonly #opened: OpenFile[] = []
  readonly #segments: Segment[] = []
  readonly #shards = new Map<number, FoundShard>()
  readonly #damages: Damage[] = []
  readonly #damagedHeaders: string[] = []

  constructor(files: Files, segmentFiles: SegmentFiles) {
    this.#files = files
    this.#segmentFiles = segmentFiles
  }

  async run(numbers: readonly number[]): Promise<Recovered> {
    let before: Read | null = null
    for (const number of numbers) {
      if (before !== null && number !== before.number + 1)
        throw corrupt('a journal segment is missing', this.#segmentFiles.pathOf(before.number + 1), 0)
      const read: Read = await this.#read(number, before)
      if (before !== null) this.#keep(before, read.scan.header.firstFrameSeq - before.scan.nextFrameSeq)
      before = read
    }
    const { scan: { header, nextFrameSeq, end, torn }, path, content } = before!
    if (content.byteLength < header.fileBytes) throw corrupt('the newest journal segment was cut short', path, content.byteLength)
    await this.#keepNewest(before!)
    return {
      segments: this.#segments, shards: this.#shards, nextFrameSeq, damages: this.#damages, damagedHeaders: this.#damagedHeaders,
      torn: torn ? { file: path, position: end } : null
    }
  }

  async close(): Promise<void> {
    for (const file of this.#opened) await file.close()
  }

  async #read(number: number, before: Read | null): Promise<Read> {
    const path = this.#segmentFiles.pathOf(number)
    const file = await this.#files.open(path, 'write')
    if (file === null) throw corrupt('a journal segment is missing', path, 0)
    this.#opened.push(file)
    const content = await file.read(0, await file.bytes())
    const { header, damaged } = readHeader(content, path, number, before?.scan.nextFrameSeq ?? null)
    if (damaged) this.#damagedHeaders.push(path)
    const scan = scanSegment(content, path, header, damaged)
    if (before !== null && header.firstFrameSeq < before.scan.nextFrameSeq)
      throw corrupt('a journal frame is out of order', path, SEGMENT.alignBytes)
    return { number, path, file, content, scan }
  }

  /** Takes a segment as it is; `lostAtEnd` frames are missing behind its last one: a segment follows only what is durable. */
  #keep(read: Read, lostAtEnd: number): void {
    const { number, path, file, content, scan: { header, pieces, end, nextFrameSeq } } = read
    if (lostAtEnd > 0)
      pieces.push({ kind: 'gap', position: end, end: content.byteLength, firstFrameSeq: nextFrameSeq, lastFrameSeq: nextFrameSeq + lostAtEnd - 1 })
    for (const piece of pieces) this.#takeRecords(read, piece)
    const damaged = pieces.some(({ kind }) => kind === 'gap')
    this.#segments.push({ number, path, file, life: header.life, bytes: content.byteLength, endPosition: end, liveBytes: 0, readers: 0, damaged })
  }

  async #keepNewest(read: Read): Promise<void> {
    const { number, file, content, scan: { header, pieces, end, nextFrameSeq } } = read
    if (pieces.some(({ kind }) => kind === 'gap')) {
      this.#keep(read, 0)
      await file.write(0, [content.subarray(0, end)])
      await file.sync()
      const next = await this.#segmentFiles.make(number + 1, nextFrameSeq, 0)
      this.#opened.push(next.file)
      this.#segments.push(next)
      return
    }
    for (const piece of pieces) this.#takeRecords(read, piece)
    const frames = pieces.filter((piece) => piece.kind === 'frame')
    this.#segments.push(await copy(this.#segmentFiles, content, header, frames, end))
    await file.close() // its copy has its name now
  }

  #takeRecords({ number, path, content }: Read, piece: Frame | Gap): void {
    if (piece.kind === 'frame') {
      for (const record of recordsOf(content, piece, path)) this.#take(record, number, false)
      return
    }
    const { records, bad, complete } = salvage(content, piece, path)
    for (const record of records) this.#take(record, number, bad.includes(record))
    const shards = complete ? [...new Set(bad.map(({ shard }) => shard))] : null
    this.#damages.push({ file: path, position: piece.position, lastFrameSeq: piece.lastFrameSeq, shards })
  }

  #take({ frameSeq, ...record }: Found, segment: number, bad: boolean): void {
    let shard = this.#shards.get(record.shard)
    if (shard === undefined) this.#shards.set(record.shard, (shard = { groups: [], trimmedTo: null, newestFrameSeq: -1 }))
    if (record.kind === RECORD.group) shard.newestFrameSeq = frameSeq
    if (record.kind === RECORD.trim) shard.trimmedTo = record.position // they only rise
    else shard.groups.push({ ...record, segment, bad })
  }
}

/**
 * The damage that may have cost a shard its newest groups, or null: behind damage of which it is not known whose groups
 * are lost there must be a newer group, whose chain shows whether one before it is missing.
 */
export function newestInDoubt(damages: readonly Damage[], found: FoundShard | undefined): Damage | null {
  return damages.findLast(({ shards, lastFrameSeq }) => shards === null && lastFrameSeq > (found?.newestFrameSeq ?? -1)) ?? null
}

function copy(
  segmentFiles: SegmentFiles, content: Uint8Array, { number, firstFrameSeq }: SegmentHeader, frames: readonly Frame[], end: number
): Promise<Segment> {
  return segmentFiles.make(number, firstFrameSeq, end + SEGMENT.alignBytes, (life) => // with room to mark the end
    frames.map(({ position, bodyBytes, recordCount, frameSeq }, index) => {
      const bytes = content.slice(position, Math.min(frames[index + 1]?.position ?? end, content.byteLength))
      sealFrame(bytes.subarray(0, SEGMENT.frameHeaderBytes + bodyBytes), [], life, { bodyBytes, recordCount, frameSeq })
      return bytes
    }))
}
