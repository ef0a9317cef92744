/**
 * The follower's side of feeds: keeps, for each leader, which shards it said it feeds, and when it last proved just that.
 * A leader that did not for long feeds nothing any more.
 */
import type { JournalGroup, Position } from '#shared/journal/journal.ts'
import { feedCall, subscribeCall, unsubscribeCall, type FeedRequest, type FeedResponse } from '#shared/rpc/feed.ts'
import type { Clock } from '#shared/runtime/runtime.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { feedDigest } from './feed-digest.ts'

export type FeedReceiverParts = {
  readonly transport: Transport
  readonly clock: Clock
  readonly settings: { readonly feedSilenceMs: number; readonly feedDeadlineMs: number }
  /** Takes a group; false: nobody reads the shard here. `body` may be kept. */
  readonly onGroup: (shard: number, group: JournalGroup) => boolean
  /** The leader was silent for so long that it may feed this shard no more. */
  readonly onLost: (shard: number) => void
}

type Leader = { readonly epochs: Map<number, number>; heardMs: number }

export class FeedReceiver {
  readonly #parts: FeedReceiverParts
  readonly #leaders = new Map<number, Leader>()

  constructor(parts: FeedReceiverParts) {
    this.#parts = parts
    parts.transport.serve(feedCall, async (request, { fromNode }) => this.#take(request, fromNode))
  }

  /** Asks a leader for feeds of shards. @returns those it leads, with the position up to which they were durable. */
  async subscribe(node: number, shards: readonly number[]): Promise<ReadonlyMap<number, Position>> {
    const { transport, clock, settings } = this.#parts
    const askedMs = clock.monotonicMs()
    const { response } = await transport.call(node, subscribeCall, { shards: [...shards] }, { deadlineMs: settings.feedDeadlineMs })
    let leader = this.#leaders.get(node)
    if (leader === undefined) this.#leaders.set(node, (leader = { epochs: new Map(), heardMs: askedMs }))
    leader.heardMs = Math.max(leader.heardMs, askedMs)
    for (const { shard, epoch } of response.led) leader.epochs.set(shard, epoch)
    return new Map(response.led.map(({ shard, epoch, seq }) => [shard, { epoch, seq }]))
  }

  /** Follows shards no more. */
  async unsubscribe(node: number, shards: readonly number[]): Promise<void> {
    const { transport, settings } = this.#parts
    this.forget(node, shards)
    await transport.call(node, unsubscribeCall, { shards: [...shards] }, { deadlineMs: settings.feedDeadlineMs })
  }

  forget(node: number, shards: readonly number[]): void {
    const leader = this.#leaders.get(node)
    if (leader === undefined) return
    for (const shard of shards) leader.epochs.delete(shard)
    if (leader.epochs.size === 0) this.#leaders.delete(node)
  }

  /** When `node` last proved that it feeds `shard` (monotonic ms), or null: it does not. */
  heardMs(node: number, shard: number): number | null {
    const leader = this.#leaders.get(node)
    return leader !== undefined && leader.epochs.has(shard) ? leader.heardMs : null
  }

  /** Gives up leaders that were silent for long; called once a tick. */
  dropSilent(): void {
    const { clock, settings, onLost } = this.#parts
    const nowMs = clock.monotonicMs()
    for (const [node, { epochs, heardMs }] of this.#leaders) {
      if (nowMs - heardMs <= settings.feedSilenceMs) continue
      this.#leaders.delete(node)
      for (const shard of epochs.keys()) onLost(shard)
    }
  }

  #take({ digest, feeds }: FeedRequest, fromNode: number): FeedResponse {
    const unfollowed: number[] = []
    for (const { shard, epoch, seq: first, afterCrc: firstAfterCrc, groups } of feeds) {
      let [seq, afterCrc] = [first, firstAfterCrc]
      for (const { crc, body } of groups) {
        const group = { position: { epoch, seq }, after: { epoch, seq: seq - 1 }, afterCrc, crc, body: Uint8Array.from(body) }
        if (!this.#parts.onGroup(shard, group)) { unfollowed.push(shard); break }
        [seq, afterCrc] = [seq + 1, crc]
      }
    }
    this.forget(fromNode, unfollowed)
    this.#hear(fromNode, digest)
    return { unfollowed }
  }

  /**
   * Where the two do not mean the same shards, the leader was not heard: a change of subscriptions on its way passes, and
   * what does not pass is silence in the end.
   */
  #hear(node: number, digest: number): void {
    const leader = this.#leaders.get(node)
    if (leader !== undefined && feedDigest(leader.epochs) === digest) leader.heardMs = this.#parts.clock.monotonicMs()
  }
}
