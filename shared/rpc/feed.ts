/**
 * Feed: a node subscribes at the leaders of the shards it has views of; a leader pushes durable journal groups, those of
 * all shards of one follower in one call, one call in flight. A view accepts only the exact successor (position and
 * running CRC) and closes a gap from the journal. A feed without groups is the keepalive of a node pair: its digest
 * proves which shards the leader feeds, and with which epoch.
 */
import { array, bytes, field, float64, message, struct, uint16, uint32, uint8, varSafe, type Infer } from '../binary/message.ts'
import type { RpcCall } from './call.ts'

const versions = { versions: [0, 0], flexibleSince: null } as const

export const subscribeRequest = message('SubscribeRequest', versions, { shards: field(array(uint16)) })
export const subscribeResponse = message('SubscribeResponse', versions, {
  // Those of them that this node leads, and up to where they were durable: everything behind comes by feed.
  led: field(array(struct({ shard: field(uint16), epoch: field(float64), seq: field(float64) })))
})
export const unsubscribeRequest = message('UnsubscribeRequest', versions, { shards: field(array(uint16)) })
export const unsubscribeResponse = message('UnsubscribeResponse', versions, {})
/** Version 1 is the compact one: feeds are most of what crosses zones. */
const feedVersions = { versions: [0, 1], flexibleSince: 1 } as const
export const feedRequest = message('FeedRequest', feedVersions, {
  digest: field(uint32), // of the shards fed to this follower (feedDigest)
  feeds: field(array(struct({ // groups of one epoch, dense from seq on; afterCrc is the running CRC of the group before
    shard: field(uint16), epoch: field(varSafe), seq: field(varSafe), afterCrc: field(uint32),
    groups: field(array(struct({ crc: field(uint32), body: field(bytes) })))
  })))
})
export const feedResponse = message('FeedResponse', feedVersions, {
  unfollowed: field(array(uint16)) // nobody reads these here
})
/** To the node that is to lead a shard next: opens its view, so that the shard is taken over from memory. */
export const prepareRequest = message('PrepareRequest', versions, { shard: field(uint16) })
export const prepareResponse = message('PrepareResponse', versions, { ready: field(uint8) })

export type SubscribeRequest = Infer<typeof subscribeRequest>
export type SubscribeResponse = Infer<typeof subscribeResponse>
export type UnsubscribeRequest = Infer<typeof unsubscribeRequest>
export type UnsubscribeResponse = Infer<typeof unsubscribeResponse>
export type FeedRequest = Infer<typeof feedRequest>
export type FeedResponse = Infer<typeof feedResponse>
export type PrepareRequest = Infer<typeof prepareRequest>
export type PrepareResponse = Infer<typeof prepareResponse>

const feed = { cause: 'feed', payloadCause: null } as const
export const subscribeCall: RpcCall<SubscribeRequest, SubscribeResponse> =
  { id: 2, name: 'subscribe', ...feed, request: subscribeRequest, response: subscribeResponse }
export const feedCall: RpcCall<FeedRequest, FeedResponse> =
  { id: 3, name: 'feed', ...feed, request: feedRequest, response: feedResponse }
export const unsubscribeCall: RpcCall<UnsubscribeRequest, UnsubscribeResponse> =
  { id: 7, name: 'unsubscribe', ...feed, request: unsubscribeRequest, response: unsubscribeResponse }
export const prepareCall: RpcCall<PrepareRequest, PrepareResponse> =
  { id: 8, name: 'prepare', ...feed, request: prepareRequest, response: prepareResponse }
