/**
 * Plans and reads for fetches: plans come from the zone's reader of each shard, bytes from the chunks that this node
 * wrote, else through the zone's cache. Nothing here ever talks to another zone.
 */
import { releaseAll } from '#shared/binary/memory-pool.ts'
import { readerOfChunk, zoneReaderOf } from '#shared/cluster/placement.ts'
import type { Membership } from '#shared/cluster/membership.ts'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Log } from '#shared/log/log.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import { sourceName } from '#shared/object/chunk-ref.ts'
import { planCall, readCall, type PlanRequest, type PlanResponse, type ReadResponse } from '#shared/rpc/read.ts'
import type { Clock } from '#shared/runtime/runtime.ts'
import type { CallReply, Transport } from '#shared/transport/transport.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { LogCache } from '../ingest/log-cache.ts'
import { askZone } from '../zone/ask-zone.ts'
import { FetchMetrics } from './metrics.ts'
import { ReadersTold } from './readers-told.ts'

export type FetcherParts = {
  readonly zone: string
  readonly membership: Membership
  readonly transport: Transport
  readonly cache: LogCache
  readonly clock: Clock
  readonly log: Log
  readonly metrics?: FetchMetrics
  readonly settings: { readonly readDeadlineMs: number; readonly fetchReadsMax: number }
}

export type Planned = PlanResponse['partitions'][number]
export type Run = Planned['runs'][number]

const NOTHING = { highWatermark: -1, lastStableOffset: -1, logStartOffset: -1, runs: [], isCut: false } as const
const PLAN_GRACE_MS = 5_000 // on top of what a plan may wait: then the reader is taken for dead

export class Fetcher {
  readonly #parts: FetcherParts
  readonly #metrics: FetchMetrics
  readonly #told = new ReadersTold()

  constructor(parts: FetcherParts) {
    this.#parts = parts
    this.#metrics = parts.metrics ?? new FetchMetrics(new Metrics(), '')
  }

  /**
   * Asks the zone's reader of a shard; what goes wrong is an error code of every partition asked. Another reader than
   * before answers behind a barrier (as any does if `isFresh`), so that no client sees a high watermark go back.
   */
  async plan(request: PlanRequest, signal: AbortSignal): Promise<readonly Planned[]> {
    const { membership, transport, clock, zone, log } = this.#parts
    const { shard } = request
    const endMs = clock.monotonicMs() + request.waitMs
    try {
      return await askZone(
        (unreachable) => zoneReaderOf(membership.current(), zone, shard, unreachable),
        async (reader) => {
          const waitMs = Math.max(0, Math.ceil(endMs - clock.monotonicMs())) // the call has whole ones
          const ticket = this.#told.ask(shard, reader)
          const isFresh = request.isFresh || ticket.isFresh
          const options = { deadlineMs: waitMs + PLAN_GRACE_MS, signal }
          const { response } = await transport.call(reader, planCall, { ...request, waitMs, isFresh }, options)
          this.#told.answered(shard, reader, ticket)
          return response.partitions
        }
      )
    } catch (error) {
      if (signal.aborted || !(error instanceof ZonewiseError)) throw error
      this.#metrics.planFailures.add(1)
      log.debug('plan failed', { shard: request.shard, reason: explain(error) })
      const isDamaged = error.code === 'SHARD_QUARANTINED'
      const errorCode = isDamaged ? KAFKA_ERROR.KAFKA_STORAGE_ERROR : KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER
      return request.partitions.map(() => ({ ...NOTHING, errorCode }))
    }
  }

  /**
   * Bytes of runs, in their order, held; null for one that cannot be read now. Runs of one chunk are read by one call.
   * Buffers belong to a cache: only the header patch may change them. @throws the signal's reason
   */
  async read(runs: readonly Run[], signal: AbortSignal): Promise<(readonly Uint8Array[] | null)[]> {
    const { cache, settings } = this.#parts
    const found = runs.map((run) => cache.find(run, run.position, run.position + run.length))
    this.#metrics.ownBytes.add(runs.reduce((sum, { length }, i) => sum + (found[i] === null ? 0 : length), 0))
    const chunks = byChunk([...runs.entries()].filter(([i]) => found[i] === null))
    if (chunks.length === 0) return found
    let next = 0
    const readOn = async (): Promise<void> => {
      for (let wanted = chunks[next++]; wanted !== undefined; wanted = chunks[next++]) {
        const buffers = await this.#readChunk(wanted.map(([, run]) => run), signal)
        for (const [at, [i, { length }]] of wanted.entries()) {
          const buffer = buffers[at]
          found[i] = buffer === undefined ? null : [buffer]
          if (buffer === undefined) this.#metrics.readFailures.add(1)
          else this.#metrics.zoneBytes.add(length)
        }
      }
    }
    const ends = await Promise.allSettled(Array.from({ length: Math.min(settings.fetchReadsMax, chunks.length) }, readOn))
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed === undefined) return found
    for (const buffers of found) releaseAll(buffers ?? [])
    throw failed.reason
  }

  /** Has the zone read what a fetch will want next. */
  readAhead(runs: readonly Run[]): void {
    const { cache, log } = this.#parts
    for (const wanted of byChunk([...runs.entries()].filter(([, run]) => !cache.has(run)))) {
      this.#ask(wanted.map(([, run]) => run), { isAhead: true }).catch((error: unknown) => {
        if (!(error instanceof ZonewiseError)) throw error
        log.debug('chunk not read ahead', { reason: explain(error) })
      })
    }
  }

  /** One buffer a run, held; undefined for one that cannot be read now. */
  async #readChunk(runs: readonly Run[], signal: AbortSignal): Promise<(Uint8Array | undefined)[]> {
    try {
      const { response: { errorCodes }, payload } = await this.#ask(runs, { isAhead: false, signal })
      const isWhole = errorCodes.length === runs.length && payload.length === errorCodes.filter((code) => code === 0).length
      if (!isWhole) {
        releaseAll(payload)
        throw new ZonewiseError('RPC_UNAVAILABLE', 'answer does not fit the question', { asked: runs.length })
      }
      let next = 0
      return runs.map((_, i) => (errorCodes[i] === 0 ? payload[next++] : undefined))
    } catch (error) {
      if (signal.aborted || !(error instanceof ZonewiseError)) throw error
      this.#parts.log.warn('chunk not read', { chunk: chunkName(runs[0]!), reason: explain(error) })
      return []
    }
  }

  /** Asks the owner of a chunk in the zone for runs of it. */
  async #ask(
    runs: readonly Run[], { isAhead, signal }: { readonly isAhead: boolean; readonly signal?: AbortSignal }
  ): Promise<CallReply<ReadResponse>> {
    const { membership, transport, zone, settings } = this.#parts
    const { source, chunkSeq } = runs[0]!
    const name = chunkName(runs[0]!)
    const ranges = runs.map(({ position, length }) => ({ start: position, end: position + length }))
    const chunksBehind = runs.reduce((least, run) => Math.min(least, run.chunksBehind), Infinity)
    const options = { deadlineMs: settings.readDeadlineMs, ...(signal === undefined ? {} : { signal }) }
    return askZone(
      (unreachable) => readerOfChunk(membership.current(), zone, name, unreachable),
      (reader) => transport.call(reader, readCall, { source, chunkSeq, chunksBehind, isAhead, ranges }, options)
    )
  }
}

/** Groups runs, which keep their number, by chunk; those of one by position. */
function byChunk(runs: readonly (readonly [number, Run])[]): (readonly [number, Run])[][] {
  const groups = [...Map.groupBy(runs, ([, run]) => chunkName(run)).values()]
  for (const group of groups) group.sort(([, a], [, b]) => a.position - b.position)
  return groups
}

function chunkName({ source, chunkSeq }: Run): string {
  return `${sourceName(source)}/${chunkSeq}`
}
