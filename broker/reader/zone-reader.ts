/**
 * Serves the reads of a zone: plans with long polls, offsets, and chunk bytes through the zone's cache. No client is ever
 * sent back by a view that lags: what the view does not know is told only after a barrier.
 */
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Log } from '#shared/log/log.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import { chunkKey } from '#shared/object/chunk-ref.ts'
import {
  offsetsCall, planCall, readCall, type OffsetsRequest, type OffsetsResponse, type PlanRequest, type PlanResponse,
  type ReadRequest, type ReadResponse
} from '#shared/rpc/read.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { Transport } from '#shared/transport/transport.ts'
import type { BlockCache } from '../cache/block-cache.ts'
import type { ShardView, ShardViews } from '../shard/shard-view.ts'
import { ReaderMetrics } from './metrics.ts'
import { lookUpOffset } from './offset-lookup.ts'
import { RequestPlans } from './request-plans.ts'
import { ViewWaiters } from './view-waiters.ts'

export type ZoneReaderParts = {
  readonly views: ShardViews
  readonly transport: Transport
  readonly cache: BlockCache
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics?: ReaderMetrics
  readonly settings: {
    readonly waitersMax: number
    readonly planRunsMax: number
    readonly readAheadBytes: number
    readonly viewStaleMs: number
  }
}

export class ZoneReader {
  readonly #parts: ZoneReaderParts
  readonly #metrics: ReaderMetrics
  readonly #waiters = new WeakMap<ShardView, ViewWaiters>()
  #waiting = 0

  constructor(parts: ZoneReaderParts) {
    this.#parts = parts
    this.#metrics = parts.metrics ?? new ReaderMetrics(new Metrics(), '')
    this.#metrics.watch(() => this.#waiting)
    const { transport } = parts
    transport.serve(planCall, (request, { signal }) => this.#plan(request, signal))
    transport.serve(offsetsCall, (request) => this.#offsets(request))
    transport.serve(readCall, (request) => this.#read(request))
  }

  async #plan(request: PlanRequest, signal: AbortSignal): Promise<PlanResponse> {
    const { views, cache, settings: { planRunsMax, readAheadBytes } } = this.#parts
    const view = await views.view(request.shard)
    const limits = { runsMax: planRunsMax, chunksAtTail: cache.chunksAtTail, aheadBytes: readAheadBytes }
    const plans = new RequestPlans(view, request, limits)
    this.#metrics.plans.add(1)
    if (request.isFresh || plans.isDoubtful) {
      this.#metrics.barriers.add(1)
      await view.barrier()
      plans.lookAtAll()
    }
    if (request.waitMs > 0 && !plans.isEnough) {
      this.#checkAge(view)
      await this.#untilEnough(view, plans, request.waitMs, signal)
      view.touch()
    }
    return plans.response
  }

  /** News cannot be told from silence where nothing proves that the view follows. @throws ZonewiseError VIEW_STALE */
  #checkAge({ shard, ageMs }: ShardView): void {
    const { viewStaleMs } = this.#parts.settings
    if (ageMs > viewStaleMs) throw new ZonewiseError('VIEW_STALE', 'view of a shard cannot follow', { shard, ageMs, viewStaleMs })
  }

  async #untilEnough(view: ShardView, plans: RequestPlans, waitMs: number, signal: AbortSignal): Promise<void> {
    const { runtime, settings: { waitersMax } } = this.#parts
    if (this.#waiting >= waitersMax)
      throw new ZonewiseError('OVERLOADED', 'too many long polls', { setting: 'waitersMax', max: waitersMax })
    this.#waiting += 1
    view.touch(waitMs) // else it might stop following under the one that waits
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        stopWaiting()
        cancelTimer()
        signal.removeEventListener('abort', finish)
        resolve()
      }
      const stopWaiting = this.#waitersOf(view).wait(plans.localIds, (changed) => {
        plans.lookAt(changed)
        if (plans.isEnough) finish()
      })
      const cancelTimer = runtime.timer.after(waitMs, finish)
      signal.addEventListener('abort', finish, { once: true })
      if (signal.aborted) finish()
    })
    this.#waiting -= 1
  }

  #waitersOf(view: ShardView): ViewWaiters {
    let waiters = this.#waiters.get(view)
    if (waiters === undefined) this.#waiters.set(view, (waiters = new ViewWaiters(view)))
    return waiters
  }

  async #read(request: ReadRequest): Promise<{ response: ReadResponse; payload: Uint8Array[] }> {
    const { source, chunkSeq, ranges, chunksBehind, isAhead } = request
    const { cache } = this.#parts
    const key = chunkKey({ source, chunkSeq })
    if (isAhead) {
      cache.readAhead(key, ranges, chunksBehind)
      return { response: { errorCodes: [] }, payload: [] }
    }
    const payload: Uint8Array[] = []
    const errors = new Map<string, ZonewiseError>()
    const errorCodes = (await Promise.allSettled(cache.read(key, ranges, chunksBehind))).map((read) => {
      if (read.status === 'fulfilled') {
        payload.push(read.value)
        return 0
      }
      const error: unknown = read.reason
      if (!(error instanceof ZonewiseError)) throw error
      errors.set(error.code, error)
      return error.kafkaCode
    })
    for (const error of errors.values()) this.#logUnread(key, error)
    return { response: { errorCodes }, payload }
  }

  #logUnread(key: string, error: ZonewiseError): void {
    const { log } = this.#parts
    if (error.code === 'STORE_UNAVAILABLE') log.warn('chunk not read', { key, reason: explain(error) }) // it is asked for again
    else if (error.code !== 'OVERLOADED') log.error('chunk cannot be read', { key, reason: explain(error) })
  }

  async #offsets(request: OffsetsRequest): Promise<OffsetsResponse> {
    const view = await this.#parts.views.view(request.shard)
    this.#metrics.barriers.add(1)
    await view.barrier()
    return { partitions: await Promise.all(request.partitions.map(async (asked) => {
      try {
        return await lookUpOffset(view, this.#parts.cache, asked)
      } catch (error) {
        if (!(error instanceof ZonewiseError)) throw error
        this.#parts.log.warn('offset not looked up', { shard: request.shard, reason: explain(error) })
        return { errorCode: error.kafkaCode, offset: -1, timestamp: -1 }
      }
    })) }
  }
}
