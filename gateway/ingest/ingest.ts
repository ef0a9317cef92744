/**
 * Takes batches of all connections into chunks, makes each durable by one PUT and has the leaders decide it.
 * Group commit: a chunk is sealed when full, or when its linger is over and fewer than `putsMax` PUTs run, so chunks grow
 * by themselves when the store is slow; the first after idle waits less, or for the turn's arrivals only. Full ones
 * wait for a PUT to end, bounded by `ingestBytesMax`.
 * Invariants: chunks are committed in order of chunkSeq; after a chunk is given up, no later batch of the same
 * (partition, producer or connection) that was on its way is committed.
 */
import { releaseAll, retain, type MemoryPool } from '#shared/binary/memory-pool.ts'
import type { Membership } from '#shared/cluster/membership.ts'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { LimitedLog } from '#shared/log/limited-log.ts'
import type { Log } from '#shared/log/log.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import { LANE, type Source } from '#shared/object/chunk-ref.ts'
import { writeRows } from '#shared/rpc/commit-rows.ts'
import { Deadlines } from '#shared/runtime/deadlines.ts'
import { randomHex } from '#shared/runtime/random-hex.ts'
import { sleep, type Cancel, type Runtime } from '#shared/runtime/runtime.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { FrameArena } from '../listener/frame-arena.ts'
import { writeChunk } from './chunk-writer.ts'
import { CommitSender } from './commit-sender.ts'
import { LogCache } from './log-cache.ts'
import { LingerPlan, type LingerSettings } from './linger-plan.ts'
import { IngestMetrics } from './metrics.ts'
import { OpenChunk, type PartitionBatches, type PendingBatch, type SealedChunk } from './open-chunk.ts'

const STOP_LOOK_MS = 5
const DEADLINE_BUCKET_MS = 250

export type IngestSettings = LingerSettings & {
  readonly chunkBytesMax: number
  readonly putsMax: number
  readonly ingestBytesMax: number // bytes taken and not decided
  readonly chunkGiveUpMs: number
  readonly commitWindow: number
  readonly commitDeadlineMs: number
  readonly logCacheBytesMax: number
}

export type IngestParts = {
  readonly nodeId: number
  readonly nodeEpoch: number
  readonly clusterId: string
  readonly store: ObjectStore
  readonly memory: MemoryPool
  readonly transport: Transport
  readonly membership: Membership
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics?: IngestMetrics
  readonly settings: IngestSettings
  /** Nothing of this life can be committed any more: the node must start again. Called once. */
  readonly onClosed?: (error: ZonewiseError) => void
}

type InFlight = {
  readonly chunk: SealedChunk
  outcome: 'none' | 'durable' | 'given up'
  isWriting: boolean
  isAbandoned: boolean // nobody waits for its outcome
}

export class Ingest {
  readonly source: Source
  readonly arena: FrameArena // of the frames that batches come in: the listeners fill it
  readonly cache: LogCache
  readonly deadlines: Deadlines
  readonly #parts: IngestParts
  readonly #metrics: IngestMetrics
  readonly #limited: LimitedLog
  readonly #linger: LingerPlan
  readonly #senders = new Map<number, CommitSender>()
  readonly #inFlight: InFlight[] = [] // in order of chunkSeq, until released to the leaders
  readonly #toWrite: InFlight[] = [] // those of them whose PUT has not begun
  #open: OpenChunk | null = null
  #sealDue: Cancel | null = null
  #lingerOver = false
  #puts = 0
  #nextSeq = 1
  #bytes = 0
  readonly #shardBytes = new Map<number, number>() // of #bytes, by shard
  #stopping = false // takes nothing more
  #killed = false // does nothing more
  #lost = false // another writer holds a key of the source: nothing of it may be committed any more

  constructor(parts: IngestParts) {
    const { nodeId, nodeEpoch, memory, runtime, settings } = parts
    this.#parts = parts
    this.source = { nodeId, nodeEpoch, nonce: randomHex(runtime.chance, 8), lane: LANE.region }
    this.arena = new FrameArena(memory)
    this.cache = new LogCache(this.source, settings.logCacheBytesMax)
    this.deadlines = new Deadlines(runtime, DEADLINE_BUCKET_MS)
    this.#metrics = parts.metrics ?? new IngestMetrics(new Metrics(), '')
    this.#limited = new LimitedLog(parts.log, runtime.clock)
    this.#linger = new LingerPlan(settings)
    this.#metrics.watch(() => ({ undecidedBytes: this.#bytes, puts: this.#puts, logCacheBytes: this.cache.bytes }))
  }

  /** Bytes taken and not decided yet. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Takes one checked batch; its answer comes later, exactly once.
   * @returns 0, or a retriable Kafka error code: nothing was taken, `answer` is not called.
   */
  append(batch: PendingBatch): number {
    const { length } = batch
    const { ingestBytesMax, chunkBytesMax } = this.#parts.settings
    if (this.#stopping || this.#lost) return KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER
    if (this.#senders.get(batch.shard)?.refuses === true) return KAFKA_ERROR.KAFKA_STORAGE_ERROR
    // No shard may hold more than what is left for the others: one that does not decide leaves room for those that do.
    const heldBytes = this.#shardBytes.get(batch.shard) ?? 0
    const isOverShare = heldBytes > 0 && heldBytes + length > ingestBytesMax - this.#bytes
    if (isOverShare || (this.#bytes > 0 && this.#bytes + length > ingestBytesMax)) {
      this.#metrics.refusals.add(1)
      return KAFKA_ERROR.REQUEST_TIMED_OUT
    }
    this.#count(batch.shard, length)
    retain(batch.bytes) // until the log cache lets go of it, or it fails and no PUT reads it
    const open = (this.#open ??= this.#openChunk())
    open.add(batch)
    if (open.bytes >= chunkBytesMax) this.#sealIfDue()
    return 0
  }

  #count(shard: number, bytes: number): void {
    this.#bytes += bytes
    this.#shardBytes.set(shard, (this.#shardBytes.get(shard) ?? 0) + bytes)
  }

  /** Takes nothing more and resolves when all that was taken is decided, or `timeoutMs` have passed. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopping = true
    const { clock, timer } = this.#parts.runtime
    const endMs = clock.monotonicMs() + timeoutMs
    this.#lingerOver = true
    this.#sealIfDue()
    while (this.#bytes > 0 && clock.monotonicMs() < endMs) await sleep(timer, STOP_LOOK_MS)
    this.kill()
    this.cache.clear()
    this.arena.close()
  }

  /** Ends at once, as a crash would. */
  kill(): void {
    this.#stopping = this.#killed = true
    this.#sealDue?.()
    for (const sender of this.#senders.values()) sender.stop()
  }

  #openChunk(): OpenChunk {
    const { timer, clock } = this.#parts.runtime
    this.#lingerOver = false
    const open = new OpenChunk()
    const onDue = (): void => {
      if (this.#open !== open) return
      this.#lingerOver = true
      this.#sealIfDue()
    }
    const idle = this.#inFlight.length === 0
    const waitMs = this.#linger.waitMs(idle, clock.monotonicMs())
    if (idle && waitMs === 0) timer.soon(onDue)
    else this.#sealDue = timer.after(waitMs, onDue)
    return open
  }

  #sealIfDue(): void {
    const { settings, clusterId } = this.#parts
    const open = this.#open
    if (open === null || this.#killed) return
    const due = open.bytes >= settings.chunkBytesMax || (this.#lingerOver && this.#puts < settings.putsMax)
    if (!due) return
    this.#dropOpen()
    const chunk = open.seal({ source: this.source, chunkSeq: this.#nextSeq++ }, clusterId)
    const inFlight: InFlight = { chunk, outcome: 'none', isWriting: false, isAbandoned: false }
    this.#linger.sealed(chunk.payloadBytes, this.#parts.runtime.clock.monotonicMs())
    this.#metrics.sealed(chunk.payloadBytes, chunk.payload.length, chunk.payloadBytes / settings.chunkBytesMax)
    this.#inFlight.push(inFlight)
    this.#toWrite.push(inFlight)
    this.#writeNext()
  }

  #dropOpen(): void {
    this.#open = null
    this.#sealDue?.()
    this.#sealDue = null
  }

  #writeNext(): void {
    while (this.#puts < this.#parts.settings.putsMax) {
      const next = this.#toWrite.shift()
      if (next === undefined) return
      void this.#write(next)
    }
  }

  async #write(inFlight: InFlight): Promise<void> {
    const { store, runtime, settings } = this.#parts
    const { chunk } = inFlight
    const begunMs = runtime.clock.monotonicMs()
    this.#puts += 1
    inFlight.isWriting = true
    try {
      await writeChunk(store, chunk, runtime, settings.chunkGiveUpMs)
      inFlight.outcome = 'durable'
      this.#metrics.putSeconds.observe((runtime.clock.monotonicMs() - begunMs) / 1_000)
    } catch (error) {
      if (!(error instanceof ZonewiseError)) throw error
      inFlight.outcome = 'given up'
      this.#metrics.givenUp.add(1)
      if (!this.#killed) this.#limited.error('chunk given up', { key: chunk.key, reason: explain(error) })
      if (error.code === 'OBJECT_EXISTS') this.#lose('another writer holds a key of it')
    }
    this.#puts -= 1
    inFlight.isWriting = false
    if (inFlight.isAbandoned) releaseAll(chunk.payload)
    if (this.#killed) return
    if (this.#lost) this.#giveUpAll()
    this.#release()
    this.#writeNext()
    this.#sealIfDue()
  }

  #lose(why: string): void {
    if (this.#lost || this.#killed) return
    this.#lost = true
    const { nodeId, nodeEpoch, onClosed } = this.#parts
    onClosed?.(new ZonewiseError('SOURCE_CLOSED', 'what this node writes is refused for good', { nodeId, nodeEpoch, why }))
  }

  /** The oldest chunk that is not decided, or the next one. */
  #floor(): number {
    let floor = this.#inFlight[0]?.chunk.ref.chunkSeq ?? this.#nextSeq
    for (const { oldestSeq } of this.#senders.values()) if (oldestSeq !== null && oldestSeq < floor) floor = oldestSeq
    return floor
  }

  /** Hands finished chunks on, oldest first; one that is still written holds up those behind it. */
  #release(): void {
    for (let first = this.#inFlight[0]; first !== undefined && first.outcome !== 'none'; first = this.#inFlight[0]) {
      this.#inFlight.shift()
      if (first.outcome === 'given up') this.#giveUp(first.chunk)
      else this.#commit(first.chunk)
    }
  }

  #commit(chunk: SealedChunk): void {
    const { partitions } = chunk
    for (let from = 0; from < partitions.length;) {
      const shard = partitions[from]?.shard ?? 0
      let to = from
      while (partitions[to]?.shard === shard) to += 1
      this.#commitShard(chunk, shard, partitions.slice(from, to))
      from = to
    }
    this.cache.add(chunk) // there before the first answer comes, which takes a turn at least
  }

  #commitShard(chunk: SealedChunk, shard: number, partitions: readonly PartitionBatches[]): void {
    const { ref: { chunkSeq }, checksum } = chunk
    const kept = partitions.some(({ batches }) => batches.some(isLeftOut)) ? withoutLeftOut(partitions) : partitions
    if (kept.length === 0) return
    const batches = kept.flatMap((partition) => partition.batches)
    const bytes = batches.reduce((sum, { length }) => sum + length, 0)
    const rows = writeRows(kept)
    this.#sender(shard).push({ chunkSeq, checksum, rows, batches, decided: () => { this.#count(shard, -bytes) } })
  }

  #sender(shard: number): CommitSender {
    const known = this.#senders.get(shard)
    if (known !== undefined) return known
    const { transport, membership, runtime, log, settings } = this.#parts
    const sender = new CommitSender({
      shard, source: this.source, transport, membership, runtime, log, metrics: this.#metrics, settings,
      floor: () => this.#floor(), onClosed: () => this.#lose('taken for dead')
    })
    this.#senders.set(shard, sender)
    return sender
  }

  /** Fails the batches of a chunk that is not durable, and all behind them that must not overtake them. */
  #giveUp(chunk: SealedChunk): void {
    const lost = new Set<string>()
    for (const { batches } of chunk.partitions) {
      for (const batch of batches) {
        if (batch.leftOut) continue // what came behind it has failed already, what comes now is a new attempt
        lost.add(orderKey(batch))
        this.#fail(batch)
      }
    }
    releaseAll(chunk.payload)
    for (const { chunk: later } of this.#inFlight) this.#leaveOut(later.partitions, lost)
    const open = this.#open
    if (open === null) return
    const dropped = this.#leaveOut(open.partitions(), lost)
    if (open.dropLeftOut()) this.#dropOpen()
    releaseAll(dropped)
  }

  /** Fails whatever no leader has been told of. */
  #giveUpAll(): void {
    for (const inFlight of this.#inFlight.splice(0)) {
      this.#leaveOut(inFlight.chunk.partitions, null)
      inFlight.isAbandoned = true
      if (!inFlight.isWriting) releaseAll(inFlight.chunk.payload)
    }
    this.#toWrite.length = 0
    if (this.#open !== null) releaseAll(this.#leaveOut(this.#open.partitions(), null))
    this.#dropOpen()
  }

  /** Fails the batches of these orders, or all, and returns them. */
  #leaveOut(partitions: Iterable<PartitionBatches>, lost: ReadonlySet<string> | null): Uint8Array[] {
    const failed: Uint8Array[] = []
    for (const { batches } of partitions) {
      for (const batch of batches) {
        if (batch.leftOut || lost?.has(orderKey(batch)) === false) continue
        this.#fail(batch)
        failed.push(batch.bytes)
      }
    }
    return failed
  }

  #fail(batch: PendingBatch): void {
    batch.leftOut = true
    this.#count(batch.shard, -batch.length)
    batch.answer(KAFKA_ERROR.KAFKA_STORAGE_ERROR, -1, -1, -1)
  }
}

function isLeftOut({ leftOut }: PendingBatch): boolean {
  return leftOut
}

function withoutLeftOut(partitions: readonly PartitionBatches[]): PartitionBatches[] {
  return partitions.map((partition) => ({ ...partition, batches: partition.batches.filter(({ leftOut }) => !leftOut) }))
    .filter(({ batches }) => batches.length > 0)
}

function orderKey({ topicId, partition, producerId, origin }: PendingBatch): string {
  return `${topicId}/${partition}/${producerId === -1 ? origin : producerId}`
}
