/**
 * The leaderships of one node: takes up the shards that placement names once no other live node lists them, hands over
 * those that are to be led elsewhere, and ends all when the lease is lost. Shards are taken and handed over in parallel.
 */
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { CATALOG_SHARD, type Leases, type Membership } from '#shared/cluster/membership.ts'
import { NO_NODE, targetOf } from '#shared/cluster/placement.ts'
import type { Journal, JournalEnd, ShardJournal } from '#shared/journal/journal.ts'
import type { Log } from '#shared/log/log.ts'
import { prepareCall } from '#shared/rpc/feed.ts'
import { sleep, type Runtime } from '#shared/runtime/runtime.ts'
import type { Transport } from '#shared/transport/transport.ts'
import type { FeedSender } from './feed-sender.ts'
import { Leadership, type LeadershipSettings } from './leadership.ts'
import type { ShardMetrics } from './metrics.ts'
import type { ShardLeader, ShardLeaders } from './shard-leader.ts'
import { cloneState } from './snapshot.ts'
import type { Snapshotter } from './snapshotter.ts'
import type { ViewKeeper } from './view-keeper.ts'
import type { ViewRunner } from './view-runner.ts'

export type LeadKeeperParts = {
  readonly nodeId: number
  readonly leads: boolean // false on a node without the broker role
  readonly membership: Membership
  readonly leases: Leases
  readonly journal: Journal
  readonly transport: Transport
  readonly views: ViewKeeper
  readonly feeds: FeedSender
  readonly snapshotter: Snapshotter
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: ShardMetrics
  readonly settings: LeadershipSettings & { readonly handOverMs: number }
}

export class LeadKeeper implements ShardLeaders {
  readonly #parts: LeadKeeperParts
  readonly #leaderships = new Map<number, Leadership>() // those that decide
  readonly #ending = new Map<number, Leadership>() // those that are handed over: they decide nothing new
  readonly #taking = new Set<number>()
  readonly #untaken = new Map<number, string>() // why a shard cannot be taken up, as it was said
  readonly #onLead: ((leader: ShardLeader) => void)[] = []
  readonly #unwatchLease: () => void
  readonly #unwatchRegistry: () => void
  #stopping = false

  constructor(parts: LeadKeeperParts) {
    this.#parts = parts
    this.#unwatchLease = parts.leases.onLost(() => {
      this.#endAll(new ZonewiseError('JOURNAL_UNSETTLED', 'the lease of this node was lost'))
    })
    // The journals lie where the registry does: an idle leader would not notice that they are gone.
    this.#unwatchRegistry = parts.leases.onForgotten(() => {
      for (const leadership of this.#leaderships.values()) void this.#prove(leadership)
    })
  }

  leader(shard: number): Leadership | null {
    return this.#leaderships.get(shard) ?? null
  }

  onLead(fn: (leader: ShardLeader) => void): void {
    this.#onLead.push(fn)
    for (const leadership of this.#leaderships.values()) fn(leadership)
  }

  /** Whether the view of the shard is fed by a leadership here, or is about to be. */
  isLedHere(shard: number): boolean {
    return this.#leaderships.has(shard) || this.#ending.has(shard) || this.#taking.has(shard)
  }

  /** Shards led here. */
  led(): number[] {
    return [...this.#leaderships.keys()]
  }

  /** Shards that this node should lead and does not. */
  missing(): number[] {
    return this.#shards().filter((shard) => this.#isMine(shard) && !this.#leaderships.has(shard))
  }

  /** Membership changed, or time passed: takes up and hands over what that asks for. */
  follow(): void {
    if (this.#stopping) return
    const { nodeId, membership, log } = this.#parts
    for (const shard of this.missing()) {
      if (!this.#mayTake(shard)) continue
      this.#take(shard).then(() => { this.#untaken.delete(shard) }, (error: unknown) => {
        const reason = explain(error)
        if (!this.#stopping && this.#untaken.get(shard) !== reason) log.warn('shard cannot be taken up', { shard, reason })
        this.#untaken.set(shard, reason)
      })
    }
    for (const leadership of [...this.#leaderships.values()]) {
      const target = targetOf(membership.current(), leadership.shard)
      if (target !== nodeId && target !== NO_NODE) void this.#handOver(leadership, target)
    }
  }

  /** Resolves when placement has moved every shard to another node and that was done, or after `withinMs`. */
  async handedOver(withinMs: number): Promise<void> {
    const { runtime: { clock, timer }, nodeId, membership } = this.#parts
    const endMs = clock.monotonicMs() + withinMs
    const goes = (): boolean => [...this.#leaderships.values(), ...this.#ending.values()]
      .some(({ shard }) => targetOf(membership.current(), shard) !== nodeId)
    while (goes() && clock.monotonicMs() < endMs) await new Promise<void>((resolve) => { timer.after(LOOK_MS, resolve) })
  }

  /** Leads no more: lets appends settle, writes a snapshot of each shard that changed, ends. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#unwatchLease()
    this.#unwatchRegistry()
    const { views, snapshotter } = this.#parts
    snapshotter.stop()
    await Promise.all([...this.#leaderships.values(), ...this.#ending.values()].map(async (leadership) => {
      await leadership.drained()
      leadership.end(new ZonewiseError('STOPPING', 'node is stopping'))
      const view = views.opened(leadership.shard)
      if (view !== null) await snapshotter.write(view, leadership.epoch)
    }))
  }

  /** Ends at once, as a crash would: nothing is flushed. */
  kill(): void {
    this.#stopping = true
    this.#unwatchLease()
    this.#unwatchRegistry()
    this.#endAll(new ZonewiseError('STOPPING', 'node died'))
  }

  /** Until the journal shows that it leads, or that it does not: then it ends by itself. */
  async #prove(leadership: Leadership): Promise<void> {
    while (!leadership.ended.aborted) {
      if (await leadership.proof().then(() => true, () => false)) return
      await sleep(this.#parts.runtime.timer, PROVE_AGAIN_MS)
    }
  }

  #endAll(error: ZonewiseError): void {
    for (const leadership of [...this.#leaderships.values(), ...this.#ending.values()]) leadership.end(error)
  }

  #shards(): number[] {
    const { membership, leads } = this.#parts
    return leads ? [...Array(membership.current().shardCount).keys(), CATALOG_SHARD] : []
  }

  #isMine(shard: number): boolean {
    const { membership, nodeId } = this.#parts
    return !this.#stopping && targetOf(membership.current(), shard) === nodeId
  }

  /** No other live node lists the shard, this node's own lease holds, and it is not just being taken or let go. */
  #mayTake(shard: number): boolean {
    const { membership, nodeId, leases } = this.#parts
    const lister = membership.current().leases?.get(shard)?.nodeId ?? nodeId
    return lister === nodeId && leases.isHeld && !this.#taking.has(shard) && !this.#ending.has(shard)
  }

  async #take(shard: number): Promise<void> {
    this.#taking.add(shard)
    try {
      const { views, journal, runtime } = this.#parts
      const view = await views.keep(shard)
      if (view.failure !== null || !this.#isMine(shard)) return
      const shardJournal = await journal.shard(shard)
      const ledMs = runtime.clock.monotonicMs()
      const led = await this.#lead(shardJournal, view)
      await view.barrier()
      // It may have moved on meanwhile: whoever has it now leads again.
      if (this.#isMine(shard)) this.#begin(view, shardJournal, led, ledMs)
    } finally {
      this.#taking.delete(shard)
      this.#parts.views.follow()
    }
  }

  /** @throws ZonewiseError: a journal that does not reach what the view has quarantines the view */
  async #lead(journal: ShardJournal, view: ViewRunner): Promise<JournalEnd> {
    const listedEpoch = this.#parts.membership.current().leases?.get(view.shard)?.epoch ?? 0
    try {
      return await journal.lead(Math.max(view.position.epoch, listedEpoch), view.position)
    } catch (error) {
      if (error instanceof ZonewiseError && error.code === 'JOURNAL_MISSING') throw view.quarantine(error)
      throw error
    }
  }

  #begin(view: ViewRunner, journal: ShardJournal, led: JournalEnd, ledMs: number): void {
    const { runtime, log, metrics, settings, leases, feeds, snapshotter } = this.#parts
    const { shard } = view
    const leadership = new Leadership({
      shard, led, ledMs, journal, runtime, log, metrics, settings, state: cloneState(view.state),
      onDurable: (group) => {
        if (!view.take(group)) view.catchUp().catch((error: unknown) => { log.warn('view cannot follow', { shard, reason: explain(error) }) })
        feeds.push(shard, group)
        snapshotter.writeIfDue(view, led.position.epoch)
      },
      onEnd: (error) => { this.#ended(leadership, view, error) },
      onFull: () => { this.#makeRoom() }
    })
    this.#leaderships.set(shard, leadership)
    leases.list(shard, led.position.epoch)
    metrics.takeovers.add(1)
    log.debug('leading shard', { shard, epoch: led.position.epoch })
    for (const fn of this.#onLead) fn(leadership)
  }

  /** Snapshots become due by appends, which a full journal refuses: what is led here lets go of what it can now. */
  #makeRoom(): void {
    const { views, snapshotter } = this.#parts
    for (const { shard, epoch } of this.#leaderships.values()) {
      const view = views.opened(shard)
      if (view !== null) void snapshotter.write(view, epoch)
    }
  }

  #ended(leadership: Leadership, view: ViewRunner, error: ZonewiseError): void {
    const { feeds, leases, log, metrics, views } = this.#parts
    const { shard } = leadership
    if (error.code === 'JOURNAL_MISSING') view.quarantine(error)
    if (this.#leaderships.get(shard) === leadership) this.#leaderships.delete(shard)
    this.#ending.delete(shard)
    feeds.drop(shard)
    metrics.ends.add(1)
    void leases.unlist(shard)
    if (this.#stopping) return
    if (error.code === 'NOT_LEADER') {
      view.letGo()
      log.info('shard handed over', { shard })
    } else log.warn('leadership ended', { shard, reason: explain(error) })
    views.follow()
  }

  /**
   * The next leader opens its view first; then nothing new is decided here, what was is let settle, and the shard is taken
   * off the list: only then does anybody else take it.
   */
  async #handOver(leadership: Leadership, target: number): Promise<void> {
    const { transport, settings, leases, log, membership, nodeId } = this.#parts
    const { shard } = leadership
    if (this.#ending.has(shard)) return
    this.#ending.set(shard, leadership)
    try {
      await transport.call(target, prepareCall, { shard }, { deadlineMs: settings.handOverMs })
    } catch (error) {
      log.debug('next leader is not prepared', { shard, target, reason: explain(error) }) // it takes a little longer then
    }
    if (targetOf(membership.current(), shard) === nodeId) { // placement thought better of it
      this.#ending.delete(shard)
      return
    }
    this.#leaderships.delete(shard)
    await leadership.drained()
    if (leadership.ended.aborted) return
    await leases.unlist(shard)
    leadership.end(new ZonewiseError('NOT_LEADER', 'shard moved', { shard }))
  }
}

const LOOK_MS = 20
const PROVE_AGAIN_MS = 1_000
