/**
 * Journal in a folder of one process: all shards share one log (log-writer.ts), one frame and one sync for everything
 * that is pending. At most one record of a shard is in the log's queue, so that each is decided against what is durable.
 * The disk is bounded by twice what is still needed and a few segments: where old segments hold little of use, that
 * little is copied forward and they go, oldest first.
 */
import assert from 'node:assert/strict'
import { ZonewiseError } from '../errors/zonewise-error.ts'
import { type Log, silentLog } from '../log/log.ts'
import { Metrics } from '../metrics/metrics.ts'
import { makeFolderDurably, type Files } from '../runtime/files.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { FileShard } from './file-shard.ts'
import { assertSameCluster, type Journal, type ShardJournal } from './journal.ts'
import { GroupReader } from './group-reader.ts'
import { JournalMeta } from './journal-meta.ts'
import { LogWriter } from './log-writer.ts'
import { FrameMetrics } from './metrics.ts'
import { newestInDoubt, recover, type Recovered } from './recovery.ts'
import { aligned, SEGMENT } from './segment-format.ts'
import { type Segment, SegmentFiles } from './segment-files.ts'

const SEALED_MIN = 2 // segments behind the newest that are not worth cleaning
const SEGMENT_BYTES_MAX = 1024 ** 3

export type FileJournalOptions = {
  readonly files: Files
  readonly folder: string // absolute; one process at a time
  readonly runtime: Runtime
  readonly segmentBytes: number // of one file
  readonly frameBytesMax: number // soft bound of one write
  readonly recentBytesMax: number // bodies kept in memory for readers
  /** A write or sync failed: nothing is acknowledged from now on, and the process must stop. */
  readonly onFailure: (error: ZonewiseError) => void
  readonly log?: Log
  readonly metrics?: Metrics
}

/** @throws ZonewiseError JOURNAL_CORRUPT, JOURNAL_MISSING (shards, but no segment), FORMAT_TOO_NEW, STORE_* */
export async function openFileJournal(options: FileJournalOptions): Promise<Journal> {
  const { files, folder, runtime, segmentBytes } = options
  assert(segmentBytes >= 2 * SEGMENT.alignBytes && segmentBytes <= SEGMENT_BYTES_MAX)
  await makeFolderDurably(files, folder)
  const meta = await JournalMeta.load(files, folder)
  const segmentFiles = new SegmentFiles(files, folder, runtime.chance, segmentBytes)
  let recovered = await recover(files, segmentFiles)
  if (recovered === null && meta.shards.size > 0)
    throw new ZonewiseError('JOURNAL_MISSING', 'the segments of the journal are gone', { folder })
  if (recovered !== null && meta.shards.size === 0 && recovered.shards.size > 0)
    throw new ZonewiseError('JOURNAL_MISSING', 'the description of the journal is gone', { folder })
  for (const shard of recovered?.shards.keys() ?? [])
    if (!meta.shards.has(shard)) throw new ZonewiseError('JOURNAL_CORRUPT', 'the journal holds a shard that its description does not name', { folder, shard })
  recovered ??= {
    segments: [await segmentFiles.make(1, 1, aligned(segmentBytes))], shards: new Map(), nextFrameSeq: 1, damages: [], damagedHeaders: [], torn: null
  }
  segmentFiles.prepare()
  return new FileJournal(options, meta, segmentFiles, recovered)
}

class FileJournal implements Journal {
  readonly #meta: JournalMeta
  readonly #segmentFiles: SegmentFiles
  readonly #segments: Segment[] // oldest first
  readonly #byNumber = new Map<number, Segment>()
  readonly #writer: LogWriter
  readonly #reader: GroupReader
  readonly #shards = new Map<number, FileShard>()
  readonly #chance: Runtime['chance']
  readonly #log: Log
  #cleaning: Promise<void> | null = null
  #closed = false

  constructor(options: FileJournalOptions, meta: JournalMeta, segmentFiles: SegmentFiles, recovered: Recovered) {
    const { runtime, frameBytesMax, onFailure, recentBytesMax } = options
    this.#meta = meta
    this.#segmentFiles = segmentFiles
    this.#segments = recovered.segments
    this.#chance = runtime.chance
    this.#log = options.log ?? silentLog
    this.#reader = new GroupReader(recentBytesMax)
    for (const segment of recovered.segments) this.#byNumber.set(segment.number, segment)
    const onRoll = (opened: Segment): void => {
      this.#segments.push(opened)
      this.#byNumber.set(opened.number, opened)
      this.#clean()
    }
    const { timer, clock } = runtime
    const metrics = new FrameMetrics(options.metrics ?? new Metrics())
    metrics.watch(() => this.#segments.length)
    const writerOptions = { segmentFiles, timer, clock, metrics, frameBytesMax, onFailure, onRoll }
    this.#writer = new LogWriter(writerOptions, recovered.segments.at(-1)!, recovered.nextFrameSeq)
    this.#load(recovered)
  }

  /** Opens the shards as they were found; damage is told, and costs only those that it hit or may have hit. */
  #load({ segments, shards, damages, damagedHeaders, torn }: Recovered): void {
    const log = this.#log
    const missing: number[] = []
    for (const number of this.#meta.shards) {
      const shard = this.#open(number)
      const found = shards.get(number)
      if (shard.load(found, damages.at(-1) ?? null)) missing.push(number)
      const doubt = newestInDoubt(damages, found)
      if (doubt === null) continue
      const { file, position } = doubt
      shard.quarantine(new ZonewiseError('JOURNAL_CORRUPT', 'the newest groups of the shard may be lost', { file, position, shard: number }))
      missing.push(number)
    }
    if (torn !== null) log.warn('the last frame of the journal is not whole and was cut: a kill or a power cut tears what it was writing', torn)
    for (const file of damagedHeaders) log.error('the header of a journal file is damaged: its frames are read all the same', { file, position: 0 })
    for (const { file, position } of damages) log.error('the journal is damaged', { file, position, shards: [...new Set(missing)] })
    // What nobody misses may go as always.
    if (missing.length === 0) for (const segment of segments) segment.damaged = false
  }

  async shard(shard: number): Promise<ShardJournal> {
    assert(!this.#closed)
    const found = this.#shards.get(shard)
    if (found === undefined || !this.#meta.shards.has(shard))
      throw new ZonewiseError('JOURNAL_MISSING', 'a shard has no journal', { shard })
    return found.handle()
  }

  async create(shard: number): Promise<void> {
    if (!this.#meta.shards.has(shard)) {
      this.#meta.shards.add(shard)
      this.#open(shard)
    }
    await this.#meta.save()
  }

  async clusterId(): Promise<string | null> {
    return this.#meta.clusterId
  }

  async setClusterId(clusterId: string): Promise<void> {
    assertSameCluster(this.#meta.clusterId, clusterId)
    this.#meta.clusterId = clusterId
    await this.#meta.save()
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const shard of this.#shards.values()) shard.stop()
    await this.#cleaning
    await this.#writer.close()
    await this.#segmentFiles.close()
    for (const segment of this.#segments) await segment.file.close()
    this.#segments.length = 0
  }

  #open(shard: number): FileShard {
    const opened = new FileShard(shard, {
      writer: this.#writer, reader: this.#reader, chance: this.#chance, segments: this.#byNumber,
      onTrim: () => { this.#clean() }
    })
    this.#shards.set(shard, opened)
    return opened
  }

  #clean(): void {
    if (this.#cleaning !== null || this.#closed) return
    this.#cleaning = this.#cleanAll()
      .catch((error: unknown) => { this.#log.warn('journal segment not freed, tried again at the next trim', { error }) })
      .finally(() => { this.#cleaning = null })
  }

  async #cleanAll(): Promise<void> {
    for (;;) {
      const oldest = this.#segments[0]!
      if (this.#closed || oldest === this.#writer.segment || oldest.readers > 0 || oldest.damaged) return
      if (oldest.liveBytes > 0) {
        if (!this.#isWorthCopying()) return
        for (const shard of this.#shards.values()) await shard.copyForward(oldest)
        if (oldest.liveBytes > 0 || oldest.readers > 0) return
      }
      this.#segments.shift()
      this.#byNumber.delete(oldest.number)
      this.#reader.forget(oldest)
      await this.#segmentFiles.release(oldest)
    }
  }

  /** More than half of the sealed segments is of no use: each copy then frees more than it writes, on average. */
  #isWorthCopying(): boolean {
    const sealedCount = this.#segments.length - 1
    if (sealedCount <= SEALED_MIN) return false
    let [live, total] = [0, 0]
    for (let at = 0; at < sealedCount; at++) {
      live += this.#segments[at]!.liveBytes
      total += this.#segments[at]!.bytes
    }
    return live * 2 < total
  }
}
