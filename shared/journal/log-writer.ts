/**
 * Group commit over all shards of a process: everything pending becomes one frame, one write and one sync; the next
 * starts when the last one ends. After a failed write or sync nothing more is ever acknowledged: the kernel may have
 * dropped the pages, so that a retry would report success for bytes that are nowhere.
 */
import assert from 'node:assert/strict'
import { explain, ZonewiseError } from '../errors/zonewise-error.ts'
import type { Cancel, Clock, Timer } from '../runtime/runtime.ts'
import type { FrameMetrics } from './metrics.ts'
import { aligned, encodeRecordHeader, type RecordHeader, sealFrame, SEGMENT, viewOf } from './segment-format.ts'
import type { Segment, SegmentFiles } from './segment-files.ts'

const COPY_BYTES_MAX = 64 * 1024 // a bigger body is written by reference
const IDLE_MS = 500
const ROLL_AGAIN_MS = 1_000 // each try may write a whole file in vain, and appends come again much sooner
const END_BYTES = SEGMENT.alignBytes // always left for the empty frame that marks the end

export type LogRecord = {
  readonly header: RecordHeader
  readonly body: readonly Uint8Array[]
  /** The record is durable; `body` is its bytes in one piece, to be kept as long as wanted. */
  readonly durable: (segment: Segment, filePosition: number, body: Uint8Array) => void
  readonly failed: (error: ZonewiseError) => void
}

export type LogWriterOptions = {
  readonly segmentFiles: SegmentFiles
  readonly timer: Timer
  readonly clock: Clock
  readonly metrics: FrameMetrics
  readonly frameBytesMax: number // soft: a record is never split
  readonly onFailure: (error: ZonewiseError) => void
  /** A segment was left behind for a new one. */
  readonly onRoll: (opened: Segment) => void
}

export class LogWriter {
  readonly #options: LogWriterOptions
  #segment: Segment
  #frameSeq: number
  #pending: LogRecord[] = []
  #running: Promise<void> | null = null
  #failure: ZonewiseError | null = null
  #refusal: ZonewiseError | null = null // why there is no new segment
  #refusedUntilMs = 0
  #cancelMark: Cancel = () => {}
  #isEndUnmarked = false // groups were written, and no empty frame behind them

  constructor(options: LogWriterOptions, segment: Segment, nextFrameSeq: number) {
    this.#options = options
    this.#segment = segment
    this.#frameSeq = nextFrameSeq
  }

  /** The segment that takes the next frame. */
  get segment(): Segment {
    return this.#segment
  }

  get failure(): ZonewiseError | null {
    return this.#failure
  }

  add(record: LogRecord): void {
    if (this.#failure !== null) return record.failed(this.#failure)
    this.#pending.push(record)
    this.#running ??= this.#run()
  }

  /** Adds a record that goes with the next frame, whenever that is. */
  addLazily(record: LogRecord): void {
    if (this.#failure === null) this.#pending.push(record)
  }

  /** Takes nothing new; resolves when nothing is pending and the end is marked: what is before it was no torn tail. */
  async close(): Promise<void> {
    this.#cancelMark()
    while (this.#running !== null) await this.#running
    if (this.#failure === null && this.#isEndUnmarked) await this.#writeFrame([])
    this.#failure ??= new ZonewiseError('STOPPING', 'the journal is closed')
  }

  async #run(): Promise<void> {
    do {
      await this.#company()
      await this.#writeFrame(this.#take())
    } while (this.#pending.length > 0 && this.#failure === null)
    this.#running = null // in the same turn as the look at #pending: no record may fall between
    if (this.#isEndUnmarked) this.#markWhenIdle()
  }

  /** Marks the end once nothing came for a while, as a stop does: a kill from then on leaves no doubt about what is before. */
  #markWhenIdle(): void {
    this.#cancelMark()
    this.#cancelMark = this.#options.timer.after(IDLE_MS, () => {
      if (this.#running === null && this.#isEndUnmarked && this.#failure === null) this.#running = this.#run()
    })
  }

  /** Lets everybody who was just answered add what comes next: one turn of the event loop, no wait. */
  #company(): Promise<void> {
    return new Promise((resolve) => { this.#options.timer.soon(resolve) })
  }

  #take(): LogRecord[] {
    let bytes = 0
    let count = 0
    while (count < this.#pending.length) {
      const recordBytes = SEGMENT.recordHeaderBytes + this.#pending[count]!.header.bodyBytes
      if (count > 0 && bytes + recordBytes > this.#options.frameBytesMax) break
      bytes += recordBytes
      count += 1
    }
    const taken = count === this.#pending.length ? this.#pending : this.#pending.slice(0, count)
    this.#pending = count === this.#pending.length ? [] : this.#pending.slice(count)
    return taken
  }

  async #writeFrame(records: readonly LogRecord[]): Promise<void> {
    const bodyBytes = records.reduce((sum, { header }) => sum + SEGMENT.recordHeaderBytes + header.bodyBytes, 0)
    const frameBytes = aligned(SEGMENT.frameHeaderBytes + bodyBytes)
    if (records.length > 0 && this.#segment.endPosition + frameBytes + END_BYTES > this.#segment.bytes) {
      const refusal = await this.#roll(frameBytes)
      if (refusal !== null) {
        if (refusal.code === 'JOURNAL_FAILED') this.#fail(records, refusal, this.#segment.path)
        else for (const record of records) record.failed(refusal)
        return
      }
    }
    const segment = this.#segment
    const frame = layOut(records, bodyBytes, frameBytes, segment.life, this.#frameSeq)
    const start = segment.endPosition
    const { clock, metrics } = this.#options
    try {
      const begunMs = clock.monotonicMs()
      await segment.file.write(start, frame.chunks)
      const writtenMs = clock.monotonicMs()
      await segment.file.sync()
      metrics.writeSeconds.observe((writtenMs - begunMs) / 1_000)
      metrics.syncSeconds.observe((clock.monotonicMs() - writtenMs) / 1_000)
    } catch (cause) {
      return this.#fail(records, cause, segment.path)
    }
    metrics.bytes.observe(frameBytes)
    metrics.records.observe(records.length)
    segment.endPosition += frameBytes
    this.#frameSeq += 1
    this.#isEndUnmarked = records.length > 0
    for (let n = 0; n < records.length; n++) records[n]!.durable(segment, start + frame.bodyOffsets[n]!, frame.bodies[n]!)
  }

  /**
   * Begins a new segment. @returns JOURNAL_UNSETTLED: nothing was written and no name given, as on a full disk: the same
   * append may succeed later. JOURNAL_FAILED: it is not known what was.
   */
  async #roll(frameBytes: number): Promise<ZonewiseError | null> {
    const { segmentFiles, onRoll, clock } = this.#options
    const unsettled = (cause: unknown): ZonewiseError =>
      new ZonewiseError('JOURNAL_UNSETTLED', 'no new journal segment', { reason: explain(cause) }, cause)
    if (this.#refusal !== null && clock.monotonicMs() < this.#refusedUntilMs) return unsettled(this.#refusal)
    try {
      const bytesMin = SEGMENT.alignBytes + frameBytes + END_BYTES
      this.#segment = await segmentFiles.make(this.#segment.number + 1, this.#frameSeq, bytesMin)
    } catch (cause) {
      if (!(cause instanceof ZonewiseError) || cause.code === 'JOURNAL_FAILED')
        return new ZonewiseError('JOURNAL_FAILED', 'no new journal segment', { reason: explain(cause) }, cause)
      this.#refusal = cause
      this.#refusedUntilMs = clock.monotonicMs() + ROLL_AGAIN_MS
      return unsettled(cause)
    }
    this.#refusal = null
    onRoll(this.#segment)
    segmentFiles.prepare()
    return null
  }

  #fail(records: readonly LogRecord[], cause: unknown, file: string): void {
    const error = new ZonewiseError('JOURNAL_FAILED', 'the journal could not be written', { file }, cause)
    this.#failure = error
    const all = [...records, ...this.#pending]
    this.#pending = []
    for (const record of all) record.failed(error)
    this.#options.onFailure(error)
  }
}

type Frame = { readonly chunks: Uint8Array[]; readonly bodies: Uint8Array[]; readonly bodyOffsets: number[] }

/**
 * One allocation for headers and small bodies, which the bodies kept later share; big bodies by reference between
 * slices of it, and copied only for those who keep them: the caller may change them once they are durable.
 */
function layOut(records: readonly LogRecord[], bodyBytes: number, frameBytes: number, life: Uint8Array, frameSeq: number): Frame {
  const bigBytes = records.reduce((sum, { header }) => sum + (header.bodyBytes > COPY_BYTES_MAX ? header.bodyBytes : 0), 0)
  const ownBytes = SEGMENT.frameHeaderBytes + bodyBytes - bigBytes
  const own = new Uint8Array(ownBytes + frameBytes - SEGMENT.frameHeaderBytes - bodyBytes) // zeros behind, to the end
  const view = viewOf(own)
  const frame: Frame = { chunks: [], bodies: [], bodyOffsets: [] }
  let at: number = SEGMENT.frameHeaderBytes
  let flushed = 0
  let big = 0 // bytes by reference so far
  for (const { header, body } of records) {
    encodeRecordHeader(view, at, header, frameSeq)
    at += SEGMENT.recordHeaderBytes
    frame.bodyOffsets.push(at + big)
    if (header.bodyBytes > COPY_BYTES_MAX) {
      frame.chunks.push(own.subarray(flushed, at), ...body)
      flushed = at
      big += header.bodyBytes
      frame.bodies.push(Buffer.concat(body))
      continue
    }
    const start = at
    for (const chunk of body) {
      own.set(chunk, at)
      at += chunk.byteLength
    }
    frame.bodies.push(own.subarray(start, at))
  }
  assert(at === ownBytes && at + big === SEGMENT.frameHeaderBytes + bodyBytes)
  const [first, ...more] = [...frame.chunks, own.subarray(flushed, at)]
  sealFrame(first!, more, life, { bodyBytes, frameSeq, recordCount: records.length })
  frame.chunks.push(own.subarray(flushed))
  return frame
}
