/**
 * Serves commit requests: decides the chunks of one (source, shard) in order and answers when what was decided is
 * durable. A chunk that cannot be decided now stops the request there: later chunks are not decided either.
 */
import type { CatalogReader } from '#shared/cluster/catalog-reader.ts'
import { SINCE } from '#shared/cluster/cluster-version.ts'
import { explain } from '#shared/errors/zonewise-error.ts'
import type { Membership } from '#shared/cluster/membership.ts'
import type { Log } from '#shared/log/log.ts'
import { CHUNK_STATUS, commitCall, type CommitRequest, type CommitResponse } from '#shared/rpc/commit.ts'
import type { Transport } from '#shared/transport/transport.ts'
import type { ShardHost } from '../shard/shard-host.ts'
import type { Leadership } from '../shard/leadership.ts'
import { planCommit } from './commit-plan.ts'
import { PRODUCER_EXPIRY_MS } from './producer-state.ts'
import { windowKey } from './source-window.ts'

export type CommitServiceParts = {
  readonly host: ShardHost
  readonly transport: Transport
  readonly membership: Membership
  readonly catalog: CatalogReader
  readonly log: Log
  readonly settings: { readonly journalBytesMax: number } // untrimmed journal of a shard above it: produce must wait
}

type Answer = { chunkSeq: number; status: number; answers: Uint8Array }
const NONE = new Uint8Array(0)

export class CommitService {
  readonly #parts: CommitServiceParts

  constructor(parts: CommitServiceParts) {
    this.#parts = parts
    parts.transport.serve(commitCall, (request) => this.#commit(request))
  }

  async #commit(request: CommitRequest): Promise<CommitResponse> {
    const { host, membership } = this.#parts
    const leadership = host.leader(request.shard)
    const membershipVersion = membership.current().version
    if (leadership === null) {
      const failure = host.failure(request.shard)
      if (failure !== null) throw failure // nobody leads it until a human has acted
      return { leader: 0, membershipVersion, chunks: [] }
    }
    const { chunks, durable } = this.#decide(leadership, request)
    try {
      await durable
      return { leader: 1, membershipVersion, chunks }
    } catch { // the leadership ended: the next leader knows
      return { leader: 1, membershipVersion, chunks: chunks.map(({ chunkSeq }) => ({ chunkSeq, status: CHUNK_STATUS.unknown, answers: NONE })) }
    }
  }

  #decide(leadership: Leadership, request: CommitRequest): { chunks: Answer[]; durable: Promise<void> } {
    const { host, settings, log, catalog } = this.#parts
    const { shard, source } = request
    const version = catalog.clusterVersion()
    const floor = version >= SINCE.sourceFloors ? { floor: request.floor } : {}
    const isCompact = version >= SINCE.compactEntries
    const chunks: Answer[] = []
    let durable: Promise<void> | null = null
    let decided = true
    for (const { chunkSeq, checksum, rows } of request.chunks) {
      decided &&= !leadership.overloaded && host.journalBytes(shard) < settings.journalBytesMax
      if (!decided) {
        chunks.push({ chunkSeq, status: CHUNK_STATUS.notDecided, answers: NONE })
        continue
      }
      const nowMs = leadership.nowMs()
      const chunk = { source, chunkSeq, checksum, rows, isCompact, ...floor }
      const plan = planCommit(
        leadership.state.partitions, chunk, nowMs, (id, topicId) => this.#mayBeForgotten(id, topicId, nowMs)
      )
      if (plan.kind === 'refused') {
        log.error('chunk refused', { shard, chunkSeq, nodeId: source.nodeId, nodeEpoch: source.nodeEpoch, reason: plan.reason })
        const status = plan.reason === 'closed' ? CHUNK_STATUS.closed : CHUNK_STATUS.refused
        chunks.push({ chunkSeq, status, answers: NONE })
      } else if (plan.kind === 'known') {
        chunks.push({ chunkSeq, status: CHUNK_STATUS.answered, answers: plan.answers })
      } else {
        durable = leadership.append([plan.entry])
        durable.catch((error: unknown) => log.debug('commit not durable', { shard, reason: explain(error) }))
        const remembered = leadership.state.partitions.sources.get(windowKey(source))?.recent.at(-1)
        chunks.push({ chunkSeq, status: CHUNK_STATUS.answered, answers: remembered?.answers ?? NONE })
      }
    }
    // A repeated answer may rest on an entry that is still on its way: it waits as well. "Not decided" rests on nothing.
    const isAnswer = chunks.some(({ status }) => status !== CHUNK_STATUS.notDecided)
    return { chunks, durable: durable ?? (isAnswer ? leadership.settled() : Promise.resolve()) }
  }

  /** Its state expired, or went with a deleted topic of the same name: it goes on with the sequence that it knows. */
  #mayBeForgotten(producerId: number, topicId: string, nowMs: number): boolean {
    const { catalog } = this.#parts
    const issuedMs = catalog.producerIdIssuedMs(producerId)
    if (issuedMs !== null && nowMs - issuedMs > PRODUCER_EXPIRY_MS) return true
    const replacedMs = catalog.topicById(topicId)?.replacedMs ?? null
    return replacedMs !== null && nowMs - replacedMs <= PRODUCER_EXPIRY_MS
  }
}
