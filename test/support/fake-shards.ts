/**
 * Shards without journals or nodes: durable entries in lists, leaderships that a test begins and ends. What a leader
 * appended and was not durable when it ended may or may not have become so, by chance.
 */
import type { CatalogReader } from '#shared/cluster/catalog-reader.ts'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { Entry } from '#broker/shard/entry.ts'
import type { ShardLeader, ShardLeaders } from '#broker/shard/shard-leader.ts'
import { applyEntry, newShardState, type ShardState } from '#broker/shard/shard-state.ts'

type Journal = { readonly state: ShardState; readonly entries: Entry[]; leader: FakeLeader | null; epoch: number }
type Pending = { readonly entries: readonly Entry[]; readonly durable: PromiseWithResolvers<void> }

export class FakeShards {
  readonly #journals = new Map<number, Journal>()
  readonly #onLead = new Map<number, ((leader: ShardLeader) => void)[]>() // by node
  readonly #runtime: Runtime
  readonly #rng: Rng
  readonly appendMsMax: number

  constructor(runtime: Runtime, rng: Rng, appendMsMax: number) {
    this.#runtime = runtime
    this.#rng = rng
    this.appendMsMax = appendMsMax
  }

  /** Durable state; what a view at the journal's end holds. */
  state(shard: number): ShardState {
    return this.#journal(shard).state
  }

  entries(shard: number): readonly Entry[] {
    return this.#journal(shard).entries
  }

  /** Makes a node the leader, fencing the one before. */
  lead(shard: number, node: number): void {
    const journal = this.#journal(shard)
    this.end(shard)
    const state = newShardState()
    for (const entry of journal.entries) applyEntry(state, entry, 0)
    const leader = new FakeLeader(shard, node, ++journal.epoch, state, {
      runtime: this.#runtime, delayMs: () => this.#rng.below(this.appendMsMax + 1),
      persist: (entries) => {
        for (const entry of entries) {
          journal.entries.push(entry)
          applyEntry(journal.state, entry, this.#runtime.clock.nowMs())
        }
      }
    })
    journal.leader = leader
    for (const fn of this.#onLead.get(node) ?? []) fn(leader)
  }

  end(shard: number): void {
    const journal = this.#journal(shard)
    journal.leader?.end(() => this.#rng.below(2) === 0)
    journal.leader = null
  }

  /** Ends what a node leads and forgets who listened there: its process died. */
  die(node: number): void {
    this.#onLead.delete(node)
    for (const [shard, { leader }] of this.#journals) if (leader?.node === node) this.end(shard)
  }

  leadersOf(node: number): ShardLeaders {
    return {
      leader: (shard) => {
        const { leader } = this.#journal(shard)
        return leader?.node === node ? leader : null
      },
      onLead: (fn) => {
        this.#onLead.set(node, [...this.#onLead.get(node) ?? [], fn])
        for (const { leader } of this.#journals.values()) if (leader?.node === node) fn(leader)
      }
    }
  }

  /** A node's view of the catalog: it follows late, and a barrier takes a while. */
  catalog(): Pick<CatalogReader, 'barrier' | 'topicById'> {
    const journal = this.#journal(CATALOG_SHARD)
    const seen = newShardState()
    let seenCount = 0
    const follow = (count: number): void => {
      for (; seenCount < count; seenCount++) applyEntry(seen, journal.entries[seenCount]!, 0)
    }
    const { timer } = this.#runtime
    return {
      topicById: (topicId) => {
        if (this.appendMsMax === 0 || this.#rng.below(4) === 0) follow(journal.entries.length)
        return seen.catalog.topics.get(topicId) ?? null
      },
      barrier: () => new Promise((resolve) => {
        const end = journal.entries.length
        timer.after(this.#rng.below(this.appendMsMax + 1), () => { follow(end); resolve() })
      })
    }
  }

  #journal(shard: number): Journal {
    let journal = this.#journals.get(shard)
    if (journal === undefined) {
      this.#journals.set(shard, (journal = { state: newShardState(), entries: [], leader: null, epoch: 0 }))
    }
    return journal
  }
}

type LeaderParts = {
  readonly runtime: Runtime
  readonly delayMs: () => number
  readonly persist: (entries: readonly Entry[]) => void
}

class FakeLeader implements ShardLeader {
  readonly shard: number
  readonly node: number
  readonly epoch: number
  readonly state: ShardState
  readonly #parts: LeaderParts
  readonly #ended = new AbortController()
  #pending: Pending[] = []
  #flushing = false

  constructor(shard: number, node: number, epoch: number, state: ShardState, parts: LeaderParts) {
    this.shard = shard
    this.node = node
    this.epoch = epoch
    this.state = state
    this.#parts = parts
  }

  get ended(): AbortSignal {
    return this.#ended.signal
  }

  nowMs(): number {
    return this.#parts.runtime.clock.nowMs()
  }

  append(entries: readonly Entry[]): Promise<void> {
    if (this.ended.aborted) return Promise.reject(unsettled(this.shard))
    for (const entry of entries) applyEntry(this.state, entry, this.nowMs())
    const durable = Promise.withResolvers<void>()
    this.#pending.push({ entries, durable })
    this.#flush()
    return durable.promise
  }

  proof(): Promise<void> {
    return this.append([])
  }

  recentProof(): Promise<void> {
    return this.append([])
  }

  /** A prefix of what waits becomes durable, as long as `settles` says so. */
  end(settles: () => boolean): void {
    this.#ended.abort(unsettled(this.shard))
    const pending = this.#pending
    this.#pending = []
    let settling = true
    for (const { entries, durable } of pending) {
      settling &&= settles()
      if (settling) this.#parts.persist(entries)
      durable.reject(unsettled(this.shard))
    }
  }

  #flush(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.#parts.runtime.timer.after(this.#parts.delayMs(), () => {
      this.#flushing = false
      const group = this.#pending
      this.#pending = []
      for (const { entries } of group) this.#parts.persist(entries)
      for (const { durable } of group) durable.resolve()
    })
  }
}

function unsettled(shard: number): ZonewiseError {
  return new ZonewiseError('JOURNAL_UNSETTLED', 'leadership ended', { shard })
}
