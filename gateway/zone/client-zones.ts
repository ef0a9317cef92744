/**
 * What the zones of clients are judged by: which zones the cluster has, which of them have a gateway, and whether this
 * node's clients are to go to another gateway of their zone. Follows membership; one for all connections of a gateway.
 */
import type { ClusterSnapshot, Membership } from '#shared/cluster/membership.ts'
import { gatewaysOf, servingZone } from '#shared/cluster/ring.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Clock } from '#shared/runtime/runtime.ts'
import { type Standing, ZONE_UNKNOWN, type ZoneFacts } from './client-zone.ts'

export type ClientZonesParts = {
  readonly membership: Membership
  readonly nodeId: number
  readonly zone: string
  readonly zones: readonly string[] // known beforehand
  readonly followsClaims: boolean
  readonly runtime: { readonly clock: Clock }
}

const ZONES_MAX = 256 // known ones: what clients claim must not make rows of the ledger without end

export class ClientZones implements ZoneFacts {
  readonly followsClaims: boolean
  /** Rises when an answer of `isKnown` or `isServed` may have changed. */
  version = 0
  readonly #parts: ClientZonesParts
  readonly #known: Set<string>
  readonly #unwatch: () => void
  #served: ReadonlySet<string> = new Set()
  #leaving = new AbortController()
  #leavingSinceMs = -Infinity

  constructor(parts: ClientZonesParts) {
    this.#parts = parts
    this.followsClaims = parts.followsClaims
    this.#known = new Set(parts.zones.slice(0, ZONES_MAX))
    this.#follow(parts.membership.current())
    this.#unwatch = parts.membership.watch((snapshot) => { this.#follow(snapshot) })
  }

  isKnown(zone: string): boolean {
    return this.#known.has(zone)
  }

  isServed(zone: string): boolean {
    return this.#served.has(zone)
  }

  /** Aborted while this node drains and other gateways, of its zone if there are any, are named in its place. */
  get leaving(): AbortSignal {
    return this.#leaving.signal
  }

  /** When that began, by the monotonic clock. */
  get leavingSinceMs(): number {
    return this.#leavingSinceMs
  }

  /** Whether a client of such standing is told other gateways than this node, and is to go to them. */
  mustMove({ zone, isAway }: Standing): boolean {
    const isToldOurs = isAway || zone === this.#parts.zone || zone === ZONE_UNKNOWN
    return isToldOurs ? this.#leaving.signal.aborted : this.#served.has(zone)
  }

  close(): void {
    this.#unwatch()
  }

  #follow(snapshot: ClusterSnapshot): void {
    const { nodeId, zone, runtime: { clock } } = this.#parts
    const zones = new Set(snapshot.nodes.map((node) => node.zone))
    const served = new Set([...zones].filter((each) => gatewaysOf(snapshot, each).length > 0))
    const knownBefore = this.#known.size
    for (const each of zones) if (this.#known.size < ZONES_MAX) this.#known.add(each)
    if (this.#known.size !== knownBefore || served.symmetricDifference(this.#served).size > 0) this.version += 1
    this.#served = served
    const own = snapshot.nodes.find((node) => node.nodeId === nodeId)
    const serving = own?.stopping === true ? servingZone(snapshot, zone) : served.has(zone) ? zone : null
    const isLeaving = serving !== null && !gatewaysOf(snapshot, serving).some((node) => node.nodeId === nodeId)
    if (isLeaving && !this.#leaving.signal.aborted) {
      this.#leavingSinceMs = clock.monotonicMs()
      this.#leaving.abort(new ZonewiseError('STOPPING', 'clients are to go to other gateways'))
    } else if (!isLeaving && this.#leaving.signal.aborted) this.#leaving = new AbortController()
  }
}
