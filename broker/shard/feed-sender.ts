/**
 * The leader's side of feeds: queues durable groups for each subscribed node, one call in flight a follower; everything
 * that became durable meanwhile, or within a few milliseconds after the last call, goes with the next. A follower that
 * falls behind its bound, or does not answer, is dropped: it notices the silence, and comes back through the journal. A
 * feed never waits and never delays commits.
 */
import type { JournalGroup } from '#shared/journal/journal.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import { feedCall, type FeedRequest } from '#shared/rpc/feed.ts'
import { sleep, type Runtime } from '#shared/runtime/runtime.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { feedDigest } from './feed-digest.ts'
import { ShardMetrics } from './metrics.ts'

export type FeedSettings = {
  readonly feedQueueBytesMax: number
  readonly feedDeadlineMs: number
  readonly feedGatherMs: number
  readonly feedKeepaliveMs: number
}

type Feed = FeedRequest['feeds'][number]
type Queued = Omit<Feed, 'groups'> & { readonly groups: { readonly crc: number; readonly body: Uint8Array }[]; nextSeq: number }
type Follower = {
  readonly node: number
  readonly epochs: Map<number, number> // of the shards fed, by shard
  queue: Queued[]
  queuedBytes: number
  sending: boolean
  sentMs: number // begin of the newest call
  fedMs: number // begin of the newest one with groups
}

export class FeedSender {
  readonly #transport: Transport
  readonly #runtime: Runtime
  readonly #settings: FeedSettings
  readonly #metrics: ShardMetrics
  readonly #followers = new Map<number, Follower>()

  constructor(transport: Transport, runtime: Runtime, settings: FeedSettings, metrics = new ShardMetrics(new Metrics(), '')) {
    this.#transport = transport
    this.#runtime = runtime
    this.#settings = settings
    this.#metrics = metrics
  }

  /** Nodes that are fed, and bytes queued for them. */
  get load(): { readonly followers: number; readonly queuedBytes: number } {
    let queuedBytes = 0
    for (const follower of this.#followers.values()) queuedBytes += follower.queuedBytes
    return { followers: this.#followers.size, queuedBytes }
  }

  /** Groups of `shard` that become durable from now on go to `node`; `epoch` is that of the leadership. */
  subscribe(node: number, shard: number, epoch: number): void {
    let follower = this.#followers.get(node)
    if (follower === undefined) {
      const sentMs = this.#runtime.clock.monotonicMs()
      follower = { node, epochs: new Map(), queue: [], queuedBytes: 0, sending: false, sentMs, fedMs: -Infinity }
      this.#followers.set(node, follower)
    }
    follower.epochs.set(shard, epoch)
  }

  unsubscribe(node: number, shards: Iterable<number>): void {
    const follower = this.#followers.get(node)
    if (follower === undefined) return
    for (const shard of shards) follower.epochs.delete(shard)
    if (follower.epochs.size === 0) this.#followers.delete(node)
  }

  /** Ends all feeds of a shard: this node leads it no more. */
  drop(shard: number): void {
    for (const { node } of [...this.#followers.values()]) this.unsubscribe(node, [shard])
  }

  push(shard: number, group: JournalGroup): void {
    for (const follower of this.#followers.values()) {
      if (!follower.epochs.has(shard)) continue
      enqueue(follower, shard, group)
      if (follower.queuedBytes > this.#settings.feedQueueBytesMax) this.#forget(follower)
      else if (!follower.sending) this.#sendSoon(follower)
    }
  }

  /** Proves to followers that heard nothing for long that they are fed; called once a tick. */
  keepAlive(): void {
    const nowMs = this.#runtime.clock.monotonicMs()
    for (const follower of this.#followers.values())
      if (!follower.sending && nowMs - follower.sentMs >= this.#settings.feedKeepaliveMs) void this.#send(follower)
  }

  /** With what becomes durable in the same turn: a journal answers for several shards at once. */
  #sendSoon(follower: Follower): void {
    follower.sending = true
    this.#runtime.timer.soon(() => { void this.#send(follower) })
  }

  async #send(follower: Follower): Promise<void> {
    const { clock, timer } = this.#runtime
    const { feedGatherMs, feedDeadlineMs: deadlineMs } = this.#settings
    follower.sending = true
    do {
      const gatherMs = follower.fedMs + feedGatherMs - clock.monotonicMs()
      if (gatherMs > 0) await sleep(timer, gatherMs)
      if (!this.#isFed(follower)) break
      const feeds = follower.queue
      follower.queue = []
      follower.queuedBytes = 0
      follower.sentMs = clock.monotonicMs()
      if (feeds.length > 0) follower.fedMs = follower.sentMs
      try {
        const request = { digest: feedDigest(follower.epochs), feeds }
        const { response } = await this.#transport.call(follower.node, feedCall, request, { deadlineMs })
        if (this.#isFed(follower)) this.unsubscribe(follower.node, response.unfollowed)
      } catch { // the follower notices the silence and reads the journal
        this.#forget(follower)
      }
    } while (follower.queue.length > 0 && this.#isFed(follower))
    follower.sending = false
  }

  #isFed(follower: Follower): boolean {
    return this.#followers.get(follower.node) === follower
  }

  #forget(follower: Follower): void {
    if (!this.#isFed(follower)) return
    this.#followers.delete(follower.node)
    this.#metrics.feedsDropped.add(1)
  }
}

function enqueue(follower: Follower, shard: number, { position: { epoch, seq }, afterCrc, crc, body }: JournalGroup): void {
  follower.queuedBytes += body.byteLength
  const queued = follower.queue.findLast((feed) => feed.shard === shard)
  if (queued !== undefined && queued.epoch === epoch && queued.nextSeq === seq) {
    queued.groups.push({ crc, body })
    queued.nextSeq += 1
  } else follower.queue.push({ shard, epoch, seq, afterCrc, groups: [{ crc, body }], nextSeq: seq + 1 })
}
