/**
 * Tells the leader of one shard about durable chunks, in order of chunkSeq, one request in flight: what becomes durable
 * meanwhile goes with the next. Whatever is not an answer means: the same chunk again, before any later one.
 */
import type { Membership } from '#shared/cluster/membership.ts'
import { leaderOf } from '#shared/cluster/placement.ts'
import { explain } from '#shared/errors/zonewise-error.ts'
import type { Log } from '#shared/log/log.ts'
import type { Source } from '#shared/object/chunk-ref.ts'
import { forEachAnswer } from '#shared/rpc/commit-rows.ts'
import { CHUNK_STATUS, commitCall } from '#shared/rpc/commit.ts'
import { sleep, type Runtime } from '#shared/runtime/runtime.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { PlacedBatch } from './open-chunk.ts'

export type CommitUnit = {
  readonly chunkSeq: number
  readonly checksum: number
  readonly rows: Uint8Array
  readonly batches: readonly PlacedBatch[] // in the order of the rows
  readonly decided: () => void
}

export type CommitSenderParts = {
  readonly shard: number
  readonly source: Source
  readonly transport: Transport
  readonly membership: Membership
  readonly runtime: Runtime
  readonly log: Log
  readonly settings: { readonly commitWindow: number; readonly commitDeadlineMs: number }
}

const RETRY_FIRST_MS = 5
const RETRY_MAX_MS = 250

export class CommitSender {
  readonly #parts: CommitSenderParts
  #queue: CommitUnit[] = []
  #sending = false
  #stopped = false

  constructor(parts: CommitSenderParts) {
    this.#parts = parts
  }

  /** Queues a unit; units come in order of chunkSeq. Bounded by the bytes that the ingest lets in. */
  push(unit: CommitUnit): void {
    this.#queue.push(unit)
    if (!this.#sending) void this.#sendAll()
  }

  /** Asks no more: as a crash would. */
  stop(): void {
    this.#stopped = true
  }

  async #sendAll(): Promise<void> {
    this.#sending = true
    for (let failures = 0; this.#queue.length > 0 && !this.#stopped;) {
      const decided = await this.#sendWindow()
      failures = decided ? 0 : failures + 1
      if (!decided) await sleep(this.#parts.runtime.timer, Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 10)))
    }
    this.#sending = false
  }

  /** Sends the oldest units and takes off those that were answered; false if the oldest was not. */
  async #sendWindow(): Promise<boolean> {
    const { shard, source, transport, membership, log, settings } = this.#parts
    const units = this.#queue.slice(0, settings.commitWindow)
    const leader = leaderOf(membership.current(), shard)
    try {
      const request = { shard, source, chunks: units.map(({ chunkSeq, checksum, rows }) => ({ chunkSeq, checksum, rows })) }
      const { response } = await transport.call(leader, commitCall, request, { deadlineMs: settings.commitDeadlineMs })
      let answered = 0
      for (const { chunkSeq, status, answers } of response.chunks) {
        const unit = units[answered]
        if (unit === undefined || unit.chunkSeq !== chunkSeq || (status !== CHUNK_STATUS.answered && status !== CHUNK_STATUS.refused)) break
        answered += 1
        if (status === CHUNK_STATUS.refused) this.#refuse(unit)
        else answer(unit, answers)
      }
      this.#queue = this.#queue.slice(answered)
      return answered > 0
    } catch (error) {
      log.debug('commit not answered', { shard, leader, reason: explain(error) })
      return false
    }
  }

  /** The leader will never take this chunk: its clients ask again, through a source that is taken. */
  #refuse(unit: CommitUnit): void {
    const { shard, log } = this.#parts
    log.error('leader refused a chunk for good', { shard, chunkSeq: unit.chunkSeq })
    for (const { batch } of unit.batches) batch.answer(KAFKA_ERROR.REQUEST_TIMED_OUT, -1, -1, -1)
    unit.decided()
  }
}

function answer(unit: CommitUnit, answers: Uint8Array): void {
  let next = 0
  forEachAnswer(answers, (errorCode, baseOffset, logAppendTimeMs, logStartOffset) => {
    unit.batches[next++]?.batch.answer(errorCode, baseOffset, logAppendTimeMs, logStartOffset)
  })
  unit.decided()
}
