/**
 * The leader's side of feeds: queues durable groups for each subscribed node, one call in flight a follower, everything
 * that became durable meanwhile goes with the next. A follower that falls behind its bound, or does not answer, is
 * dropped: it comes back through the journal. A feed never waits and never delays commits.
 */
import type { JournalGroup } from '#shared/journal/journal.ts'
import { feedCall } from '#shared/rpc/feed.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { ShardMetrics } from './metrics.ts'

export type FeedSettings = { readonly feedQueueBytesMax: number; readonly feedDeadlineMs: number }

type Follower = { queue: JournalGroup[]; queuedBytes: number; sending: boolean }

export class FeedSender {
  readonly #transport: Transport
  readonly #settings: FeedSettings
  readonly #metrics: ShardMetrics
  readonly #followers = new Map<number, Map<number, Follower>>() // by shard, then node

  constructor(transport: Transport, settings: FeedSettings, metrics = new ShardMetrics(new Metrics(), '')) {
    this.#transport = transport
    this.#settings = settings
    this.#metrics = metrics
  }

  /** Followers of all shards. */
  get followerCount(): number {
    return [...this.#followers.values()].reduce((sum, nodes) => sum + nodes.size, 0)
  }

  subscribe(shard: number, node: number): void {
    let nodes = this.#followers.get(shard)
    if (nodes === undefined) this.#followers.set(shard, (nodes = new Map()))
    nodes.set(node, { queue: [], queuedBytes: 0, sending: false })
  }

  unsubscribe(shard: number, node: number): void {
    this.#followers.get(shard)?.delete(node)
  }

  /** Ends all feeds of a shard: this node leads it no more. */
  drop(shard: number): void {
    this.#followers.delete(shard)
  }

  push(shard: number, group: JournalGroup): void {
    const nodes = this.#followers.get(shard)
    if (nodes === undefined) return
    for (const [node, follower] of nodes) {
      follower.queue.push(group)
      follower.queuedBytes += group.body.byteLength
      if (follower.queuedBytes > this.#settings.feedQueueBytesMax) this.#dropFollower(shard, node)
      else if (!follower.sending) void this.#send(shard, node, follower)
    }
  }

  async #send(shard: number, node: number, follower: Follower): Promise<void> {
    follower.sending = true
    while (follower.queue.length > 0 && this.#isCurrent(shard, node, follower)) {
      const groups = follower.queue
      follower.queue = []
      follower.queuedBytes = 0
      try {
        const { response } = await this.#transport.call(node, feedCall, { shard, groups: groups.map(toWire) }, { deadlineMs: this.#settings.feedDeadlineMs })
        if (response.following === 0 && this.#isCurrent(shard, node, follower)) this.unsubscribe(shard, node)
      } catch { // the follower notices the silence and reads the journal
        if (this.#isCurrent(shard, node, follower)) this.#dropFollower(shard, node)
      }
    }
    follower.sending = false
  }

  #dropFollower(shard: number, node: number): void {
    this.unsubscribe(shard, node)
    this.#metrics.feedsDropped.add(1)
  }

  #isCurrent(shard: number, node: number, follower: Follower): boolean {
    return this.#followers.get(shard)?.get(node) === follower
  }
}

function toWire(group: JournalGroup): { epoch: number; seq: number; afterEpoch: number; afterSeq: number; afterCrc: number; crc: number; body: Uint8Array } {
  const { position, after, afterCrc, crc, body } = group
  return { epoch: position.epoch, seq: position.seq, afterEpoch: after.epoch, afterSeq: after.seq, afterCrc, crc, body }
}
