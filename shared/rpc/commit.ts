/** Commit: from a gateway to the leader of a shard. Headers only; the unit of decision is (chunk, shard). */
import {
  array, field, int32, message, packed, string, struct, uint16, uint32, uint8, varSafe, type Infer
} from '../binary/message.ts'
import type { RpcCall } from './call.ts'
import { packAnswers, packRows, unpackAnswers, unpackRows } from './packed-rows.ts'

/**
 * How one chunk of a request was met: `notDecided` and `unknown` mean: send it again. `closed`: refused for good, like
 * everything else of this life of the gateway, which was taken for dead.
 */
export const CHUNK_STATUS = { answered: 0, refused: 1, notDecided: 2, unknown: 3, closed: 4 } as const

/** Version 1 is the compact one. */
const versions = { versions: [0, 1], flexibleSince: 1 } as const

/** Fields of a source, to be spread into a schema. */
export const sourceFields = {
  nodeId: field(int32), nodeEpoch: field(varSafe), nonce: field(string), lane: field(uint8)
} as const

export const commitRequest = message('CommitRequest', versions, {
  shard: field(uint16),
  source: field(struct(sourceFields)),
  floor: field(varSafe), // of the source: all chunks below are decided or given up, in every shard
  chunks: field(array(struct({
    chunkSeq: field(varSafe), checksum: field(uint32), rows: field(packed({ pack: packRows, unpack: unpackRows }))
  })))
})

export const commitResponse = message('CommitResponse', versions, {
  leader: field(uint8), // 1: this node leads the shard; 0: it does not, nothing was decided
  membershipVersion: field(varSafe), // of the answering node, for the gateway to catch up with
  chunks: field(array(struct({
    chunkSeq: field(varSafe), status: field(uint8), answers: field(packed({ pack: packAnswers, unpack: unpackAnswers }))
  })))
})

export type CommitRequest = Infer<typeof commitRequest>
export type CommitResponse = Infer<typeof commitResponse>

export const commitCall: RpcCall<CommitRequest, CommitResponse> = {
  id: 1, name: 'commit', cause: 'commit', payloadCause: null, request: commitRequest, response: commitResponse
}
