/**
 * Commit: from a gateway to the leader of a shard. Headers only; the unit of decision is (chunk, shard).
 *
 * `rows` of a chunk, big-endian, sorted as in the chunk:
 *   per partition  topicId 16 bytes | partition u32 | batchCount u32                                    24 bytes
 *   per batch      position u32 | length u32 | recordCount u32 | maxTimestamp f64 | producerId f64 |
 *                  producerEpoch i16 | baseSequence i32 | attributes u16                                36 bytes
 * `answers` of a chunk, in the order of the rows' batches:
 *   per batch      errorCode i16 | baseOffset f64 | logAppendTimeMs f64 | logStartOffset f64             26 bytes
 */
import {
  array, bytes, field, float64, int32, message, string, struct, uint16, uint32, uint8, type Infer
} from '../binary/message.ts'
import type { RpcCall } from './call.ts'

export const COMMIT_ROWS = { partitionBytes: 24, batchBytes: 36, answerBytes: 26 } as const

/**
 * How one chunk of a request was met: `notDecided` and `unknown` mean: send it again. `closed`: refused for good, like
 * everything else of this life of the gateway, which was taken for dead.
 */
export const CHUNK_STATUS = { answered: 0, refused: 1, notDecided: 2, unknown: 3, closed: 4 } as const

const versions = { versions: [0, 0], flexibleSince: null } as const

/** Fields of a source, to be spread into a schema. */
export const sourceFields = {
  nodeId: field(int32), nodeEpoch: field(float64), nonce: field(string), lane: field(uint8)
} as const

export const commitRequest = message('CommitRequest', versions, {
  shard: field(uint16),
  source: field(struct(sourceFields)),
  floor: field(float64), // of the source: all chunks below are decided or given up, in every shard
  chunks: field(array(struct({ chunkSeq: field(float64), checksum: field(uint32), rows: field(bytes) })))
})

export const commitResponse = message('CommitResponse', versions, {
  leader: field(uint8), // 1: this node leads the shard; 0: it does not, nothing was decided
  membershipVersion: field(float64), // of the answering node, for the gateway to catch up with
  chunks: field(array(struct({ chunkSeq: field(float64), status: field(uint8), answers: field(bytes) })))
})

export type CommitRequest = Infer<typeof commitRequest>
export type CommitResponse = Infer<typeof commitResponse>

export const commitCall: RpcCall<CommitRequest, CommitResponse> = {
  id: 1, name: 'commit', cause: 'commit', payloadCause: null, request: commitRequest, response: commitResponse
}
