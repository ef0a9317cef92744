/**
 * Whether a process can serve clients: every shard has a leader and the store takes a PUT. Asked as often as anybody
 * likes: one PUT runs at a time, counts for a second, and is waited for no longer than a probe of a scheduler waits.
 */
import { CATALOG_SHARD, type Membership } from '#shared/cluster/membership.ts'
import { explain } from '#shared/errors/zonewise-error.ts'
import { sleep, type Clock, type Runtime } from '#shared/runtime/runtime.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { shardName } from './cluster-facts.ts'
import type { ZonewiseNode } from './node.ts'
import type { Readiness } from './types.ts'

const PROVEN_MS = 1_000
const WAIT_MS = 2_000
const LEADERLESS_MS = 5_000 // a shard that only moves has a leader by then
const KEY = 'meta/probe/1' // always the same: what a killed process leaves is replaced by the next one

export class StoreProbe {
  readonly #store: ObjectStore
  readonly #runtime: Runtime
  #provenMs = -Infinity
  #running: Promise<string | null> | null = null

  constructor(store: ObjectStore, runtime: Runtime) {
    this.#store = store
    this.#runtime = runtime
  }

  /** null: the store took a PUT a moment ago; else what is wrong. Answers within two seconds. */
  async look(): Promise<string | null> {
    const { clock, timer } = this.#runtime
    if (clock.monotonicMs() - this.#provenMs < PROVEN_MS) return null
    const running = (this.#running ??= this.#prove().finally(() => { this.#running = null }))
    const waited = new AbortController()
    const late = sleep(timer, WAIT_MS, waited.signal)
      .then(() => `the store has not answered a PUT for ${WAIT_MS} ms`, () => null)
    try {
      return await Promise.race([running, late])
    } finally {
      waited.abort()
    }
  }

  async #prove(): Promise<string | null> {
    try {
      await this.#store.put(KEY, [new Uint8Array(0)])
      this.#provenMs = this.#runtime.clock.monotonicMs()
      await this.#store.delete(KEY)
      return null
    } catch (error) {
      return `the store took no PUT: ${explain(error)}`
    }
  }
}

export async function readinessOf(nodes: readonly ZonewiseNode[], probe: StoreProbe): Promise<Readiness> {
  const missing: string[] = []
  let settled = true
  for (const [i, node] of nodes.entries())
    for (const shard of node.missingShards()) {
      const name = shardName(shard)
      const quarantine = node.quarantine(shard)
      if (quarantine === null) settled = false
      missing.push(quarantine === null ? `${name} has no leader (node ${i + 1})`
        : `${name} is quarantined: ${String(quarantine.context['reason'])}`)
    }
  const store = await probe.look()
  if (store !== null) missing.push(store)
  return { ready: missing.length === 0, missing, settled: settled && store === null }
}

export type ClusterReadinessParts = {
  readonly node: Pick<ZonewiseNode, 'missingShards' | 'quarantine' | 'lookAt'>
  readonly membership: Pick<Membership, 'current'> & { readonly isHeld: boolean }
  readonly probe: Pick<StoreProbe, 'look'>
  readonly clock: Clock
}

/** Of a node of a cluster: it holds its lease, every shard is led somewhere, and the store takes a PUT. */
export class ClusterReadiness {
  readonly #parts: ClusterReadinessParts
  readonly #leaderlessMs = new Map<number, number>() // since when, by shard

  constructor(parts: ClusterReadinessParts) {
    this.#parts = parts
  }

  async look(): Promise<Readiness> {
    const { node, membership, probe } = this.#parts
    const missing: string[] = []
    let settled = membership.isHeld
    if (!membership.isHeld) missing.push('the registry in Redis does not answer')
    const { shardCount, leases } = membership.current()
    const own = new Set(node.missingShards())
    for (const shard of [...Array(shardCount).keys(), CATALOG_SHARD]) {
      const isLed = !own.has(shard) && leases?.has(shard) === true
      this.#note(shard, isLed)
      const quarantine = node.quarantine(shard)
      if (quarantine !== null) {
        missing.push(`${shardName(shard)} is quarantined: ${String(quarantine.context['reason'])}`)
      } else if (!isLed) {
        missing.push(`${shardName(shard)} has no leader${own.has(shard) ? ': this node takes it up' : ''}`)
        settled = false
      }
    }
    const store = await probe.look()
    if (store !== null) missing.push(store)
    return { ready: missing.length === 0, missing, settled: settled && store === null }
  }

  /** What another node cannot lead because it is damaged is so for this one: it looks, rather than wait for ever. */
  #note(shard: number, isLed: boolean): void {
    const { node, clock } = this.#parts
    if (isLed) return void this.#leaderlessMs.delete(shard)
    const nowMs = clock.monotonicMs()
    const sinceMs = this.#leaderlessMs.get(shard) ?? nowMs
    this.#leaderlessMs.set(shard, sinceMs)
    if (nowMs - sinceMs >= LEADERLESS_MS) node.lookAt(shard)
  }
}
