/**
 * Fetch, without sessions (session id 0: PROTOCOL 30): plans at once; if that is too little, waits at the zone's
 * readers of all shards asked for and plans again when one of them has news (PROTOCOL 27-29). Payload goes out by
 * reference.
 */
import { shardOfPartition } from '#shared/cluster/placement.ts'
import type { TopicInfo } from '#shared/cluster/catalog-reader.ts'
import { releaseAll } from '#shared/binary/memory-pool.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { LogFields } from '#shared/log/log.ts'
import { chunkKey } from '#shared/object/chunk-ref.ts'
import { FETCH_TAGS_NONE, type FetchRequest, type FetchResponse } from '#shared/wire/api/fetch.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { LATELY_MS } from '../fetch/fetched-lately.ts'
import type { Planned, Run } from '../fetch/fetcher.ts'
import { storedOf, type TakenRun } from '../fetch/read-again.ts'
import { takeBatches } from '../fetch/run-bytes.ts'
import { authorize, throttle, type GatewayServices, type Handler, type RequestContext } from './handler.ts'
import { checkNamed } from './request-bounds.ts'
import { findTopics } from './topic-lookup.ts'

type Asked = FetchRequest['topics'][number]['partitions'][number]
type PartitionAnswer = FetchResponse['responses'][number]['partitions'][number]
type Wanted = {
  readonly topicId: string; readonly shard: number; readonly asked: Asked; planned: Planned | null; errorCode: number
  readonly isNew: boolean // the client may have been shown more elsewhere
}

const READ_COMMITTED = 1
const FULL_EPOCHS: readonly number[] = [0, -1] // a session's creation and its end; both name all partitions
const ZSTD_SINCE = 10

export const handleFetch: Handler<FetchRequest, FetchResponse> = async (context, version, request, services) => {
  checkNamed(services, request.topics.reduce((count, { partitions }) => count + 1 + partitions.length, 0))
  if (request.rackId !== '') context.claimRack(request.rackId)
  // A session is refused by answering 0 to its creation; going on with one that was never given out is an error.
  if (!FULL_EPOCHS.includes(request.sessionEpoch))
    return { throttleTimeMs: 0, errorCode: KAFKA_ERROR.FETCH_SESSION_ID_NOT_FOUND, sessionId: 0, responses: [] }
  if (context.mustMove) return refuseAll(request, KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER)
  const { topics, fresh } = await findTopics(services, request.topics.map(({ topic, partitions }) => ({
    name: topic, topicId: null, partitionCount: partitions.reduce((count, { partition }) => Math.max(count, partition + 1), 0)
  })))
  const wanted = request.topics.map(({ topic: name, partitions }, t) => {
    const allowed = authorize(context, 'read', { type: 'topic', name })
    return partitions.map((asked) => want(context, services, asked, { topic: topics[t] ?? null, allowed, fresh }))
  })
  const limited = { ...request, maxBytes: Math.min(request.maxBytes, services.settings.fetchBytesMax) }
  await new Poll(context, limited, services, wanted.flat()).run()
  const maxBytes = await takeRoom(context, limited, services, wanted.flat())
  const records = await readAll({ context, version, maxBytes, services, wanted: wanted.flat() })
  noteFetched(context, wanted.flat(), services.runtime.clock.monotonicMs())
  const aborted = request.isolationLevel === READ_COMMITTED ? [] : null
  return {
    throttleTimeMs: throttle(context, 0), errorCode: 0, sessionId: 0,
    responses: request.topics.map(({ topic }, t) => ({
      topic, partitions: (wanted[t] ?? []).map((one) => toAnswer(one, version, records.get(one) ?? null, aborted))
    }))
  }
}

function refuseAll({ topics, isolationLevel }: FetchRequest, errorCode: number): FetchResponse {
  const aborted = isolationLevel === READ_COMMITTED ? [] : null
  return {
    throttleTimeMs: 0, errorCode: 0, sessionId: 0,
    responses: topics.map(({ topic, partitions }) => ({
      topic, partitions: partitions.map((asked) => refusal(asked.partition, errorCode, aborted))
    }))
  }
}

function refusal(partitionIndex: number, errorCode: number, abortedTransactions: readonly never[] | null): PartitionAnswer {
  return {
    ...FETCH_TAGS_NONE, partitionIndex, errorCode, highWatermark: -1, lastStableOffset: -1, logStartOffset: -1,
    abortedTransactions, preferredReadReplica: -1, records: EMPTY
  }
}

type Looked = { readonly topic: TopicInfo | null; readonly allowed: boolean; readonly fresh: boolean }

function want(
  { fetchedLately }: RequestContext, { membership, runtime }: GatewayServices, asked: Asked, { topic, allowed, fresh }: Looked
): Wanted {
  const topicId = topic?.topicId ?? ''
  const known = topic !== null && asked.partition >= 0 && asked.partition < topic.readyPartitionCount
  const errorCode = !allowed ? KAFKA_ERROR.TOPIC_AUTHORIZATION_FAILED
    : known ? 0 : fresh ? KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION : KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER
  const shard = known ? shardOfPartition(topicId, asked.partition, membership.current().shardCount) : -1
  const isNew = !fetchedLately.has(topicId, asked.partition, runtime.clock.monotonicMs())
  return { topicId, shard, asked, planned: null, errorCode, isNew }
}

function noteFetched({ fetchedLately }: RequestContext, wanted: readonly Wanted[], nowMs: number): void {
  for (const { topicId, asked, planned, errorCode } of wanted)
    if (errorCode === 0 && planned?.errorCode === 0) fetchedLately.add(topicId, asked.partition, nowMs)
}

/** The long poll of one request. */
class Poll {
  readonly #context: RequestContext
  readonly #request: FetchRequest
  readonly #services: GatewayServices
  readonly #wanted: readonly Wanted[]
  readonly #byShard: Map<number, Wanted[]>

  constructor(context: RequestContext, request: FetchRequest, services: GatewayServices, wanted: readonly Wanted[]) {
    this.#context = context
    this.#request = request
    this.#services = services
    this.#wanted = wanted
    this.#byShard = Map.groupBy(wanted.filter(({ errorCode }) => errorCode === 0), ({ shard }) => shard)
  }

  async run(): Promise<void> {
    const { clock } = this.#services.runtime
    const endMs = clock.monotonicMs() + this.#request.maxWaitMs
    const shards = [...this.#byShard.keys()]
    await Promise.all(shards.map((shard) => this.#plan(shard, 0, this.#context.signal, this.#isNew(shard))))
    while (!this.#enough()) {
      const waitMs = Math.ceil(endMs - clock.monotonicMs())
      const isOver = waitMs <= 0 || this.#context.signal.aborted || this.#services.clientZones.leaving.aborted
      if (isOver || shards.length === 0) break
      await this.#awaitNews(shards, waitMs)
    }
    // This process stood still meanwhile: its client may have been elsewhere, and be shown this answer after all.
    if (clock.monotonicMs() - endMs > LATELY_MS)
      await Promise.all(shards.map((shard) => this.#plan(shard, 0, this.#context.signal, true)))
  }

  /** Whether the client may have been shown more of a shard, by another gateway, than this zone's reader knows. */
  #isNew(shard: number): boolean {
    return (this.#byShard.get(shard) ?? []).some(({ isNew }) => isNew)
  }

  #enough(): boolean {
    if (this.#wanted.length === 0) return true
    const { minBytes, maxBytes } = this.#request
    if (this.#wanted.some(({ errorCode, planned }) => errorCode !== 0 || planned === null || isLast(planned))) return true
    return plannedBytes(this.#wanted) >= Math.min(minBytes, maxBytes)
  }

  async #planAll(shards: readonly number[]): Promise<void> {
    await Promise.all(shards.map((shard) => this.#plan(shard, 0, this.#context.signal)))
  }

  /**
   * Waits until one shard has more than was planned, then looks at the others as they are. One that lets nobody wait is
   * the answer: looked at again it would seem well, and be asked for news without end.
   */
  async #awaitNews(shards: readonly number[], waitMs: number): Promise<void> {
    const { signal: gone } = this.#context
    const others = new AbortController()
    const onGone = (): void => { others.abort(new ZonewiseError('STOPPING', 'nobody waits here any more')) }
    const { leaving } = this.#services.clientZones // answered now: the next one is told where to go
    gone.addEventListener('abort', onGone, { once: true })
    leaving.addEventListener('abort', onGone, { once: true })
    try {
      await Promise.race(shards.map((shard) => this.#plan(shard, waitMs, others.signal)))
    } finally {
      gone.removeEventListener('abort', onGone)
      leaving.removeEventListener('abort', onGone)
      others.abort(new ZonewiseError('RPC_TIMED_OUT', 'another shard had news'))
    }
    if (shards.length > 1 && !this.#wanted.some(isRefused)) await this.#planAll(shards)
  }

  /** What one shard must have more at least before all together can have enough. */
  #shareMissing(): number {
    const { minBytes, maxBytes } = this.#request
    return Math.max(1, Math.ceil((Math.min(minBytes, maxBytes) - plannedBytes(this.#wanted)) / this.#byShard.size))
  }

  async #plan(shard: number, waitMs: number, signal: AbortSignal, isFresh = false): Promise<void> {
    const wanted = this.#byShard.get(shard) ?? []
    const { isolationLevel, maxBytes } = this.#request
    const planned = await this.#services.fetcher.plan({
      shard, waitMs, isFresh, minBytes: waitMs === 0 ? 0 : plannedBytes(wanted) + this.#shareMissing(), isolationLevel,
      partitions: wanted.map(({ topicId, asked }) => ({
        topicId, partition: asked.partition, fetchOffset: asked.fetchOffset, currentLeaderEpoch: asked.currentLeaderEpoch,
        maxBytes: Math.max(1, Math.min(asked.partitionMaxBytes, maxBytes))
      }))
    }, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
      return null // given up because something else woke the request: what was planned before stays
    })
    planned?.forEach((one, i) => { wanted[i]!.planned = one })
  }
}

function isRefused({ planned }: Wanted): boolean {
  return planned !== null && planned.errorCode !== 0
}

/** Waiting longer would bring no more. */
function isLast({ errorCode, isCut }: Planned): boolean {
  return errorCode !== 0 || isCut
}

function plannedBytes(wanted: readonly Wanted[]): number {
  let bytes = 0
  for (const { planned } of wanted) for (const { length, lengthBefore } of planned?.runs ?? []) bytes += length - lengthBefore
  return bytes
}

/** Room for the answer, in bytes: less than was asked for where clients leave much unread. */
async function takeRoom(
  context: RequestContext, { maxBytes }: FetchRequest, { answerBytes }: GatewayServices, wanted: readonly Wanted[]
): Promise<number> {
  const bytes = plannedBytes(wanted)
  if (bytes === 0) return maxBytes
  const room = await answerBytes.take(Math.min(bytes, maxBytes), context.signal)
  context.afterwards(() => { answerBytes.add(-room) })
  return Math.min(maxBytes, room)
}

type Reading = {
  readonly context: RequestContext; readonly version: number; readonly maxBytes: number
  readonly services: GatewayServices; readonly wanted: readonly Wanted[]
}

/** Reads what fits the request, in the order of its partitions: the first that has data gets at least one batch. */
async function readAll({ context, version, maxBytes, services, wanted }: Reading): Promise<Map<Wanted, Uint8Array[]>> {
  const { chosen, ahead } = chooseRuns(wanted, maxBytes)
  const reading = services.fetcher.read(chosen.map(({ run }) => run), context.signal)
  if (ahead.length > 0) services.fetcher.readAhead(ahead)
  const buffers = await reading
  context.afterwards(() => { for (const held of buffers) releaseAll(held ?? []) })
  const runs: TakenRun[] = []
  context.mayReadAgain((chunk) => storedOf(chunk, runs, services.fetcher, context.signal))
  const records = new Map<Wanted, Uint8Array[]>()
  const stopped = new Set<Wanted>() // order inside a partition: nothing behind a cut or a gap
  let left = maxBytes
  for (const [i, { one, run }] of chosen.entries()) {
    if (stopped.has(one)) continue
    const slices = records.get(one) ?? []
    records.set(one, slices)
    const used = slices.reduce((sum, { byteLength }) => sum + byteLength, 0)
    const bytesMax = Math.min(left, one.asked.partitionMaxBytes - used)
    const limits = { bytesMax, atLeastOne: left === maxBytes, zstdAllowed: version >= ZSTD_SINCE }
    const taken = buffers[i] == null ? UNREADABLE : takeBatches({ ...run, buffers: buffers[i] }, one.asked.fetchOffset, limits)
    if (taken.bytes > 0) runs.push({ run, taken })
    for (const slice of taken.slices) slices.push(slice)
    left -= taken.bytes
    if (taken.end === 'all') continue
    stopped.add(one)
    if (taken.end === 'not of the run') services.log.error('bytes of a chunk are not what the index says', factsOf(run))
    if (taken.end !== 'full' && used + taken.bytes === 0) one.errorCode = ERROR_OF_END[taken.end]
  }
  return records
}

const UNREADABLE = { slices: [], start: 0, bytes: 0, end: 'unreadable' } as const
const ERROR_OF_END = {
  unreadable: KAFKA_ERROR.KAFKA_STORAGE_ERROR, 'not of the run': KAFKA_ERROR.KAFKA_STORAGE_ERROR,
  'zstd not allowed': KAFKA_ERROR.UNSUPPORTED_COMPRESSION_TYPE
} as const

/** What the request has room for, by whole runs, and what else was planned: to be read ahead. */
function chooseRuns(
  wanted: readonly Wanted[], bytesMax: number
): { readonly chosen: readonly { readonly one: Wanted; readonly run: Run }[]; readonly ahead: readonly Run[] } {
  const chosen: { readonly one: Wanted; readonly run: Run }[] = []
  const ahead: Run[] = []
  let left = bytesMax
  for (const one of wanted) {
    let leftOfOne = one.asked.partitionMaxBytes
    for (const run of one.planned?.runs ?? []) {
      const isFirst = chosen.length === 0
      if (!isFirst && (left <= 0 || leftOfOne <= 0)) {
        ahead.push(run)
        continue
      }
      chosen.push({ one, run })
      left -= run.length - run.lengthBefore
      leftOfOne -= run.length - run.lengthBefore
    }
  }
  return { chosen, ahead }
}

function factsOf({ source, chunkSeq, position, length, baseOffset, endOffset }: Run): LogFields {
  return { chunk: chunkKey({ source, chunkSeq }), position, length, baseOffset, endOffset }
}

function toAnswer(
  { asked, planned, errorCode }: Wanted, version: number, records: Uint8Array[] | null, aborted: readonly never[] | null
): PartitionAnswer {
  const code = errorCode !== 0 ? errorCode : planned?.errorCode ?? KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER
  return {
    ...FETCH_TAGS_NONE, partitionIndex: asked.partition,
    // Fetch up to 5 does not know KAFKA_STORAGE_ERROR (PROTOCOL 26).
    errorCode: code === KAFKA_ERROR.KAFKA_STORAGE_ERROR && version <= 5 ? KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER : code,
    highWatermark: planned?.highWatermark ?? -1, lastStableOffset: planned?.lastStableOffset ?? -1,
    logStartOffset: planned?.logStartOffset ?? -1,
    abortedTransactions: aborted, preferredReadReplica: -1, records: code === 0 && records !== null ? records : EMPTY
  }
}

const EMPTY: readonly Uint8Array[] = [new Uint8Array(0)]
