/**
 * A broker for tests of the gateway: it leads every shard, gives out offsets, plans and reads, all in memory and at
 * once. `decide`, `canRead` and `canWait` are where a test makes it fail.
 */
import type { MemoryPool } from '#shared/binary/memory-pool.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { chunkKey, type Source } from '#shared/object/chunk-ref.ts'
import { AnswersWriter, forEachRow } from '#shared/rpc/commit-rows.ts'
import { CHUNK_STATUS, commitCall, type CommitRequest, type CommitResponse } from '#shared/rpc/commit.ts'
import {
  offsetsCall, planCall, readCall, type OffsetsRequest, type PlanRequest, type PlanResponse
} from '#shared/rpc/read.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'

type Planned = PlanResponse['partitions'][number]
type Run = Planned['runs'][number]
type Log = { nextOffset: number; readonly runs: Run[] }

export class BrokerTwin {
  readonly commits: CommitRequest[] = []
  readonly plans: PlanRequest[] = []
  readonly reads: string[] = []
  /** Takes the place of the leader's decision unless it returns null. */
  decide: (request: CommitRequest) => CommitResponse | Promise<CommitResponse> | null = () => null
  canRead: (key: string) => boolean = () => true
  /** A view that nothing proves to follow answers at once, and lets nobody wait. */
  canWait: (request: PlanRequest) => boolean = () => true
  readonly #store: ObjectStore
  readonly #memory: MemoryPool
  readonly #runtime: Runtime
  readonly #logs = new Map<string, Log>()
  readonly #answers = new Map<string, Uint8Array>()
  readonly #waiters = new Set<() => void>()

  constructor(transport: Transport, store: ObjectStore, memory: MemoryPool, runtime: Runtime) {
    this.#store = store
    this.#memory = memory
    this.#runtime = runtime
    transport.serve(commitCall, async (request) => {
      this.commits.push(request)
      return await this.decide(request) ?? this.commit(request)
    })
    transport.serve(planCall, (request, { signal }) => this.#plan(request, signal))
    transport.serve(readCall, async ({ source, chunkSeq, isAhead, ranges }) => {
      const key = chunkKey({ source, chunkSeq })
      this.reads.push(key)
      if (isAhead) return { response: { errorCodes: [] }, payload: [] }
      if (!this.canRead(key)) {
        return { response: { errorCodes: ranges.map(() => KAFKA_ERROR.KAFKA_STORAGE_ERROR) }, payload: [] }
      }
      const payload = await Promise.all(ranges.map((range) => this.#store.get(key, range, this.#memory)))
      return { response: { errorCodes: ranges.map(() => 0) }, payload }
    })
    transport.serve(offsetsCall, (request) => Promise.resolve(this.#offsets(request)))
  }

  get waiting(): number {
    return this.#waiters.size
  }

  /** What a healthy leader answers; the same chunk gets the same answers. */
  commit({ shard, source, chunks }: CommitRequest): CommitResponse {
    const answered = chunks.map(({ chunkSeq, rows }) => {
      const name = `${shard}/${source.nonce}/${chunkSeq}`
      const answers = this.#answers.get(name) ?? this.#append(source, chunkSeq, rows)
      this.#answers.set(name, answers)
      return { chunkSeq, status: CHUNK_STATUS.answered, answers }
    })
    for (const wake of [...this.#waiters]) wake()
    return { leader: 1, membershipVersion: 1, chunks: answered }
  }

  #append(source: Source, chunkSeq: number, rows: Uint8Array): Uint8Array {
    const writer = new AnswersWriter()
    let log: Log
    forEachRow(rows, (topicId, partition) => {
      log = this.#log(topicId, partition)
    }, (position, length, recordCount) => {
      const baseOffset = log.nextOffset
      log.nextOffset += recordCount
      writer.add(0, baseOffset, -1, 0)
      log.runs.push(
        { source, chunkSeq, position, length, baseOffset, endOffset: log.nextOffset, lengthBefore: 0, chunksBehind: 0 }
      )
    })
    return writer.finish()
  }

  #log(topicId: string, partition: number): Log {
    const key = `${topicId}/${partition}`
    let log = this.#logs.get(key)
    if (log === undefined) this.#logs.set(key, (log = { nextOffset: 0, runs: [] }))
    return log
  }

  #plan(request: PlanRequest, signal: AbortSignal): Promise<PlanResponse> {
    this.plans.push(request)
    const look = (): PlanResponse => ({ partitions: request.partitions.map((asked) => this.#planOne(asked)) })
    const isEnough = ({ partitions }: PlanResponse): boolean =>
      partitions.some(({ errorCode }) => errorCode !== 0) || bytesOf(partitions) >= request.minBytes
    if (request.waitMs === 0 || isEnough(look())) return Promise.resolve(look())
    if (!this.canWait(request)) return Promise.reject(new ZonewiseError('VIEW_STALE', 'view of a shard cannot follow'))
    return new Promise((resolve) => {
      const finish = (): void => { this.#waiters.delete(wake); cancel(); resolve(look()) }
      const wake = (): void => { if (isEnough(look())) finish() }
      const cancel = this.#runtime.timer.after(request.waitMs, finish)
      this.#waiters.add(wake)
      signal.addEventListener('abort', finish, { once: true })
    })
  }

  #planOne({ topicId, partition, fetchOffset, maxBytes }: PlanRequest['partitions'][number]): Planned {
    const { nextOffset, runs } = this.#log(topicId, partition)
    const errorCode = fetchOffset > nextOffset ? KAFKA_ERROR.OFFSET_OUT_OF_RANGE : 0
    const found: Run[] = []
    let bytes = 0
    for (const run of errorCode === 0 ? runs : []) {
      if (run.endOffset <= fetchOffset || bytes >= maxBytes) continue
      found.push(run)
      bytes += run.length
    }
    return {
      errorCode, highWatermark: nextOffset, lastStableOffset: nextOffset, logStartOffset: 0, runs: found, isCut: false
    }
  }

  #offsets({ partitions }: OffsetsRequest): { partitions: { errorCode: number; offset: number; timestamp: number }[] } {
    return { partitions: partitions.map(({ topicId, partition, timestamp }) => {
      const { nextOffset } = this.#log(topicId, partition)
      return { errorCode: 0, offset: timestamp === -1 ? nextOffset : timestamp === -2 ? 0 : -1, timestamp: -1 }
    }) }
  }
}

function bytesOf(partitions: readonly Planned[]): number {
  return partitions.reduce((sum, { runs }) => runs.reduce((bytes, { length }) => bytes + length, sum), 0)
}
