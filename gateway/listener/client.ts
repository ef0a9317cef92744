/** Who is at the other end of a connection: its identity, its zone with the evidence, and the ledger cells it pays into. */
import type { ListenerInfo } from '#shared/cluster/membership.ts'
import type { LedgerCell } from '#shared/ledger/ledger.ts'
import type { GatewayServices, RequestContext } from '../api/handler.ts'
import type { ServedApi } from '../api/served-table.ts'
import { FetchedLately } from '../fetch/fetched-lately.ts'
import {
  observedThroughListener, type Standing, standingOf, withClaim, zoneOfClientId, zonesDisagree, type ZoneClaim,
  type ZoneEvidence
} from '../zone/client-zone.ts'
import type { ReadAgain } from './output.ts'

export type OrderKeeper = { holdOrder(): () => void }

type Cells = { readonly received: LedgerCell; readonly sent: LedgerCell }

const PRINCIPAL_ANONYMOUS = 'anonymous'

export class Client {
  readonly connectionId: string
  readonly host: string
  readonly listener: ListenerInfo
  readonly signal: AbortSignal
  readonly fetchedLately = new FetchedLately()
  readonly #services: GatewayServices
  readonly #gone = new AbortController()
  #evidence: ZoneEvidence
  #standing: Standing
  #zonesVersion: number // of the facts that it stands on
  #disagreementLogged = false
  #clientId: string | null = null // the last one seen, to look at each only once
  #requests = 0
  #cells = new Map<ServedApi['cause'], Cells>()

  constructor(services: GatewayServices, listener: ListenerInfo, connectionId: string, remoteAddress: string) {
    this.#services = services
    this.listener = listener
    this.connectionId = connectionId
    this.host = `/${remoteAddress}` // as Kafka prints it
    this.signal = this.#gone.signal
    this.#evidence = observedThroughListener(listener.zone)
    this.#zonesVersion = services.clientZones.version
    this.#standing = standingOf(this.#evidence, services.clientZones, null)
  }

  /** Whose gateways it is told. */
  get zone(): string {
    return this.#standing.zone
  }

  /** Whether it is to take its requests to another gateway, which Metadata names. */
  get mustMove(): boolean {
    return this.#services.clientZones.mustMove(this.#standing)
  }

  get zoneEvidence(): ZoneEvidence {
    return this.#evidence
  }

  get clientId(): string | null {
    return this.#clientId
  }

  /** It has asked something. */
  get isKnown(): boolean {
    return this.#requests > 0
  }

  /** The context of its next request; `order` is its connection. */
  context(clientId: string | null, order: OrderKeeper): Context {
    if (clientId !== this.#clientId) {
      this.#clientId = clientId
      this.claim('client.id', zoneOfClientId(clientId))
      this.claim('gateway', this.#services.guests.zoneOf(this.host, clientId))
    }
    if (this.#zonesVersion !== this.#services.clientZones.version) this.#stand()
    this.#requests += 1
    return new Context(this, order, clientId, this.#requests)
  }

  /** Keeps what the client says of its zone; says it once if what we see is another. */
  claim(by: ZoneClaim, zone: string | null): void {
    const evidence = withClaim(this.#evidence, by, zone)
    if (evidence === this.#evidence) return
    this.#evidence = evidence
    this.#stand()
    if (this.#disagreementLogged || !zonesDisagree(evidence)) return
    this.#disagreementLogged = true
    const { observed, claimed, claimedBy } = evidence
    this.#services.log.info('client claims another zone than the one it connects from', {
      connectionId: this.connectionId, clientHost: this.host, clientId: this.#clientId, observed, claimed, claimedBy
    })
  }

  /** Ledger cells of one cause, from the client's zone to ours and back. */
  cells(cause: ServedApi['cause']): Cells {
    let cells = this.#cells.get(cause)
    if (cells === undefined) {
      const { ledger, zone } = this.#services
      const { place, isAway } = this.#standing
      const counted = isAway && place !== zone ? 'failover' : cause // it is told to leave, and is at home still
      cells = { received: ledger.cell(place, zone, counted), sent: ledger.cell(zone, place, counted) }
      this.#cells.set(cause, cells)
    }
    return cells
  }

  #stand(): void {
    const { clientZones } = this.#services
    this.#zonesVersion = clientZones.version
    const before = this.#standing
    const now = standingOf(this.#evidence, clientZones, before)
    if (now.zone === before.zone && now.place === before.place && now.isAway === before.isAway) return
    this.#standing = now
    this.#cells = new Map()
  }

  /** Aborts what its requests still do. */
  leave(): void {
    this.#gone.abort()
  }
}

export class Context implements RequestContext {
  readonly #client: Client
  readonly #order: OrderKeeper
  readonly clientId: string | null
  readonly #number: number // of the request on its connection
  readAgain: ReadAgain | null = null
  #afterwards: (() => void)[] | null = null

  constructor(client: Client, order: OrderKeeper, clientId: string | null, number: number) {
    this.#client = client
    this.#order = order
    this.clientId = clientId
    this.#number = number
  }

  get requestId(): string { return `${this.#client.connectionId}-${this.#number}` }
  get connectionId(): string { return this.#client.connectionId }
  get listener(): ListenerInfo { return this.#client.listener }
  get zone(): string { return this.#client.zone }
  get mustMove(): boolean { return this.#client.mustMove }
  get zoneEvidence(): ZoneEvidence { return this.#client.zoneEvidence }
  get principal(): string { return PRINCIPAL_ANONYMOUS }
  get clientHost(): string { return this.#client.host }
  get signal(): AbortSignal { return this.#client.signal }
  get fetchedLately(): FetchedLately { return this.#client.fetchedLately }

  claimRack(rack: string): void {
    this.#client.claim('client.rack', rack)
  }

  holdOrder(): () => void {
    return this.#order.holdOrder()
  }

  afterwards(fn: () => void): void {
    this.#afterwards ??= []
    this.#afterwards.push(fn)
  }

  mayReadAgain(fn: ReadAgain): void {
    this.readAgain = fn
  }

  /** The answer was taken over, or dropped. */
  finish(): void {
    const left = this.#afterwards
    this.#afterwards = null
    for (const fn of left ?? []) fn()
  }
}
