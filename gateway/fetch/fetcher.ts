/**
 * Plans and reads for fetches: plans come from the zone's reader of each shard, bytes from the chunks that this node
 * wrote, else through the zone's cache. Nothing here ever talks to another zone.
 */
import { readerOfChunk, zoneReaderOf } from '#shared/cluster/placement.ts'
import type { Membership } from '#shared/cluster/membership.ts'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Log } from '#shared/log/log.ts'
import { sourceName } from '#shared/object/chunk-ref.ts'
import { planCall, readCall, type PlanRequest, type PlanResponse } from '#shared/rpc/read.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { LogCache } from '../ingest/log-cache.ts'

export type FetcherParts = {
  readonly zone: string
  readonly membership: Membership
  readonly transport: Transport
  readonly cache: LogCache
  readonly log: Log
  readonly settings: { readonly readDeadlineMs: number; readonly fetchReadsMax: number }
}

export type Planned = PlanResponse['partitions'][number]
export type Run = Planned['runs'][number]

const NOTHING = { highWatermark: -1, lastStableOffset: -1, logStartOffset: -1, runs: [] } as const
const PLAN_GRACE_MS = 5_000 // on top of what a plan may wait: then the reader is taken for dead

export class Fetcher {
  readonly #parts: FetcherParts

  constructor(parts: FetcherParts) {
    this.#parts = parts
  }

  /** Asks the zone's reader of a shard; what goes wrong is an error code of every partition asked. */
  async plan(request: PlanRequest, signal: AbortSignal): Promise<readonly Planned[]> {
    const { membership, transport, zone, log } = this.#parts
    try {
      const reader = zoneReaderOf(membership.current(), zone, request.shard)
      if (reader === null) throw new ZonewiseError('RPC_UNAVAILABLE', 'no broker in this zone', { zone })
      const options = { deadlineMs: request.waitMs + PLAN_GRACE_MS, signal }
      return (await transport.call(reader, planCall, request, options)).response.partitions
    } catch (error) {
      if (signal.aborted || !(error instanceof ZonewiseError)) throw error
      log.debug('plan failed', { shard: request.shard, reason: explain(error) })
      const isDamaged = error.code === 'SHARD_QUARANTINED'
      const errorCode = isDamaged ? KAFKA_ERROR.KAFKA_STORAGE_ERROR : KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER
      return request.partitions.map(() => ({ ...NOTHING, errorCode }))
    }
  }

  /**
   * Bytes of runs, in their order; null for one that cannot be read now. Runs of one chunk are read by one call.
   * Buffers belong to a cache: only the header patch may change them.
   */
  async read(runs: readonly Run[], signal: AbortSignal): Promise<(readonly Uint8Array[] | null)[]> {
    const { cache, settings } = this.#parts
    const found = runs.map((run) => cache.find(run, run.position, run.position + run.length))
    const missing = [...runs.entries()].filter(([i]) => found[i] === null)
    if (missing.length === 0) return found
    const chunks = [...Map.groupBy(missing, ([, run]) => `${sourceName(run.source)}/${run.chunkSeq}`)]
    let next = 0
    const readOn = async (): Promise<void> => {
      for (let chunk = chunks[next++]; chunk !== undefined; chunk = chunks[next++]) {
        const [name, wanted] = chunk
        const sorted = wanted.toSorted(([, a], [, b]) => a.position - b.position)
        const buffers = await this.#readChunk(name, sorted.map(([, run]) => run), signal)
        for (const [at, [i]] of sorted.entries()) found[i] = buffers === null ? null : [buffers[at]!]
      }
    }
    await Promise.all(Array.from({ length: Math.min(settings.fetchReadsMax, chunks.length) }, readOn))
    return found
  }

  async #readChunk(name: string, runs: readonly Run[], signal: AbortSignal): Promise<readonly Uint8Array[] | null> {
    const { membership, transport, zone, log, settings } = this.#parts
    const { source, chunkSeq } = runs[0]!
    try {
      const reader = readerOfChunk(membership.current(), zone, name)
      if (reader === null) throw new ZonewiseError('RPC_UNAVAILABLE', 'no broker in this zone', { zone })
      const ranges = runs.map(({ position, length }) => ({ start: position, end: position + length }))
      const options = { deadlineMs: settings.readDeadlineMs, signal }
      const { response, payload } = await transport.call(reader, readCall, { source, chunkSeq, ranges }, options)
      return response.errorCode === 0 && payload.length === runs.length ? payload : null
    } catch (error) {
      if (signal.aborted || !(error instanceof ZonewiseError)) throw error
      log.warn('chunk not read', { chunk: name, reason: explain(error) })
      return null
    }
  }
}
