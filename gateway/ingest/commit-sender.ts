/**
 * Tells the leader of one shard about durable chunks, in order of chunkSeq, one request in flight: what becomes durable
 * meanwhile goes with the next. Whatever is not an answer means: the same chunk again, before any later one; only a
 * shard that is quarantined is given up, with all that waits for it: nothing of it is decided before a human has acted.
 */
import type { Membership } from '#shared/cluster/membership.ts'
import { leaderOf } from '#shared/cluster/placement.ts'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Log } from '#shared/log/log.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import type { Source } from '#shared/object/chunk-ref.ts'
import { COMMIT_ROWS, forEachAnswer } from '#shared/rpc/commit-rows.ts'
import { CHUNK_STATUS, commitCall, type CommitRequest, type CommitResponse } from '#shared/rpc/commit.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { IngestMetrics } from './metrics.ts'
import type { PendingBatch } from './open-chunk.ts'

export type CommitUnit = {
  readonly chunkSeq: number
  readonly checksum: number
  readonly rows: Uint8Array
  readonly batches: readonly PendingBatch[] // in the order of the rows
  readonly decided: () => void
}

export type CommitSenderParts = {
  readonly shard: number
  readonly source: Source
  readonly floor: () => number // of the source, over all shards
  /** The life of this gateway was closed: nothing of it will ever be decided again. */
  readonly onClosed: () => void
  readonly transport: Transport
  readonly membership: Membership
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics?: IngestMetrics
  readonly settings: { readonly commitWindow: number; readonly commitDeadlineMs: number }
}

const RETRY_FIRST_MS = 5
const RETRY_MAX_MS = 250
const QUARANTINE_MS = 1_000 // nothing is taken for a quarantined shard for so long: each try would leave a chunk behind

export class CommitSender {
  readonly #parts: CommitSenderParts
  readonly #metrics: IngestMetrics
  #queue: CommitUnit[] = []
  #sending = false
  #stopped = false
  #refusesUntilMs = -Infinity

  constructor(parts: CommitSenderParts) {
    this.#parts = parts
    this.#metrics = parts.metrics ?? new IngestMetrics(new Metrics(), '')
  }

  /** Queues a unit; units come in order of chunkSeq. Bounded by the bytes that the ingest lets in. */
  push(unit: CommitUnit): void {
    this.#queue.push(unit)
    if (!this.#sending) void this.#sendAll()
  }

  /** The oldest chunk that waits for its decision, or null. */
  get oldestSeq(): number | null {
    return this.#queue[0]?.chunkSeq ?? null
  }

  /** The leader said that the shard is quarantined: nothing should be taken for it now. */
  get refuses(): boolean {
    return this.#parts.runtime.clock.monotonicMs() < this.#refusesUntilMs
  }

  /** Asks no more: as a crash would. */
  stop(): void {
    this.#stopped = true
  }

  async #sendAll(): Promise<void> {
    this.#sending = true
    for (let failures = 0; this.#queue.length > 0 && !this.#stopped;) {
      failures = await this.#sendWindow() ? 0 : failures + 1
      if (failures > 0) await this.#backOff(failures)
    }
    this.#sending = false
  }

  /** Sends the oldest units and takes off those that were answered; false if the oldest was not. */
  async #sendWindow(): Promise<boolean> {
    const { source, shard, floor, settings } = this.#parts
    const units = this.#queue.slice(0, settings.commitWindow)
    const chunks = units.map(({ chunkSeq, checksum, rows }) => ({ chunkSeq, checksum, rows }))
    const response = await this.#ask({ shard, source, floor: floor(), chunks })
    if (response === null || this.#stopped) return false
    let answered = 0
    for (const chunk of response.chunks) {
      const unit = units[answered]
      if (unit === undefined || unit.chunkSeq !== chunk.chunkSeq || !this.#isDecided(unit, chunk)) break
      answered += 1
    }
    this.#queue = this.#queue.slice(answered)
    for (const [i, { status, answers }] of response.chunks.slice(0, answered).entries()) {
      if (status === CHUNK_STATUS.answered) answer(units[i]!, answers)
      else this.#refuse(units[i]!)
    }
    if (response.chunks.some(({ status }) => status === CHUNK_STATUS.closed)) this.#parts.onClosed()
    return answered > 0
  }

  async #ask(request: CommitRequest): Promise<CommitResponse | null> {
    const { shard, transport, membership, runtime: { clock }, log, settings } = this.#parts
    const leader = leaderOf(membership.current(), shard)
    const begunMs = clock.monotonicMs()
    try {
      const { response } = await transport.call(leader, commitCall, request, { deadlineMs: settings.commitDeadlineMs })
      this.#metrics.commitSeconds.observe((clock.monotonicMs() - begunMs) / 1_000)
      return response
    } catch (error) {
      if (!(error instanceof ZonewiseError)) throw error
      this.#metrics.commitFailures.add(1)
      if (error.code === 'SHARD_QUARANTINED') this.#giveUp()
      log.debug('commit not answered', { shard, leader, reason: explain(error) })
      return null
    }
  }

  #isDecided({ chunkSeq, batches }: CommitUnit, { status, answers }: CommitResponse['chunks'][number]): boolean {
    if (status !== CHUNK_STATUS.answered) return status === CHUNK_STATUS.refused || status === CHUNK_STATUS.closed
    if (answers.byteLength === batches.length * COMMIT_ROWS.answerBytes) return true
    this.#parts.log.error('leader answered other batches than were sent', { shard: this.#parts.shard, chunkSeq })
    return false
  }

  /** Waits longer each time, but not once the cluster has changed: another node may lead by now. */
  #backOff(failures: number): Promise<void> {
    const { membership, runtime: { timer, chance } } = this.#parts
    const longestMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 10))
    return new Promise((resolve) => {
      const finish = (): void => { cancel(); stopWatching(); resolve() }
      const cancel = timer.after(longestMs / 2 + chance.below(longestMs), finish)
      const stopWatching = membership.watch(finish)
    })
  }

  /** Fails all that waits: clients come again, and find the shard as it is then. */
  #giveUp(): void {
    this.#refusesUntilMs = this.#parts.runtime.clock.monotonicMs() + QUARANTINE_MS
    for (const unit of this.#queue.splice(0)) {
      for (const batch of unit.batches) batch.answer(KAFKA_ERROR.KAFKA_STORAGE_ERROR, -1, -1, -1)
      unit.decided()
    }
  }

  /**
   * The leader will never take this chunk, and cannot tell whether it once did: clients are told what they are told
   * when time is over.
   */
  #refuse(unit: CommitUnit): void {
    const { shard, log } = this.#parts
    log.error('leader refused a chunk for good', { shard, chunkSeq: unit.chunkSeq })
    for (const batch of unit.batches) batch.answer(KAFKA_ERROR.REQUEST_TIMED_OUT, -1, -1, -1)
    unit.decided()
  }
}

function answer({ batches, decided }: CommitUnit, answers: Uint8Array): void {
  let next = 0
  forEachAnswer(answers, (errorCode, baseOffset, logAppendTimeMs, logStartOffset) => {
    batches[next++]!.answer(errorCode, baseOffset, logAppendTimeMs, logStartOffset)
  })
  decided()
}
