/**
 * Keeps the durable copy of one shard on this node: recovered from the newest snapshot and the journal, then fed by the
 * leader; whatever the feed does not continue exactly is read from the journal. Damage quarantines the shard.
 */
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import {
  comparePositions, type JournalEnd, type JournalGroup, type Position, positionText, type ShardJournal, tailLost
} from '#shared/journal/journal.ts'
import type { Log } from '#shared/log/log.ts'
import { Coalesced } from '#shared/runtime/coalesced.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import { newDurableShard, takeGroup, type DurableShard } from './durable-shard.ts'
import type { ShardIndex } from './shard-index.ts'
import type { ShardState } from './shard-state.ts'
import type { ShardView } from './shard-view.ts'
import type { SnapshotStore } from './snapshot-store.ts'

export type ViewParts = {
  readonly shard: number
  readonly journal: ShardJournal
  readonly snapshots: SnapshotStore
  readonly runtime: Runtime
  readonly log: Log
}

/** What passes by itself, or ends the process: no damage. */
const PASSING = new Set<string>(['STORE_UNAVAILABLE', 'STORE_FULL', 'JOURNAL_UNSETTLED', 'JOURNAL_FAILED', 'STOPPING'])
/** One read of the journal while catching up. */
const READ_BOUNDS = { groupsMax: 1_000, bytesMax: 8 * 1024 * 1024 } as const

export class ViewRunner implements ShardView {
  readonly shard: number
  readonly #parts: ViewParts
  readonly #listeners = new Set<(localIds: ReadonlySet<number>) => void>()
  #durable: DurableShard
  readonly #reading = new Coalesced(() => this.#readOn())
  readonly #ends = new Coalesced(() => this.#guard(() => this.#parts.journal.end()))
  #failure: ZonewiseError | null = null
  #touchedMs: number
  #wasTouched = false
  #heardMs: number
  #bytesSinceSnapshot = 0

  constructor(parts: ViewParts) {
    this.#parts = parts
    this.shard = parts.shard
    this.#durable = newDurableShard(parts.shard)
    this.#touchedMs = this.#heardMs = parts.runtime.clock.monotonicMs()
  }

  get state(): ShardState { return this.#durable.state }
  get index(): ShardIndex { return this.#durable.index }
  get durable(): DurableShard { return this.#durable }
  get position(): Position { return this.#durable.position }
  get failure(): ZonewiseError | null { return this.#failure }
  /** How long nobody has read it. */
  get idleMs(): number { return this.#parts.runtime.clock.monotonicMs() - this.#touchedMs }
  /** How long ago it was last proven to hold all that was durable. */
  get ageMs(): number { return this.#parts.runtime.clock.monotonicMs() - this.#heardMs }
  /** Journal bytes taken since the newest snapshot: what a recovery would read. */
  get bytesSinceSnapshot(): number { return this.#bytesSinceSnapshot }

  /** A snapshot holds the first `bytes` of them. */
  snapshotTaken(bytes: number): void { this.#bytesSinceSnapshot = Math.max(0, this.#bytesSinceSnapshot - bytes) }

  touch(aheadMs = 0): void {
    this.#wasTouched = true
    this.#touchedMs = Math.max(this.#touchedMs, this.#parts.runtime.clock.monotonicMs() + aheadMs)
  }

  /** It was open for a leadership, which has moved: where nobody ever read it, nobody needs it. */
  letGo(): void { if (!this.#wasTouched) this.#touchedMs = -Infinity }

  /** What feeds it proved, at that (monotonic) time, that it still does. */
  heard(atMs: number): void { this.#heardMs = Math.max(this.#heardMs, atMs) }

  /** Follows the journal by itself, as long as no leader feeds it; reading that it begins is told. Returns the way to stop. */
  tail(onWork: (work: Promise<void>) => void): () => void {
    return this.#parts.journal.tail((group) => { if (!this.take(group)) onWork(this.catchUp()) })
  }

  onAdvance(fn: (localIds: ReadonlySet<number>) => void): () => void {
    this.#listeners.add(fn)
    return () => { this.#listeners.delete(fn) }
  }

  /** Loads the newest snapshot and reads the journal to its end. @throws ZonewiseError */
  async recover(): Promise<void> {
    const snapshot = await this.#guard(() => this.#parts.snapshots.newest(this.shard))
    if (snapshot !== null) this.#durable = snapshot
    const end = await this.#guard(() => this.#parts.journal.end())
    if (snapshot !== null && comparePositions(end.position, snapshot.position) < 0)
      throw this.quarantine(new ZonewiseError('JOURNAL_MISSING', 'journal ends below a known snapshot', {
        shard: this.shard, journal: positionText(end.position), snapshot: positionText(snapshot.position)
      }))
    this.#compare(end)
    await this.catchUp()
  }

  async barrier(): Promise<void> {
    if (this.#failure !== null) throw this.#failure
    const { position: known } = this
    const begunMs = this.#parts.runtime.clock.monotonicMs()
    const end = await this.#ends.run()
    if (comparePositions(end.position, known) < 0) throw this.quarantine(tailLost(this.shard, end.position, known))
    this.#compare(end)
    while (comparePositions(this.#durable.position, end.position) < 0) await this.catchUp()
    if (this.#failure !== null) throw this.#failure
    this.heard(begunMs)
  }

  /** Where nothing follows what is here, the journal's newest group itself must be the one that was applied. */
  #compare(end: JournalEnd): void {
    const { position, crc } = this.#durable
    if (comparePositions(end.position, position) === 0 && end.crc !== crc)
      throw this.quarantine(new ZonewiseError('SHARD_QUARANTINED', 'journal holds another group at a position that was applied', {
        shard: this.shard, have: positionText(position)
      }))
  }

  /** Takes a group from the leader; false: it does not continue what is here, the journal has to be read. */
  take(group: JournalGroup): boolean {
    if (this.#failure !== null) return false
    const taken = this.#guardSync(() => takeGroup(this.#durable, group))
    if (taken.kind !== 'applied') return taken.kind === 'old'
    this.#bytesSinceSnapshot += group.body.byteLength
    for (const listener of this.#listeners) listener(taken.changed)
    return true
  }

  /** Reads the journal to its end, as it is at the call or later: who comes while one read runs shares the next. @throws ZonewiseError */
  catchUp(): Promise<void> {
    return this.#reading.run()
  }

  async #readOn(): Promise<void> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure
      const groups = await this.#guard(() => this.#parts.journal.read(this.#durable.position, READ_BOUNDS))
      if (groups.length === 0) return
      for (const group of groups) {
        if (this.take(group)) continue
        if (this.#failure !== null) throw this.#failure
        await this.#reload(group)
        break
      }
    }
  }

  /** The journal was trimmed beyond what is here: only a newer snapshot may close the gap. */
  async #reload(beyond: JournalGroup): Promise<void> {
    const snapshot = await this.#guard(() => this.#parts.snapshots.newest(this.shard))
    if (snapshot === null || comparePositions(snapshot.position, beyond.after) < 0)
      throw this.quarantine(new ZonewiseError('JOURNAL_MISSING', 'journal has a gap that no snapshot covers', {
        shard: this.shard, have: positionText(this.position), journal: positionText(beyond.after)
      }))
    if (comparePositions(snapshot.position, this.position) <= 0) return
    this.#durable = snapshot
    this.#bytesSinceSnapshot = 0
    const all = new Set(snapshot.state.partitions.byLocalId.keys())
    for (const listener of this.#listeners) listener(all)
  }

  async #guard<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      throw this.#judge(error)
    }
  }

  #guardSync<T>(apply: () => T): T | { kind: 'gap' } {
    try {
      return apply()
    } catch (error) {
      this.quarantine(error)
      return { kind: 'gap' }
    }
  }

  /** What cannot pass by itself quarantines; an unavailable store or journal does not. */
  #judge(error: unknown): unknown {
    const passing = error instanceof ZonewiseError && PASSING.has(error.code)
    return passing ? error : this.quarantine(error)
  }

  /** Ends all service of the shard on this node, for good and aloud; what to throw. */
  quarantine(cause: unknown): ZonewiseError {
    if (this.#failure !== null) return this.#failure
    this.#failure = new ZonewiseError('SHARD_QUARANTINED', 'shard is quarantined', { shard: this.shard, reason: explain(cause) }, cause)
    this.#parts.log.error('shard quarantined', { shard: this.shard, reason: explain(cause) })
    return this.#failure
  }
}
