/**
 * Sees what no client can: each group as it becomes durable in a journal and each take-over, by whom; and what leaders
 * answer to gateways. Offsets must never fork, however many nodes take themselves for a leader, and a leader whose
 * epoch is over must answer nothing that is not in the journal.
 */
import { isCommit, readCommitEntry } from '#broker/partition/commit-entry.ts'
import { decodeGroup } from '#broker/shard/entry.ts'
import { REDIS_ENTRY } from '#shared/journal/redis-entry.ts'
import { readAnswers } from '#shared/rpc/commit-rows.ts'
import { CHUNK_STATUS, commitCall, type CommitRequest, type CommitResponse } from '#shared/rpc/commit.ts'
import { groupCall, type GroupRequest, type GroupResponse } from '#shared/rpc/group.ts'
import type { Handler, Transport } from '#shared/transport/transport.ts'
import { API } from '#shared/wire/api-registry.ts'
import type { OnEntry } from '../world/sim-redis.ts'
import { unlike, type History } from './history.ts'

/** A life of a machine, as far as this is concerned. */
type Who = { readonly name: string }
type Lead = { readonly who: string; readonly epoch: number; readonly atMs: number }

const BEAT_SLACK_MS = 1_000 // a heartbeat is answered by a leader that proved itself at most so long ago
const SHARD_OF_KEY = /:journal:(\d+)$/

export class Witness {
  readonly #history: History
  readonly #leads = new Map<number, Lead[]>() // by shard, oldest first
  readonly #ends = new Map<string, { readonly offset: number; readonly position: string }>() // by shard and localId
  readonly #decided = new Map<string, string>() // what each chunk was told, by shard, source and chunkSeq
  readonly #asked = new Map<string, number>() // when a life first heard of a group call

  constructor(history: History) {
    this.#history = history
  }

  /** An entry became durable in a stream. */
  readonly onEntry: OnEntry = (who, key, { epoch, seq, value }) => {
    const shard = SHARD_OF_KEY.exec(key)?.[1]
    if (shard === undefined || epoch === 0) return
    if (seq === 0) this.#led(Number(shard), { who: who.name, epoch, atMs: this.#history.nowMs })
    else this.#appended(Number(shard), `${epoch}-${seq}`, value.subarray(REDIS_ENTRY.headerBytes))
  }

  /** Hears the answers of one life. */
  watch(transport: Transport, who: Who): Transport {
    return {
      nodeId: transport.nodeId,
      serve: (call, handler) => transport.serve(call, this.#heard(call.id, handler, who)),
      call: (node, call, request, options) => transport.call(node, call, request, options),
      close: () => transport.close()
    }
  }

  #heard<Request, Response>(
    callId: number, handler: Handler<Request, Response>, who: Who
  ): Handler<Request, Response> {
    if (callId === commitCall.id) return async (request, context) => {
      const answer = await handler(request, context)
      this.#answeredCommit(request as CommitRequest, answer as CommitResponse, who)
      return answer
    }
    if (callId === groupCall.id) return async (request, context) => {
      const call = request as GroupRequest
      const askedKey = `${who.name} ${call.requestId}`
      const askedMs = this.#asked.get(askedKey) ?? this.#history.nowMs
      this.#asked.set(askedKey, askedMs)
      const answer = await handler(request, context)
      if ((answer as GroupResponse).errorCode === 0) this.#answeredGroup(call, askedMs, who)
      return answer
    }
    return handler
  }

  #led(shard: number, lead: Lead): void {
    const leads = this.#leads.get(shard)
    if (leads === undefined) this.#leads.set(shard, [lead])
    else leads.push(lead)
  }

  #appended(shard: number, position: string, body: Uint8Array): void {
    decodeGroup(body, (entry) => {
      if (!isCommit(entry)) return
      let chunk = ''
      const answers: string[] = []
      readCommitEntry(entry, {
        chunk: ({ nodeId, nodeEpoch, nonce, lane }, chunkSeq) => {
          chunk = chunkKey(shard, nodeId, nodeEpoch, nonce, lane, chunkSeq)
        },
        batch: (localId, _position, _length, recordCount, _maxTimestamp, baseOffset) => {
          answers.push(`0 ${baseOffset}`)
          this.#extend(`${localId} of shard ${shard}`, position, baseOffset, recordCount)
        },
        refused: (_localId, errorCode, baseOffset) => { answers.push(`${errorCode} ${baseOffset}`) }
      })
      this.#decided.set(chunk, answers.join(', '))
    })
  }

  #extend(partition: string, position: string, baseOffset: number, recordCount: number): void {
    const end = this.#ends.get(partition)
    if (end !== undefined && end.offset !== baseOffset) this.#history.violation('offsets never fork', unlike(
      `partition ${partition} to go on at ${end.offset}, where ${end.position} ended`, `${baseOffset} in ${position}`
    ))
    this.#ends.set(partition, { offset: baseOffset + recordCount, position })
  }

  /** A gateway believes what it is told of a chunk: that is what the journal says, by then. */
  #answeredCommit({ shard, source }: CommitRequest, { chunks }: CommitResponse, { name }: Who): void {
    const { nodeId, nodeEpoch, nonce, lane } = source
    for (const { chunkSeq, status, answers } of chunks) {
      if (status !== CHUNK_STATUS.answered) continue
      const told = textOf(answers)
      const decided = this.#decided.get(chunkKey(shard, nodeId, nodeEpoch, nonce, lane, chunkSeq))
      if (told === decided) continue
      const expected = decided ?? 'nothing, for it is not in the journal'
      this.#history.violation('a fenced leader answers nothing', unlike(
        `${name} to answer chunk ${chunkSeq} of node ${nodeId} on shard ${shard} with ${expected}`, told
      ))
    }
  }

  /** Whoever answers leads, or led when the call came: what it says rests on a look at the journal since then. */
  #answeredGroup({ shard, apiKey }: GroupRequest, askedMs: number, { name }: Who): void {
    const leads = this.#leads.get(shard) ?? []
    const sinceMs = apiKey === API.heartbeat.apiKey ? askedMs - BEAT_SLACK_MS : askedMs
    const ledSince = leads.some(({ who }, i) => who === name && (leads[i + 1]?.atMs ?? Infinity) >= sinceMs)
    if (ledSince) return
    const { who, epoch, atMs } = leads.at(-1) ?? { who: 'nobody', epoch: 0, atMs: 0 }
    this.#history.violation('a fenced leader answers nothing', unlike(
      `no answer of ${name} to a call ${apiKey} for shard ${shard} that came at ${askedMs} ms`,
      `one, though ${who} leads it in epoch ${epoch} since ${atMs} ms`
    ))
  }
}

function chunkKey(
  shard: number, nodeId: number, nodeEpoch: number, nonce: string, lane: number, chunkSeq: number
): string {
  return `${shard} ${nodeId} ${nodeEpoch} ${nonce} ${lane} ${chunkSeq}`
}

/** Error and base offset of each batch. */
function textOf(answers: Uint8Array): string {
  return readAnswers(answers).map(({ errorCode, baseOffset }) => `${errorCode} ${baseOffset}`).join(', ')
}
