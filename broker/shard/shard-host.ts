/**
 * The shards of one node: leads those that placement names, keeps views of those that are read here (of the catalog
 * always), serves and follows feeds. Leads are taken up in parallel and taken again after a fence, as placement says.
 */
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { CATALOG_SHARD, type Membership } from '#shared/cluster/membership.ts'
import { leaderOf } from '#shared/cluster/placement.ts'
import type { Journal } from '#shared/journal/journal.ts'
import { LimitedLog } from '#shared/log/limited-log.ts'
import type { Log } from '#shared/log/log.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import { feedCall, subscribeCall } from '#shared/rpc/feed.ts'
import { sleep, type Cancel, type Runtime } from '#shared/runtime/runtime.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { FeedSender } from './feed-sender.ts'
import { Leadership } from './leadership.ts'
import { type ShardGauges, ShardMetrics } from './metrics.ts'
import type { ShardLeader, ShardLeaders } from './shard-leader.ts'
import { SnapshotStore } from './snapshot-store.ts'
import type { ShardState } from './shard-state.ts'
import type { ShardView, ShardViews } from './shard-view.ts'
import { cloneState } from './snapshot.ts'
import { ViewRunner } from './view-runner.ts'

export type ShardHostSettings = {
  readonly journalSettleMs: number
  readonly groupBytesMax: number
  readonly feedQueueBytesMax: number
  readonly feedDeadlineMs: number
  readonly snapshotJournalBytes: number // a snapshot is due
  readonly viewIdleMs: number // a view that nobody read for so long stops
}

export type ShardHostParts = {
  readonly nodeId: number
  readonly leads: boolean // false on a node without the broker role: it follows the catalog only
  readonly membership: Membership
  readonly journal: Journal
  readonly store: ObjectStore
  readonly transport: Transport
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics?: ShardMetrics
  readonly settings: ShardHostSettings
}

type Followed = { readonly view: Promise<ViewRunner>; ready: ViewRunner | null; fedMs: number; subscribed: boolean; askingAgain: boolean; snapshotting: boolean; snapshotFailures: number }

const TICK_MS = 1_000
const RETRY_MS = 100
const SNAPSHOT_RETRY_MS_MAX = 30_000

export class ShardHost implements ShardLeaders, ShardViews {
  readonly #parts: ShardHostParts
  readonly #snapshots: SnapshotStore
  readonly #limited: LimitedLog
  readonly #feeds: FeedSender
  readonly #metrics: ShardMetrics
  readonly #followed = new Map<number, Followed>()
  readonly #leaderships = new Map<number, Leadership>()
  readonly #taking = new Set<number>()
  readonly #onLead: ((leader: ShardLeader) => void)[] = []
  #unwatch: () => void = () => {}
  #cancelTick: Cancel = () => {}
  #stopping = false

  constructor(parts: ShardHostParts) {
    this.#parts = parts
    this.#snapshots = new SnapshotStore(parts.store, parts.membership.current().clusterId, parts.log)
    this.#limited = new LimitedLog(parts.log, parts.runtime.clock)
    this.#metrics = parts.metrics ?? new ShardMetrics(new Metrics(), '')
    this.#feeds = new FeedSender(parts.transport, parts.settings, this.#metrics)
    this.#metrics.watch({ shards: () => this.#gauges(), feedCount: () => this.#feeds.followerCount })
    parts.transport.serve(subscribeCall, ({ shard, on }, { fromNode }) => {
      if (on === 0) this.#feeds.unsubscribe(shard, fromNode)
      else if (this.#leaderships.has(shard)) this.#feeds.subscribe(shard, fromNode)
      return Promise.resolve({ leader: this.#leaderships.has(shard) ? 1 : 0 })
    })
    parts.transport.serve(feedCall, ({ shard, groups }) => {
      const followed = this.#followed.get(shard)
      if (followed === undefined) return Promise.resolve({ following: 0 })
      followed.fedMs = parts.runtime.clock.monotonicMs()
      const view = followed.ready
      if (view !== null && view.failure !== null) return Promise.resolve({ following: 0 })
      for (const { epoch, seq, afterEpoch, afterSeq, afterCrc, crc, body } of groups)
        if (view !== null && !view.take({ position: { epoch, seq }, after: { epoch: afterEpoch, seq: afterSeq }, afterCrc, crc, body: Uint8Array.from(body) }))
          this.#background(view.catchUp(), shard)
      return Promise.resolve({ following: 1 })
    })
  }

  start(): void {
    this.#unwatch = this.#parts.membership.watch(() => this.#followPlacement())
    this.#tickLater()
    this.#followPlacement()
    this.view(CATALOG_SHARD).catch(() => {}) // said where it failed; the tick tries again
  }

  leader(shard: number): Leadership | null {
    return this.#leaderships.get(shard) ?? null
  }

  onLead(fn: (leader: ShardLeader) => void): void {
    this.#onLead.push(fn)
    for (const leadership of this.#leaderships.values()) fn(leadership)
  }

  /** The view that a leadership of this node rests on, for its bounds. */
  journalBytes(shard: number): number {
    return this.#followed.get(shard)?.ready?.bytesSinceSnapshot ?? 0
  }

  async view(shard: number): Promise<ShardView> {
    if (this.#stopping) throw new ZonewiseError('STOPPING', 'node is stopping')
    const followed = this.#follow(shard)
    const view = followed.ready ?? await followed.view
    if (view.failure !== null) throw view.failure
    view.touch()
    return view
  }

  /** Shards that this node should lead and does not, for readiness. */
  missing(): number[] {
    return this.#mine().filter((shard) => !this.#leaderships.has(shard))
  }

  /** Of the shards that this node leads, as far as they are durable. */
  durableStates(): ShardState[] {
    return [...this.#leaderships.keys()].flatMap((shard) => this.#followed.get(shard)?.ready?.state ?? [])
  }

  /** Why a shard is quarantined here, or null. */
  failure(shard: number): ZonewiseError | null {
    return this.#followed.get(shard)?.ready?.failure ?? null
  }

  /** Leads no more: lets appends settle, writes a snapshot of each shard that changed, ends. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#unwatch()
    this.#cancelTick()
    await Promise.all([...this.#leaderships.values()].map(async (leadership) => {
      await leadership.drained()
      leadership.end(new ZonewiseError('STOPPING', 'node is stopping'))
      const followed = this.#followed.get(leadership.shard)
      if (followed?.ready != null && followed.ready.bytesSinceSnapshot > 0) await this.#snapshot(followed, followed.ready, leadership.epoch)
    }))
  }

  /** Ends at once, as a crash would: nothing is flushed. */
  kill(): void {
    this.#stopping = true
    this.#unwatch()
    this.#cancelTick()
    for (const leadership of this.#leaderships.values()) leadership.end(new ZonewiseError('STOPPING', 'node died'))
  }

  #gauges(): ShardGauges[] {
    const nowMs = this.#parts.runtime.clock.monotonicMs()
    return [...this.#followed].flatMap(([shard, { ready, fedMs }]): ShardGauges[] => {
      if (ready === null) return []
      const isLeading = this.#leaderships.has(shard)
      return [{
        shard, isLeading, isQuarantined: ready.failure !== null, position: ready.position,
        fedAgeSeconds: isLeading ? 0 : (nowMs - fedMs) / 1_000, journalBytes: ready.bytesSinceSnapshot
      }]
    })
  }

  #mine(): number[] {
    if (!this.#parts.leads) return []
    const snapshot = this.#parts.membership.current()
    const shards = [...Array(snapshot.shardCount).keys(), CATALOG_SHARD]
    return shards.filter((shard) => leaderOf(snapshot, shard) === this.#parts.nodeId)
  }

  #isMine(shard: number): boolean {
    return !this.#stopping && leaderOf(this.#parts.membership.current(), shard) === this.#parts.nodeId
  }

  #followPlacement(): void {
    if (this.#stopping) return
    const mine = new Set(this.#mine())
    for (const shard of mine) if (!this.#leaderships.has(shard)) this.#background(this.#takeShard(shard), shard)
    for (const leadership of this.#leaderships.values())
      if (!mine.has(leadership.shard)) this.#background(leadership.drained().then(() => leadership.end(new ZonewiseError('NOT_LEADER', 'shard moved', { shard: leadership.shard }))), leadership.shard)
    for (const [shard, followed] of this.#followed) {
      followed.subscribed = false
      this.#background(this.#subscribe(shard, followed), shard)
    }
  }

  async #takeShard(shard: number): Promise<void> {
    if (this.#taking.has(shard)) return
    this.#taking.add(shard)
    try {
      const { runtime, log, settings } = this.#parts
      const followed = this.#follow(shard)
      const view = await followed.view
      if (view.failure !== null || !this.#isMine(shard)) return
      const journal = await this.#parts.journal.shard(shard)
      const ledMs = runtime.clock.monotonicMs()
      const led = await journal.lead(view.position.epoch)
      await view.barrier()
      if (!this.#isMine(shard)) return // it moved on meanwhile: whoever has it now leads again
      const leadership = new Leadership({
        shard, led, ledMs, journal, runtime, log, metrics: this.#metrics, settings, state: cloneState(view.state),
        onDurable: (group) => {
          if (!view.take(group)) this.#background(view.catchUp(), shard)
          this.#feeds.push(shard, group)
          if (view.bytesSinceSnapshot >= settings.snapshotJournalBytes && !followed.snapshotting)
            this.#background(this.#snapshot(followed, view, led.position.epoch).then(() => {}), shard)
        },
        onEnd: (error) => {
          this.#leaderships.delete(shard)
          this.#metrics.ends.add(1)
          this.#feeds.drop(shard)
          if (!this.#stopping) log.warn('leadership ended', { shard, reason: explain(error) })
        }
      })
      this.#leaderships.set(shard, leadership)
      this.#metrics.takeovers.add(1)
      log.debug('leading shard', { shard, epoch: led.position.epoch })
      for (const fn of this.#onLead) fn(leadership)
    } finally {
      this.#taking.delete(shard)
    }
  }

  #follow(shard: number): Followed {
    const known = this.#followed.get(shard)
    if (known !== undefined) return known
    const followed: Followed = {
      view: this.#openView(shard).then((view) => {
        followed.ready = view
        return view
      }),
      ready: null, fedMs: this.#parts.runtime.clock.monotonicMs(), subscribed: false, askingAgain: false, snapshotting: false, snapshotFailures: 0
    }
    this.#followed.set(shard, followed)
    // A view that could not be opened is forgotten, so that the next reader tries again.
    followed.view.then(() => this.#subscribe(shard, followed), () => {
      if (this.#followed.get(shard) === followed) this.#followed.delete(shard)
    })
      .catch((error: unknown) => this.#parts.log.warn('feed not subscribed', { shard, reason: explain(error) }))
    return followed
  }

  async #openView(shard: number): Promise<ViewRunner> {
    const { journal, runtime, log } = this.#parts
    const view = new ViewRunner({ shard, journal: await journal.shard(shard), snapshots: this.#snapshots, runtime, log })
    try {
      await view.recover()
    } catch (error) {
      if (view.failure === null) throw error // a quarantined view stays, and tells whoever asks
    }
    return view
  }

  /** Asks the leader for its feed, then closes the gap up to it from the journal. */
  async #subscribe(shard: number, followed: Followed): Promise<void> {
    const leader = leaderOf(this.#parts.membership.current(), shard)
    if (followed.ready === null || followed.ready.failure !== null || followed.subscribed || this.#stopping) return
    if (leader === this.#parts.nodeId) {
      followed.subscribed = true
      if (!this.#leaderships.has(shard)) await followed.ready.catchUp() // nobody feeds it until the shard is taken
      return
    }
    try {
      const { response } = await this.#parts.transport.call(leader, subscribeCall, { shard, on: 1 }, { deadlineMs: TICK_MS })
      followed.subscribed = response.leader === 1
      followed.fedMs = this.#parts.runtime.clock.monotonicMs()
    } catch {
      followed.subscribed = false // the leader is away
    }
    if (!followed.subscribed) this.#askAgain(shard, followed)
    await followed.ready.catchUp()
  }

  /** A leader that was just taking up the shard, as at a start, is asked again before the tick would. */
  #askAgain(shard: number, followed: Followed): void {
    if (followed.askingAgain) return
    followed.askingAgain = true
    this.#parts.runtime.timer.after(RETRY_MS, () => {
      followed.askingAgain = false
      if (this.#followed.get(shard) === followed) this.#background(this.#subscribe(shard, followed), shard)
    })
  }

  #tickLater(): void {
    this.#cancelTick = this.#parts.runtime.timer.after(TICK_MS, () => { this.#tick(); this.#tickLater() })
  }

  #tick(): void {
    for (const shard of this.missing()) this.#background(this.#takeShard(shard), shard)
    const nowMs = this.#parts.runtime.clock.monotonicMs()
    for (const [shard, followed] of this.#followed) {
      const view = followed.ready
      if (view === null || this.#leaderships.has(shard)) continue
      // A shard that is about to be led here keeps its view: the leadership feeds this one and no other.
      const isIdle = shard !== CATALOG_SHARD && !this.#taking.has(shard) && nowMs - view.touchedMs > this.#parts.settings.viewIdleMs
      if (isIdle) this.#background(this.#unfollow(shard), shard) // a quarantined one too: whoever asks next looks again
      else if (nowMs - followed.fedMs > TICK_MS) {
        followed.subscribed = false
        this.#background(this.#subscribe(shard, followed), shard)
      }
    }
    this.#follow(CATALOG_SHARD)
  }

  async #unfollow(shard: number): Promise<void> {
    this.#followed.delete(shard)
    const leader = leaderOf(this.#parts.membership.current(), shard)
    if (leader !== this.#parts.nodeId) await this.#parts.transport.call(leader, subscribeCall, { shard, on: 0 }, { deadlineMs: TICK_MS })
  }

  async #snapshot(followed: Followed, view: ViewRunner, epoch: number): Promise<void> {
    if (followed.snapshotting || view.failure !== null) return
    followed.snapshotting = true
    const { shard } = view
    try {
      const { bytesSinceSnapshot } = view
      const { clock } = this.#parts.runtime
      const begunMs = clock.monotonicMs()
      await this.#snapshots.write(view.durable)
      this.#metrics.snapshotSeconds.observe((clock.monotonicMs() - begunMs) / 1_000)
      view.snapshotTaken(bytesSinceSnapshot)
      followed.snapshotFailures = 0
      const to = await this.#snapshots.trimmable(shard)
      if (to !== null) await (await this.#parts.journal.shard(shard)).trim(epoch, to)
      await this.#snapshots.prune(shard)
    } catch (error) {
      this.#metrics.snapshotFailures.add(1)
      this.#parts.log.warn('snapshot not written', { shard, reason: explain(error) })
      if (!this.#stopping) await sleep(this.#parts.runtime.timer, Math.min(SNAPSHOT_RETRY_MS_MAX, RETRY_MS * 2 ** followed.snapshotFailures++))
    } finally {
      followed.snapshotting = false
    }
  }

  /** Work nobody waits for: what fails is said, and tried again by the tick. */
  #background(work: Promise<void>, shard: number): void {
    work.catch((error: unknown) => {
      const isSaid = error instanceof ZonewiseError && error.code === 'SHARD_QUARANTINED'
      if (!this.#stopping && !isSaid) this.#limited.warn('shard work failed', { shard, reason: explain(error) })
    })
  }
}
