/**
 * The shards of one node: views of those that are read here (of the catalog always), leaderships of those that placement
 * names, feeds between the two over nodes. Puts the keepers of each together and gives them the ticks.
 */
import type { Leases, Membership } from '#shared/cluster/membership.ts'
import type { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Journal } from '#shared/journal/journal.ts'
import type { Log } from '#shared/log/log.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import { prepareCall, subscribeCall, unsubscribeCall } from '#shared/rpc/feed.ts'
import type { Cancel, Runtime } from '#shared/runtime/runtime.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { FeedSender, type FeedSettings } from './feed-sender.ts'
import { LeadKeeper, type LeadKeeperParts } from './lead-keeper.ts'
import type { Leadership } from './leadership.ts'
import { type ShardGauges, ShardMetrics } from './metrics.ts'
import type { ShardLeader, ShardLeaders } from './shard-leader.ts'
import type { ShardState } from './shard-state.ts'
import { SnapshotStore } from './snapshot-store.ts'
import { Snapshotter, type SnapshotterParts } from './snapshotter.ts'
import type { ShardView, ShardViews } from './shard-view.ts'
import { ViewKeeper, type ViewKeeperSettings } from './view-keeper.ts'

export type ShardHostSettings =
  FeedSettings & ViewKeeperSettings & LeadKeeperParts['settings'] & SnapshotterParts['settings']

export type ShardHostParts = {
  readonly nodeId: number
  readonly leads: boolean // false on a node without the broker role: it follows the catalog only
  readonly membership: Membership
  readonly leases: Leases
  readonly journal: Journal
  readonly store: ObjectStore
  readonly transport: Transport
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics?: ShardMetrics
  readonly settings: ShardHostSettings
}

const TICK_MS = 1_000

export class ShardHost implements ShardLeaders, ShardViews {
  readonly #parts: ShardHostParts
  readonly #feeds: FeedSender
  readonly #views: ViewKeeper
  readonly #leads: LeadKeeper
  #isStarted = false
  #unwatch: () => void = () => {}
  #cancelTick: Cancel = () => {}

  constructor(parts: ShardHostParts) {
    this.#parts = parts
    const { transport, runtime, settings, store, membership, log } = parts
    const snapshots = new SnapshotStore(store, membership.current().clusterId, log)
    const metrics = parts.metrics ?? new ShardMetrics(new Metrics(), '')
    this.#feeds = new FeedSender(transport, runtime, settings, metrics)
    this.#views = new ViewKeeper({ ...parts, snapshots, isLedHere: (shard) => this.#leads.isLedHere(shard) })
    const snapshotter = new Snapshotter({ ...parts, snapshots, metrics })
    this.#leads = new LeadKeeper({ ...parts, views: this.#views, feeds: this.#feeds, snapshotter, metrics })
    metrics.watch({ shards: () => this.#gauges(), feedCount: () => this.#feeds.load.followers })
    transport.serve(subscribeCall, async ({ shards }, { fromNode }) => ({ led: shards.flatMap((shard) => this.#subscribe(shard, fromNode)) }))
    transport.serve(unsubscribeCall, async ({ shards }, { fromNode }) => {
      this.#feeds.unsubscribe(fromNode, shards)
      return {}
    })
    transport.serve(prepareCall, async ({ shard }) => {
      await this.#views.view(shard)
      return { ready: 1 }
    })
  }

  /** May be called again: a node tries to start until what it needs is there. */
  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.#unwatch = this.#parts.membership.watch(() => { this.#follow() })
    this.#tick()
    this.#follow()
  }

  leader(shard: number): Leadership | null {
    return this.#leads.leader(shard)
  }

  onLead(fn: (leader: ShardLeader) => void): void {
    this.#leads.onLead(fn)
  }

  /** Journal bytes of a shard led here that no snapshot holds, for its bound. */
  journalBytes(shard: number): number {
    return this.#views.opened(shard)?.bytesSinceSnapshot ?? 0
  }

  /** Followers that this node feeds, and bytes queued for them. */
  get feedLoad(): { readonly followers: number; readonly queuedBytes: number } {
    return this.#feeds.load
  }

  view(shard: number): Promise<ShardView> {
    return this.#views.view(shard)
  }

  /** Shards that this node should lead and does not, for readiness. */
  missing(): number[] {
    return this.#leads.missing()
  }

  /** Of the shards that this node leads, as far as they are durable. */
  durableStates(): ShardState[] {
    return this.#leads.led().flatMap((shard) => this.#views.opened(shard)?.state ?? [])
  }

  /** Why a shard is quarantined here, or null. */
  failure(shard: number): ZonewiseError | null {
    return this.#views.opened(shard)?.failure ?? null
  }

  /** Waits until shards that placement moved elsewhere are led there, for at most `withinMs`. */
  handedOver(withinMs: number): Promise<void> {
    return this.#leads.handedOver(withinMs)
  }

  /** Leads no more: lets appends settle, writes a snapshot of each shard that changed, ends. */
  async stop(): Promise<void> {
    this.#end()
    await this.#leads.stop()
  }

  /** Ends at once, as a crash would: nothing is flushed. */
  kill(): void {
    this.#end()
    this.#leads.kill()
  }

  #end(): void {
    this.#unwatch()
    this.#cancelTick()
    this.#views.stop()
  }

  #gauges(): ShardGauges[] {
    return this.#views.all().map(({ shard, failure, position, ageMs, bytesSinceSnapshot }): ShardGauges => {
      const isLeading = this.#leads.leader(shard) !== null
      const fedAgeSeconds = isLeading ? 0 : ageMs / 1_000
      return { shard, isLeading, isQuarantined: failure !== null, position, fedAgeSeconds, journalBytes: bytesSinceSnapshot }
    })
  }

  #follow(): void {
    this.#leads.follow()
    this.#views.follow()
  }

  #subscribe(shard: number, node: number): { shard: number; epoch: number; seq: number }[] {
    const leadership = this.#leads.leader(shard)
    if (leadership === null) return []
    this.#feeds.subscribe(node, shard, leadership.epoch)
    const { epoch, seq } = leadership.position
    return [{ shard, epoch, seq }]
  }

  #tick(): void {
    this.#leads.follow()
    this.#views.tick()
    this.#feeds.keepAlive()
    this.#cancelTick = this.#parts.runtime.timer.after(TICK_MS, () => { this.#tick() })
  }
}
