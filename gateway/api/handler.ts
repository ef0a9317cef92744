/**
 * What a handler of a Kafka request gets and gives.
 * - It is called in the order of arrival on its connection; a Produce request may be called while earlier Produce
 *   requests still wait, so whatever fixes the order of effects happens before its first `await`, or under `holdOrder`.
 * - It returns the response, or null where the protocol has none (Produce with acks=0).
 * - Protocol outcomes are error codes in the response. A throw closes the connection: a ZonewiseError is the client's
 *   or the peer's doing (one rate-limited line), anything else is a bug (an error line).
 */
import type { CatalogReader } from '#shared/cluster/catalog-reader.ts'
import type { ListenerInfo, Membership } from '#shared/cluster/membership.ts'
import type { Ledger } from '#shared/ledger/ledger.ts'
import type { Log } from '#shared/log/log.ts'
import type { Metrics } from '#shared/metrics/metrics.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { Transport } from '#shared/transport/transport.ts'
import type { GatewaySettings } from '../config.ts'
import type { FetchedLately } from '../fetch/fetched-lately.ts'
import type { Fetcher } from '../fetch/fetcher.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { AnswerBytes } from '../listener/answer-bytes.ts'
import type { ReadAgain } from '../listener/output.ts'
import type { ZoneEvidence } from '../zone/client-zone.ts'
import type { ClientZones } from '../zone/client-zones.ts'
import type { Guests } from '../zone/guests.ts'

export type RequestContext = {
  readonly connectionId: string
  readonly listener: ListenerInfo
  readonly zone: string // of the client, as resolved; 'unknown' if nothing is known
  /** The client is told other gateways than this one: what it keeps asking here is refused, so that it goes there. */
  readonly mustMove: boolean
  readonly zoneEvidence: ZoneEvidence
  readonly principal: string
  readonly clientId: string | null
  readonly clientHost: string
  readonly requestId: string // unique in the cluster
  readonly signal: AbortSignal // aborted when the client is gone
  readonly fetchedLately: FetchedLately // over its connection
  /** Tells the zone that the client claims in the body of a request (`client.rack`). */
  claimRack(rack: string): void
  /**
   * Lets no further request of the connection begin until the returned function is called: for a pipelined handler that
   * must wait before it can fix the order of its effects.
   */
  holdOrder(): () => void
  /** Calls `fn` once when the connection has taken over the answer, and holds what it names by reference, or dropped it. */
  afterwards(fn: () => void): void
  /** Says where chunks of the answer can be had again: if the client is slow to read them they are not kept. */
  mayReadAgain(fn: ReadAgain): void
}

export type GatewayServices = {
  readonly nodeId: number
  readonly nodeEpoch: number
  readonly zone: string
  readonly clusterId: string
  readonly runtime: Runtime
  readonly log: Log
  readonly ledger: Ledger
  readonly metrics: Metrics
  readonly settings: GatewaySettings
  readonly membership: Membership
  readonly clientZones: ClientZones
  readonly guests: Pick<Guests, 'zoneOf'>
  readonly catalog: CatalogReader
  readonly transport: Transport
  readonly ingest: Ingest
  readonly fetcher: Fetcher
  readonly producerIds: ProducerIdSource
  readonly answerBytes: AnswerBytes
}

export type ProducerIdSource = {
  /** An id never given out before, or null: the catalog does not answer. */
  next(): Promise<number | null>
}

export type Handler<Request, Response> = (
  context: RequestContext, version: number, request: Request, services: GatewayServices
) => Promise<Response | null> | Response | null

export type Operation =
  | 'read' | 'write' | 'create' | 'delete' | 'alter' | 'describe' | 'cluster-action' | 'describe-configs' | 'idempotent-write'
export type ResourceType = 'topic' | 'group' | 'cluster'
export type Resource = { readonly type: ResourceType; readonly name: string }

export const CLUSTER_RESOURCE: Resource = { type: 'cluster', name: 'kafka-cluster' }

/** Whether the principal may do this. Everybody may: there is no authorizer yet. */
export function authorize(_context: RequestContext, _operation: Operation, _resource: Resource): boolean {
  return true
}

/** How long the client is to wait, in ms, for having moved `bytes`. There are no quotas yet. */
export function throttle(_context: RequestContext, _bytes: number): number {
  return 0
}
