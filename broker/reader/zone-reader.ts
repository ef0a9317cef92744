/**
 * Serves the reads of a zone: plans with long polls, offsets, and chunk bytes through the zone's cache. No client is ever
 * sent back by a view that lags: what the view does not know is told only after a barrier.
 */
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Log } from '#shared/log/log.ts'
import { chunkKey } from '#shared/object/chunk-ref.ts'
import { offsetsCall, planCall, readCall, type OffsetsRequest, type OffsetsResponse, type PlanRequest, type PlanResponse } from '#shared/rpc/read.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { Transport } from '#shared/transport/transport.ts'
import type { BlockCache } from '../cache/block-cache.ts'
import type { ShardView, ShardViews } from '../shard/shard-view.ts'
import { lookUpOffset } from './offset-lookup.ts'
import { planPartition, type PartitionPlan } from './plan-partition.ts'
import { ViewWaiters } from './view-waiters.ts'

export type ZoneReaderParts = {
  readonly views: ShardViews
  readonly transport: Transport
  readonly cache: BlockCache
  readonly runtime: Runtime
  readonly log: Log
  readonly settings: { readonly waitersMax: number }
}

export class ZoneReader {
  readonly #parts: ZoneReaderParts
  readonly #waiters = new WeakMap<ShardView, ViewWaiters>()
  #waiting = 0

  constructor(parts: ZoneReaderParts) {
    this.#parts = parts
    const { transport, cache, log } = parts
    transport.serve(planCall, (request, { signal }) => this.#plan(request, signal))
    transport.serve(offsetsCall, (request) => this.#offsets(request))
    transport.serve(readCall, async ({ source, chunkSeq, ranges }) => {
      const key = chunkKey({ source, chunkSeq })
      try {
        return { response: { errorCode: 0 }, payload: await cache.read(key, ranges) }
      } catch (error) {
        if (!(error instanceof ZonewiseError)) throw error
        if (error.code === 'STORE_UNAVAILABLE') log.warn('chunk not read', { key, reason: explain(error) }) // it is asked for again
        else if (error.code !== 'OVERLOADED') log.error('chunk cannot be read', { key, reason: explain(error) })
        return { response: { errorCode: error.kafkaCode }, payload: [] }
      }
    })
  }

  async #plan(request: PlanRequest, signal: AbortSignal): Promise<PlanResponse> {
    const view = await this.#parts.views.view(request.shard)
    const look = (): PartitionPlan[] => request.partitions.map((asked) => planPartition(view.state, view.index, asked))
    let plans = look()
    if (plans.some(({ doubtful }) => doubtful)) {
      await view.barrier()
      plans = look()
    }
    if (request.waitMs === 0 || isEnough(plans, request.minBytes)) return answer(plans)
    return this.#wait(view, request, look, signal)
  }

  async #wait(view: ShardView, request: PlanRequest, look: () => PartitionPlan[], signal: AbortSignal): Promise<PlanResponse> {
    const { runtime, settings } = this.#parts
    if (this.#waiting >= settings.waitersMax) throw new ZonewiseError('OVERLOADED', 'too many long polls', { setting: 'waitersMax', max: settings.waitersMax })
    this.#waiting += 1
    view.touch(request.waitMs) // else it might stop following under the one that waits
    try {
      let plans = look()
      await new Promise<void>((resolve) => {
        const finish = (): void => {
          stopWaiting()
          cancelTimer()
          signal.removeEventListener('abort', finish)
          resolve()
        }
        const onNews = (): void => {
          plans = look()
          if (isEnough(plans, request.minBytes)) finish()
        }
        const stopWaiting = this.#waitersOf(view).wait(plans.map(({ localId }) => localId), onNews)
        const cancelTimer = runtime.timer.after(request.waitMs, finish)
        signal.addEventListener('abort', finish, { once: true })
        if (signal.aborted) finish()
      })
      view.touch()
      return answer(look())
    } finally {
      this.#waiting -= 1
    }
  }

  #waitersOf(view: ShardView): ViewWaiters {
    let waiters = this.#waiters.get(view)
    if (waiters === undefined) this.#waiters.set(view, (waiters = new ViewWaiters(view)))
    return waiters
  }

  async #offsets(request: OffsetsRequest): Promise<OffsetsResponse> {
    const view = await this.#parts.views.view(request.shard)
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

function isEnough(plans: readonly PartitionPlan[], minBytes: number): boolean {
  let bytes = 0
  for (const plan of plans) {
    if (plan.planned.errorCode !== 0) return true
    bytes += plan.bytes
  }
  return bytes >= minBytes
}

function answer(plans: readonly PartitionPlan[]): PlanResponse {
  return { partitions: plans.map(({ planned }) => planned) }
}
