/**
 * Reads inside a zone: a gateway asks the zone's reader of a shard (a broker of its own zone) for plans, offsets and
 * bytes. `plan` is a long poll: it answers when `minBytes` are there (over its partitions), when one has an error, or
 * after `waitMs` (0: at once).
 */
import { array, bool, field, float64, int16, int32, int8, message, struct, uint16, uint32, uuid, type Infer } from '../binary/message.ts'
import type { RpcCall } from './call.ts'
import { sourceFields } from './commit.ts'

const versions = { versions: [0, 0], flexibleSince: null } as const

export const planRequest = message('PlanRequest', versions, {
  shard: field(uint16),
  waitMs: field(uint32),
  isFresh: field(bool), // answered behind a barrier: the gateway asked another reader before, which may have known more
  minBytes: field(int32),
  isolationLevel: field(int8), // Kafka's: 0 read_uncommitted, 1 read_committed
  partitions: field(array(struct({
    topicId: field(uuid), partition: field(int32), fetchOffset: field(float64),
    maxBytes: field(int32), // at least one run is planned even if it is larger
    currentLeaderEpoch: field(int32) // -1: not checked
  })))
})
export const planResponse = message('PlanResponse', versions, {
  partitions: field(array(struct({ // in the order of the request
    errorCode: field(int16), highWatermark: field(float64), lastStableOffset: field(float64), logStartOffset: field(float64),
    // One run is contiguous bytes of one chunk: whole batches with offsets [baseOffset, endOffset), dense.
    runs: field(array(struct({
      source: field(struct(sourceFields)), chunkSeq: field(float64), position: field(uint32), length: field(uint32),
      baseOffset: field(float64), endOffset: field(float64),
      lengthBefore: field(uint32), // about what lies before the offset that was asked for
      chunksBehind: field(uint32) // newer chunks that the shard has: tells the tail from what is read again
    }))),
    isCut: field(bool) // a bound of the reader, not `maxBytes`, left out runs that are there: waiting would bring no more
  })))
})

export const readRequest = message('ReadRequest', versions, {
  source: field(struct(sourceFields)), chunkSeq: field(float64),
  chunksBehind: field(uint32), // of the plan; the least where there are several runs
  isAhead: field(bool), // nobody waits for the bytes yet: they are read into the cache if there is room, and not answered
  ranges: field(array(struct({ start: field(uint32), end: field(uint32) }))) // [start, end) in the chunk, ascending
})
/**
 * An error code a range (none for `isAhead`). Payload: one buffer for each range without error, held once for the
 * caller: owned by the zone's cache, the only change allowed is the header patch (base offset, leader epoch).
 */
export const readResponse = message('ReadResponse', versions, { errorCodes: field(array(int16)) })

export const offsetsRequest = message('OffsetsRequest', versions, {
  shard: field(uint16), isolationLevel: field(int8),
  partitions: field(array(struct({
    topicId: field(uuid), partition: field(int32), currentLeaderEpoch: field(int32),
    timestamp: field(float64) // >= 0: first batch with maxTimestamp >= it; Kafka's -1 latest, -2 earliest, -3 max timestamp
  })))
})
export const offsetsResponse = message('OffsetsResponse', versions, {
  partitions: field(array(struct({ errorCode: field(int16), offset: field(float64), timestamp: field(float64) })))
})

export type PlanRequest = Infer<typeof planRequest>
export type PlanResponse = Infer<typeof planResponse>
export type ReadRequest = Infer<typeof readRequest>
export type ReadResponse = Infer<typeof readResponse>
export type OffsetsRequest = Infer<typeof offsetsRequest>
export type OffsetsResponse = Infer<typeof offsetsResponse>

export const planCall: RpcCall<PlanRequest, PlanResponse> = {
  id: 4, name: 'plan', cause: 'plan', payloadCause: null, request: planRequest, response: planResponse
}
export const readCall: RpcCall<ReadRequest, ReadResponse> = {
  id: 5, name: 'read', cause: 'plan', payloadCause: 'chunk-share', request: readRequest, response: readResponse
}
export const offsetsCall: RpcCall<OffsetsRequest, OffsetsResponse> = {
  id: 6, name: 'offsets', cause: 'plan', payloadCause: null, request: offsetsRequest, response: offsetsResponse
}
