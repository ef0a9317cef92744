/**
 * The views of one node: opened on demand, fed by the shard's leader, stopped when nobody reads. A view that no leader
 * feeds tails the journal until one does. The catalog is followed always.
 */
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { CATALOG_SHARD, type Membership } from '#shared/cluster/membership.ts'
import { leaderOf, NO_NODE } from '#shared/cluster/placement.ts'
import {
  comparePositions, type Journal, type JournalGroup, type Position, type ShardJournal
} from '#shared/journal/journal.ts'
import { refusingJournal } from '#shared/journal/refusing-journal.ts'
import type { Log } from '#shared/log/log.ts'
import type { Cancel, Runtime } from '#shared/runtime/runtime.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { FeedReceiver } from './feed-receiver.ts'
import type { SnapshotStore } from './snapshot-store.ts'
import type { ShardView, ShardViews } from './shard-view.ts'
import { ViewRunner } from './view-runner.ts'

export type ViewKeeperSettings = {
  readonly viewIdleMs: number // a view that nobody read for so long stops
  readonly feedSilenceMs: number
  readonly feedDeadlineMs: number
}

export type ViewKeeperParts = {
  readonly nodeId: number
  readonly membership: Membership
  readonly journal: Journal
  readonly snapshots: SnapshotStore
  readonly transport: Transport
  readonly runtime: Runtime
  readonly log: Log
  readonly settings: ViewKeeperSettings
  /** Whether this node leads the shard, or is taking it up: then the leadership feeds the view. */
  readonly isLedHere: (shard: number) => boolean
}

type Kept = {
  readonly opened: Promise<ViewRunner>
  view: ViewRunner | null // once it is open
  fedBy: number // node, or NO_NODE
  asks: number // for a feed, in vain, since it was fed last
  cancelAsk: Cancel // of the next one
  stopTail: (() => void) | null
  failing: boolean
}

const ASK_AGAIN_MS = 100
const ASK_AGAIN_MS_MAX = 2_000

export class ViewKeeper implements ShardViews {
  readonly #parts: ViewKeeperParts
  readonly #receiver: FeedReceiver
  readonly #kept = new Map<number, Kept>()
  readonly #wanting = new Set<number>() // views that are to be subscribed
  #subscribeDue = false
  #stopping = false

  constructor(parts: ViewKeeperParts) {
    this.#parts = parts
    const { transport, runtime, settings } = parts
    this.#receiver = new FeedReceiver({
      transport, clock: runtime.clock, settings,
      onGroup: (shard, group) => this.#onGroup(shard, group),
      onLost: (shard) => { this.#lost(shard) }
    })
  }

  async view(shard: number): Promise<ShardView> {
    const view = await this.keep(shard)
    if (view.failure !== null) throw view.failure
    view.touch()
    return view
  }

  /** The view of a shard, opened if it is not; recovered, but maybe behind. @throws ZonewiseError as `view` */
  async keep(shard: number): Promise<ViewRunner> {
    if (this.#stopping) throw new ZonewiseError('STOPPING', 'node is stopping')
    const kept = this.#kept.get(shard) ?? this.#open(shard)
    return kept.view ?? kept.opened
  }

  /** The view of a shard if it is open. */
  opened(shard: number): ViewRunner | null {
    return this.#kept.get(shard)?.view ?? null
  }

  /** All open views. */
  all(): ViewRunner[] {
    return [...this.#kept.values()].flatMap(({ view }) => (view === null ? [] : [view]))
  }

  /** Other nodes lead, or this one does: views follow whoever leads now. */
  follow(): void {
    for (const shard of this.#kept.keys()) this.#followLeader(shard)
  }

  tick(): void {
    const { runtime, settings, isLedHere } = this.#parts
    this.#receiver.dropSilent()
    for (const [shard, kept] of this.#kept) {
      const { view } = kept
      if (view === null) continue
      if (isLedHere(shard)) { view.heard(runtime.clock.monotonicMs()); continue }
      // A shard that is about to be led here keeps its view: the leadership feeds this one and no other.
      // A quarantined one goes too: whoever asks next looks again.
      if (shard !== CATALOG_SHARD && view.idleMs > settings.viewIdleMs) this.#close(shard, kept)
      else if (view.failure !== null) continue
      else if (kept.fedBy !== NO_NODE) view.heard(this.#receiver.heardMs(kept.fedBy, shard) ?? 0)
      else this.#proveUnfed(shard, view)
    }
    if (!this.#kept.has(CATALOG_SHARD)) this.keep(CATALOG_SHARD).catch(() => {}) // said where it failed
  }

  stop(): void {
    this.#stopping = true
    for (const kept of this.#kept.values()) {
      kept.cancelAsk()
      kept.stopTail?.()
    }
  }

  #open(shard: number): Kept {
    const kept: Kept = {
      opened: this.#openView(shard).then((view) => { kept.view = view; return view }),
      view: null, fedBy: NO_NODE, asks: 0, cancelAsk: () => {}, stopTail: null, failing: false
    }
    this.#kept.set(shard, kept)
    // A view that could not be opened is forgotten, so that the next reader tries again.
    kept.opened.then(
      () => { this.#followLeader(shard) }, () => { if (this.#kept.get(shard) === kept) this.#kept.delete(shard) }
    )
    return kept
  }

  async #openView(shard: number): Promise<ViewRunner> {
    const { snapshots, runtime, log } = this.#parts
    const view = new ViewRunner({ shard, journal: await this.#journalOf(shard), snapshots, runtime, log })
    try {
      await view.recover()
    } catch (error) {
      if (view.failure === null) throw error // a quarantined view stays, and tells whoever asks
    }
    return view
  }

  /** One that is missing quarantines the shard when it is asked, as damage does. */
  #journalOf(shard: number): Promise<ShardJournal> {
    return this.#parts.journal.shard(shard).catch((error: unknown) => {
      if (error instanceof ZonewiseError && error.code === 'JOURNAL_MISSING') return refusingJournal(error)
      throw error
    })
  }

  #close(shard: number, kept: Kept): void {
    this.#kept.delete(shard)
    this.#wanting.delete(shard)
    kept.cancelAsk()
    kept.stopTail?.()
    if (kept.fedBy !== NO_NODE) this.#background(shard, this.#receiver.unsubscribe(kept.fedBy, [shard]))
  }

  /** Where the shard's leader is another one than the view is fed by, the feed is asked for there. */
  #followLeader(shard: number): void {
    const kept = this.#kept.get(shard)
    const { membership, nodeId, isLedHere } = this.#parts
    if (kept?.view == null || kept.view.failure !== null || this.#stopping) return
    const leader = leaderOf(membership.current(), shard)
    if (kept.fedBy !== NO_NODE && kept.fedBy !== leader) {
      this.#receiver.forget(kept.fedBy, [shard])
      kept.fedBy = NO_NODE
    }
    if (isLedHere(shard)) this.#stopTail(kept)
    else if (leader === nodeId) this.#background(shard, kept.view.catchUp()) // nobody feeds it until the shard is taken
    else if (kept.fedBy === NO_NODE) this.#want(shard)
  }

  /** The feed fell silent: the journal is followed at once, and the feed asked for again. */
  #lost(shard: number): void {
    const kept = this.#kept.get(shard)
    if (kept?.view == null) return
    kept.fedBy = NO_NODE
    if (!this.#parts.isLedHere(shard)) this.#tail(shard, kept, kept.view)
    this.#followLeader(shard)
  }

  /** Asks for the feed of a shard, with all others that want one of the same leader. */
  #want(shard: number): void {
    const kept = this.#kept.get(shard)
    if (kept === undefined || this.#stopping) return
    kept.fedBy = NO_NODE
    this.#wanting.add(shard)
    if (this.#subscribeDue) return
    this.#subscribeDue = true
    this.#parts.runtime.timer.soon(() => { this.#subscribeAll() })
  }

  #subscribeAll(): void {
    this.#subscribeDue = false
    const { membership, isLedHere, nodeId } = this.#parts
    const snapshot = membership.current()
    const shards = [...this.#wanting].filter((shard) => !isLedHere(shard))
    this.#wanting.clear()
    for (const [leader, led] of Map.groupBy(shards, (shard) => leaderOf(snapshot, shard)))
      if (leader !== nodeId) void this.#subscribe(leader, led)
  }

  async #subscribe(leader: number, shards: readonly number[]): Promise<void> {
    let led: ReadonlyMap<number, Position> = new Map()
    if (leader !== NO_NODE) {
      try {
        led = await this.#receiver.subscribe(leader, shards)
      } catch (error) {
        this.#parts.log.debug('feed not subscribed', { leader, shards: shards.length, reason: explain(error) })
      }
    }
    for (const shard of shards) this.#subscribed(shard, leader, led.get(shard) ?? null)
  }

  #subscribed(shard: number, leader: number, from: Position | null): void {
    const { membership, isLedHere } = this.#parts
    const kept = this.#kept.get(shard)
    if (this.#stopping) return
    // Closed meanwhile: the leader, if it heard, would prove for ever that it feeds an idle shard that nobody follows.
    if (kept === undefined && leader !== NO_NODE) this.#background(shard, this.#receiver.unsubscribe(leader, [shard]))
    if (kept?.view == null || isLedHere(shard)) return
    if (from === null || leaderOf(membership.current(), shard) !== leader) {
      this.#tail(shard, kept, kept.view)
      this.#askAgain(shard, kept)
      return
    }
    kept.fedBy = leader
    kept.asks = 0
    this.#stopTail(kept)
    if (comparePositions(kept.view.position, from) < 0) this.#background(shard, kept.view.catchUp())
  }

  /** A leader that was just taking up the shard, as at a start, is asked again soon. */
  #askAgain(shard: number, kept: Kept): void {
    const delayMs = Math.min(ASK_AGAIN_MS_MAX, ASK_AGAIN_MS * 2 ** Math.min(kept.asks++, 10))
    kept.cancelAsk() // each change of the cluster asks, too: without this each would go on for itself
    kept.cancelAsk = this.#parts.runtime.timer.after(delayMs, () => {
      if (this.#kept.get(shard) === kept) this.#followLeader(shard)
    })
  }

  /** Without a feed, the journal itself is followed. */
  #tail(shard: number, kept: Kept, view: ViewRunner): void {
    if (kept.stopTail !== null) return
    kept.stopTail = view.tail((work) => { this.#background(shard, work) })
    this.#background(shard, view.catchUp())
  }

  #stopTail(kept: Kept): void {
    kept.stopTail?.()
    kept.stopTail = null
  }

  /** Nobody proves that an unfed view is up to date but the journal. */
  #proveUnfed(shard: number, view: ViewRunner): void {
    this.#background(shard, view.barrier())
  }

  #onGroup(shard: number, group: JournalGroup): boolean {
    const kept = this.#kept.get(shard)
    if (kept === undefined) return false
    const { view } = kept
    if (view !== null && view.failure !== null) return false
    if (view !== null && !view.take(group)) this.#background(shard, view.catchUp())
    return true
  }

  /** Work nobody waits for: what fails is said once, and tried again by the tick. */
  #background(shard: number, work: Promise<void>): void {
    const kept = this.#kept.get(shard)
    const say = (failing: boolean, reason: string): void => {
      if (kept === undefined || kept.failing === failing || this.#stopping) return
      kept.failing = failing
      if (kept.view !== null && kept.view.failure !== null) return // said where the damage was found
      if (failing) this.#parts.log.warn('view cannot follow', { shard, reason })
      else this.#parts.log.info('view follows again', { shard })
    }
    work.then(() => { say(false, '') }, (error: unknown) => { say(true, explain(error)) })
  }
}
