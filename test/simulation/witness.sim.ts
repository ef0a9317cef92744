import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommitEntryWriter } from '#broker/partition/commit-entry.ts'
import { encodeGroup } from '#broker/shard/entry.ts'
import type { RpcCall } from '#shared/rpc/call.ts'
import { AnswersWriter } from '#shared/rpc/commit-rows.ts'
import { CHUNK_STATUS, commitCall } from '#shared/rpc/commit.ts'
import { groupCall } from '#shared/rpc/group.ts'
import type { CallContext, Handler, Transport } from '#shared/transport/transport.ts'
import { API } from '#shared/wire/api-registry.ts'
import { History } from './check/history.ts'
import { Witness } from './check/witness.ts'

const SHARD = 3
const SOURCE = { nodeId: 7, nodeEpoch: 1, nonce: '00112233aabbccdd', lane: 0 }
const HEADER = Buffer.alloc(9) // of an entry in Redis

type Chunk = { readonly chunkSeq: number; readonly baseOffset: number; readonly count: number }

/** A witness of one shard, what happens before its eyes, and the rules that it saw broken. */
function watched() {
  let nowMs = 0
  const history = new History(() => {}, () => nowMs)
  const witness = new Witness(history)
  const entry = (who: string, epoch: number, seq: number, body: Uint8Array): void =>
    witness.onEntry({ name: who }, `zw:{zw-0}:journal:${SHARD}`, { epoch, seq, value: Buffer.concat([HEADER, body]) })
  /** What `who` answers, over the witness. */
  const answer = async <Request, Response>(
    who: string, call: RpcCall<Request, Response>, request: Request, work: () => Promise<Response>
  ): Promise<void> => {
    let served: Handler<Request, Response> | null = null
    const carrier = {
      nodeId: 1, serve: (_call: unknown, handler: unknown) => { served = handler as Handler<Request, Response> },
      call: () => Promise.reject(new Error('nobody is called')), close: () => {}
    } as unknown as Transport
    witness.watch(carrier, { name: who }).serve(call, work)
    await served!(request, {} as CallContext)
  }
  return {
    lead: (who: string, epoch: number) => entry(who, epoch, 0, Buffer.alloc(32)),
    commit: (who: string, epoch: number, seq: number, chunk: Chunk) => {
      const writer = new CommitEntryWriter(SOURCE, chunk.chunkSeq, 0, { partitionCount: 1, batchCount: 1 })
      writer.partition(0, chunk.baseOffset, 0, 1)
      writer.accepted(0, 100, chunk.count, 0, -1, -1, -1)
      entry(who, epoch, seq, Buffer.concat(encodeGroup(0, [writer.finish()])))
    },
    answerCommit: (who: string, chunkSeq: number, baseOffset: number, status: number = CHUNK_STATUS.answered) => {
      const answers = new AnswersWriter()
      answers.add(0, baseOffset, -1, 0)
      const chunks = [{ chunkSeq, status, answers: answers.finish() }]
      return answer(who, commitCall, { shard: SHARD, source: SOURCE, floor: 0, chunks: [] },
        async () => ({ leader: 1, membershipVersion: 1, chunks }))
    },
    answerGroup: (who: string, apiKey: number, requestId: string, meanwhile = () => {}) => answer(who, groupCall, {
      shard: SHARD, apiKey, clientVersion: 0, clientId: null, clientHost: '', requestId, memberId: '',
      body: new Uint8Array(0)
    }, async () => { meanwhile(); return { errorCode: 0, body: new Uint8Array(0) } }),
    wait: (ms: number) => { nowMs += ms },
    broken: () => history.violations.map(({ rule }) => rule)
  }
}

test('witness: has nothing to say where a successor goes on from where its predecessor ended', async () => {
  const { lead, commit, answerCommit, answerGroup, wait, broken } = watched()
  lead('a', 1)
  commit('a', 1, 1, { chunkSeq: 0, baseOffset: 0, count: 2 })
  await answerCommit('a', 0, 0)
  await answerGroup('a', API.offsetFetch.apiKey, 'r1', () => { wait(5); lead('b', 2) }) // asked while it led
  commit('b', 2, 1, { chunkSeq: 1, baseOffset: 2, count: 1 })
  await answerCommit('b', 1, 2)
  await answerCommit('a', 0, 0) // again: what was decided stays
  await answerCommit('a', 9, 0, CHUNK_STATUS.unknown)
  await answerGroup('b', API.offsetFetch.apiKey, 'r2')
  assert.deepEqual(broken(), [])
})

test('witness: finds two groups that give one offset', () => {
  const { lead, commit, broken } = watched()
  lead('a', 1)
  commit('a', 1, 1, { chunkSeq: 0, baseOffset: 0, count: 2 })
  lead('b', 2)
  commit('b', 2, 1, { chunkSeq: 1, baseOffset: 1, count: 1 })
  assert.deepEqual(broken(), ['offsets never fork'])
})

test('witness: finds an answer to a chunk that is not in the journal, or not so', async () => {
  const { lead, commit, answerCommit, broken } = watched()
  lead('a', 1)
  await answerCommit('a', 0, 0)
  commit('a', 1, 1, { chunkSeq: 0, baseOffset: 0, count: 1 })
  await answerCommit('a', 0, 5)
  assert.deepEqual(broken(), ['a fenced leader answers nothing', 'a fenced leader answers nothing'])
})

test('witness: finds an answer to a group by a leader that was fenced before the call came; a beat has a second', async () => {
  const { lead, answerGroup, wait, broken } = watched()
  lead('a', 1)
  wait(100)
  lead('b', 2)
  wait(900)
  await answerGroup('a', API.heartbeat.apiKey, 'r1')
  assert.deepEqual(broken(), [])
  await answerGroup('a', API.offsetFetch.apiKey, 'r2')
  wait(200)
  await answerGroup('a', API.heartbeat.apiKey, 'r3')
  await answerGroup('a', API.heartbeat.apiKey, 'r1') // the same call: what it was told it is told again
  assert.deepEqual(broken(), ['a fenced leader answers nothing', 'a fenced leader answers nothing'])
})
