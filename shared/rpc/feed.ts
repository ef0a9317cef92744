/**
 * Feed: a view subscribes at the leader of its shard; the leader pushes durable journal groups. The view accepts only
 * the exact successor (position and running CRC) and closes a gap from the journal.
 */
import { array, bytes, field, float64, message, struct, uint16, uint32, uint8, type Infer } from '../binary/message.ts'
import type { RpcCall } from './call.ts'

const versions = { versions: [0, 0], flexibleSince: null } as const

export const subscribeRequest = message('SubscribeRequest', versions, { shard: field(uint16), on: field(uint8) }) // on 0: unsubscribe
export const subscribeResponse = message('SubscribeResponse', versions, { leader: field(uint8) }) // 0: does not lead, not subscribed
export const feedRequest = message('FeedRequest', versions, {
  shard: field(uint16),
  groups: field(array(struct({
    epoch: field(float64), seq: field(float64), afterEpoch: field(float64), afterSeq: field(float64),
    afterCrc: field(uint32), crc: field(uint32), body: field(bytes)
  })))
})
export const feedResponse = message('FeedResponse', versions, { following: field(uint8) }) // 0: nobody reads here, drop me

export type SubscribeRequest = Infer<typeof subscribeRequest>
export type SubscribeResponse = Infer<typeof subscribeResponse>
export type FeedRequest = Infer<typeof feedRequest>
export type FeedResponse = Infer<typeof feedResponse>

export const subscribeCall: RpcCall<SubscribeRequest, SubscribeResponse> = {
  id: 2, name: 'subscribe', cause: 'feed', payloadCause: null, request: subscribeRequest, response: subscribeResponse
}
export const feedCall: RpcCall<FeedRequest, FeedResponse> = {
  id: 3, name: 'feed', cause: 'feed', payloadCause: null, request: feedRequest, response: feedResponse
}
