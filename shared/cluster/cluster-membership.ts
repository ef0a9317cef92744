/**
 * Membership of a node among others: announces the node, renews its lease, and turns what the registry knows into
 * snapshots. One renewal is in flight; what changes meanwhile goes with the next.
 * While the registry is away the last snapshot stays; a lease that could not be renewed in time is lost, and said so.
 * After an outage in which all entries may have run out, nodes known before are kept until they had time to come back,
 * so that the first one back does not take all shards.
 */
import { explain, ZonewiseError } from '../errors/zonewise-error.ts'
import type { Log } from '../log/log.ts'
import { Coalesced } from '../runtime/coalesced.ts'
import { sleep, type Cancel, type Runtime } from '../runtime/runtime.ts'
import { decodeAnnouncement, encodeAnnouncement, type Announcement } from './announcement.ts'
import type { VersionRange } from './cluster-version.ts'
import type { AnnouncedClock, ClusterSnapshot, Leases, Membership, NodeInfo } from './membership.ts'
import type { Registry, RegistryState } from './registry.ts'
import { snapshotOf } from './registry-plan.ts'

export type ClusterMembershipParts = {
  readonly registry: Registry
  readonly runtime: Runtime
  readonly log: Log
  readonly clusterId: string
  readonly shardCount: number
  readonly own: NodeInfo
  readonly software: string
  readonly formats: VersionRange
  readonly settings: { readonly leaseMs: number; readonly leaseRenewMs: number }
  /** Share of its capacity that the node uses, 0 to 1: shown, never used to place. */
  readonly load: () => number
  /** A newer life of this node runs: this one must stop. Called once. */
  readonly onSuperseded: (error: ZonewiseError) => void
}

const HOLDER_LOOK_MS = 100
const GRACE_RENEWALS = 2
const CLOCKS_READ_MS = 60_000 // clocks creep: what was heard a minute ago tells a jump all the same

export class ClusterMembership implements Membership, Leases {
  readonly #parts: ClusterMembershipParts
  readonly #watchers = new Set<(snapshot: ClusterSnapshot) => void>()
  readonly #lostWatchers = new Set<() => void>()
  readonly #forgottenWatchers = new Set<() => void>()
  readonly #led = new Map<number, number>()
  #info: NodeInfo
  #snapshot: ClusterSnapshot | null = null
  #announced: readonly Announcement[] = []
  #renewedMs = -Infinity // begin of the newest renewal that succeeded
  #graceEndsMs = -Infinity
  #reachable = true
  #held = false // the lease, as far as this node knows
  readonly #renewals = new Coalesced(() => this.#renewOnce()) // one that has not begun takes what is set until then
  #cancelTick: Cancel = () => {}
  #stopHints: () => void = () => {}
  #clocks: ReadonlyMap<number, AnnouncedClock> = new Map()
  #clocksReadMs = -Infinity // when it was begun, or tried
  #left = false

  constructor(parts: ClusterMembershipParts) {
    this.#parts = parts
    this.#info = parts.own
  }

  /**
   * Waits for an older life of the node to be found dead, announces this one and resolves with the first snapshot.
   * @throws ZonewiseError NODE_ID_TAKEN: another process renews the id; NODE_SUPERSEDED; REGISTRY_UNAVAILABLE
   */
  async join(): Promise<void> {
    await this.#awaitOlderLife()
    await this.#renew()
    if (!this.#held) throw new ZonewiseError('REGISTRY_UNAVAILABLE', 'the registry does not answer')
    this.#stopHints = this.#parts.registry.onChange(() => { this.#renewSoon() })
    this.#tickLater()
  }

  current(): ClusterSnapshot {
    if (this.#snapshot === null) throw new Error('not joined yet')
    return this.#snapshot
  }

  versions(): readonly VersionRange[] {
    return this.#announced.map(({ formats }) => formats)
  }

  clocks(): ReadonlyMap<number, AnnouncedClock> {
    return this.#clocks
  }

  watch(fn: (snapshot: ClusterSnapshot) => void): () => void {
    const watcher = (snapshot: ClusterSnapshot): void => { fn(snapshot) } // one function may watch twice
    this.#watchers.add(watcher)
    return () => { this.#watchers.delete(watcher) }
  }

  list(shard: number, epoch: number): void {
    this.#led.set(shard, epoch)
    this.#renewSoon()
  }

  async unlist(shard: number): Promise<void> {
    if (this.#led.delete(shard)) await this.#renew()
  }

  onLost(fn: () => void): () => void {
    this.#lostWatchers.add(fn)
    return () => { this.#lostWatchers.delete(fn) }
  }

  onForgotten(fn: () => void): () => void {
    this.#forgottenWatchers.add(fn)
    return () => { this.#forgottenWatchers.delete(fn) }
  }

  /** Whether the newest renewal is younger than the lease. */
  get isHeld(): boolean {
    return this.#held
  }

  /** Whether the registry answered the newest renewal, and the lease has not run out since. */
  get isReached(): boolean {
    return this.#reachable && this.#held
  }

  /** Changes what the node announces; resolves when the registry knows, or cannot be told. */
  announce(change: Partial<Pick<NodeInfo, 'listeners' | 'draining' | 'stopping' | 'rpc'>>): Promise<void> {
    this.#info = { ...this.#info, ...change }
    return this.#renew()
  }

  /** Takes the node off; others know at once. */
  async leave(): Promise<void> {
    this.stop()
    const { registry, log } = this.#parts
    await this.#renewals.ended()
    const { nodeId, nodeEpoch } = this.#info
    await registry.remove(nodeId, nodeEpoch)
      .catch((error: unknown) => { log.warn('node not taken off the registry', { reason: explain(error) }) })
  }

  /** Ends at once, as a crash would: the entry runs out. */
  stop(): void {
    this.#left = true
    this.#cancelTick()
    this.#stopHints()
  }

  async #awaitOlderLife(): Promise<void> {
    const { registry, runtime: { timer }, settings: { leaseMs, leaseRenewMs } } = this.#parts
    const { nodeId, nodeEpoch } = this.#info
    for (let lastMs = Infinity; ;) {
      const holder = await registry.holder(nodeId)
      if (holder === null || holder.nodeEpoch === nodeEpoch) return
      if (holder.nodeEpoch > nodeEpoch) throw superseded(nodeId, nodeEpoch, holder.nodeEpoch)
      // Only a renewal makes the time left grow.
      if (holder.expiresInMs > lastMs)
        throw new ZonewiseError('NODE_ID_TAKEN', 'another process runs under this node id', { nodeId })
      if (holder.expiresInMs < leaseMs - 1.5 * leaseRenewMs) return // it missed a renewal: it is dead, or stands still
      lastMs = holder.expiresInMs
      await sleep(timer, HOLDER_LOOK_MS)
    }
  }

  #renewSoon(): void {
    void this.#renew()
  }

  /** Resolves after a renewal that began after the call, whatever its outcome. */
  #renew(): Promise<void> {
    return this.#left ? Promise.resolve() : this.#renewals.run()
  }

  async #renewOnce(): Promise<void> {
    const { registry, runtime, log, settings, load } = this.#parts
    if (this.#left) return
    const begunMs = runtime.clock.monotonicMs()
    try {
      const renewal = await registry.renew(this.#entry(), {
        knownVersion: this.#snapshot?.version ?? -1, ttlMs: settings.leaseMs,
        vitals: { clockMs: runtime.clock.nowMs(), load: load() }
      })
      if (renewal.kind === 'superseded') return this.#supersede(renewal.nodeEpoch)
      const isForgotten = renewal.wasGone && this.#held && begunMs - this.#renewedMs < settings.leaseMs
      this.#renewed(begunMs)
      if (renewal.state !== null) this.#take(renewal.state)
      if (isForgotten) this.#forget()
    } catch (error) {
      if (!(error instanceof ZonewiseError) || error.code === 'NODE_SUPERSEDED') throw error
      if (this.#reachable && !this.#left) log.warn('the registry cannot be reached', { reason: explain(error) })
      this.#reachable = false
      this.#checkLease()
    }
  }

  /** The entry was not there though it had not run out: the registry was emptied, or rolled back. */
  #forget(): void {
    this.#parts.log.warn('the registry lost this node: the journals beside it are looked at', {})
    for (const watcher of this.#forgottenWatchers) watcher()
  }

  #entry(): ReturnType<typeof encodeAnnouncement> {
    const { clusterId, software, formats } = this.#parts
    const led = [...this.#led].sort(([a], [b]) => a - b)
    return encodeAnnouncement({ info: this.#info, clusterId, software, formats, led })
  }

  #renewed(begunMs: number): void {
    const { log, settings, runtime } = this.#parts
    if (!this.#reachable) log.info('the registry is reached again', {})
    this.#reachable = true
    const outageMs = begunMs - this.#renewedMs
    if (this.#snapshot !== null && outageMs > settings.leaseMs) {
      this.#graceEndsMs = runtime.clock.monotonicMs() + GRACE_RENEWALS * settings.leaseRenewMs
      runtime.timer.after(GRACE_RENEWALS * settings.leaseRenewMs + 1, () => { this.#rebuild() })
    }
    this.#renewedMs = begunMs
    this.#held = true
  }

  #take({ version, entries }: RegistryState): void {
    const { log, clusterId } = this.#parts
    const announced: Announcement[] = []
    for (const entry of entries) {
      try {
        const announcement = decodeAnnouncement(entry)
        if (announcement.clusterId === clusterId) announced.push(announcement)
        else log.error('a node of another cluster is in the registry', { nodeId: entry.nodeId, clusterId: announcement.clusterId })
      } catch (error) {
        log.error('a node\'s entry in the registry cannot be read', { nodeId: entry.nodeId, reason: explain(error) })
      }
    }
    this.#announced = announced
    this.#build(version)
  }

  /** Nodes that were kept through the grace and did not come back are gone now. */
  #rebuild(): void {
    if (!this.#left && this.#snapshot !== null) this.#build(this.#snapshot.version)
  }

  #build(version: number): void {
    const { clusterId, shardCount, runtime } = this.#parts
    const isGrace = runtime.clock.monotonicMs() < this.#graceEndsMs
    const kept = isGrace ? this.#snapshot?.nodes ?? [] : []
    this.#snapshot = snapshotOf(this.#announced, { version, clusterId, shardCount, kept })
    for (const watcher of this.#watchers) watcher(this.#snapshot)
  }

  #supersede(nodeEpoch: number): void {
    const error = superseded(this.#info.nodeId, this.#info.nodeEpoch, nodeEpoch)
    if (this.#snapshot === null) throw error // not joined yet: whoever starts the node hears it
    this.stop()
    this.#lose()
    this.#parts.onSuperseded(error)
  }

  #tickLater(): void {
    const { runtime: { timer }, settings: { leaseRenewMs } } = this.#parts
    this.#cancelTick = timer.after(leaseRenewMs, () => {
      this.#checkLease()
      this.#renewSoon()
      void this.#readClocks()
      this.#tickLater()
    })
  }

  /** What the clocks of the others show, now and then: only a jump of ours needs them. */
  async #readClocks(): Promise<void> {
    const { registry, runtime: { clock }, log } = this.#parts
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#clocksReadMs < CLOCKS_READ_MS || this.#left) return
    this.#clocksReadMs = nowMs
    try {
      const { vitals } = await registry.read()
      const heardMs = clock.monotonicMs()
      this.#clocks = new Map([...vitals].filter(([nodeId]) => nodeId !== this.#info.nodeId)
        .map(([nodeId, { clockMs }]) => [nodeId, { wallMs: clockMs, heardMs }]))
    } catch (error) {
      if (!(error instanceof ZonewiseError)) throw error
      log.debug('clocks of other nodes not read', { reason: explain(error) })
    }
  }

  #checkLease(): void {
    const { runtime: { clock }, settings: { leaseMs }, log } = this.#parts
    if (!this.#held || clock.monotonicMs() - this.#renewedMs <= leaseMs) return
    log.warn('the lease ran out: this node leads nothing until it is renewed', { leaseMs })
    this.#lose()
  }

  #lose(): void {
    this.#held = false
    this.#led.clear()
    for (const watcher of this.#lostWatchers) watcher()
  }
}

function superseded(nodeId: number, nodeEpoch: number, newer: number): ZonewiseError {
  return new ZonewiseError('NODE_SUPERSEDED', 'a newer process runs under this node id', { nodeId, nodeEpoch, newer })
}
