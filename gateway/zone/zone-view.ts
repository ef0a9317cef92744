/**
 * The cluster as clients of one zone see it: the live gateways of their zone (while it has none, those of the zone that
 * serves it), each at the address of the listener the client came through. One that drains is named for no partition
 * and no group, and is listed for a while: clients that lose the node of a partition together with its leader
 * (librdkafka since 2.10) look for the new one only a second later. So are, to clients that go to another zone or come
 * back from there, the gateway that they are to leave.
 */
import type { ClusterSnapshot, ListenerInfo, NodeInfo } from '#shared/cluster/membership.ts'
import { gatewayForGroup, gatewaysOf, gatewayOf, servingZone } from '#shared/cluster/ring.ts'
import type { GatewayServices, RequestContext } from '../api/handler.ts'
import { ZONE_UNKNOWN } from './client-zone.ts'

export type Endpoint = { readonly nodeId: number; readonly host: string; readonly port: number; readonly rack: string }

export class ZoneView {
  readonly #snapshot: ClusterSnapshot
  readonly #zone: string | null // null: no gateway is alive
  readonly #listener: ListenerInfo
  readonly #left: number | null // node id of this gateway if a client between two zones is to leave it

  constructor(context: RequestContext, services: GatewayServices) {
    this.#snapshot = services.membership.current()
    this.#zone = servingZone(this.#snapshot, context.zone === ZONE_UNKNOWN ? services.zone : context.zone)
    this.#listener = context.listener
    const isGuest = context.zoneEvidence.claimedBy === 'gateway'
    this.#left = context.mustMove && (isGuest || services.clientZones.leaving.aborted) ? services.nodeId : null
  }

  /** All of them, by node id. */
  endpoints(): Endpoint[] {
    if (this.#zone === null) return []
    const endpoints: Endpoint[] = []
    for (const node of this.#snapshot.nodes) {
      const endpoint = this.#isListed(node) ? this.#endpoint(node) : null
      if (endpoint !== null) endpoints.push(endpoint)
    }
    return endpoints
  }

  /** The one that admin calls are to go to (any gateway forwards them): `nodeId` if it is named at all; or -1. */
  controllerId(nodeId: number): number {
    const named = this.#zone === null ? [] : gatewaysOf(this.#snapshot, this.#zone)
    return (named.find((node) => node.nodeId === nodeId) ?? named[0])?.nodeId ?? -1
  }

  /** The gateway named as leader of a partition, or -1. */
  leaderId(topicId: string, partition: number): number {
    if (this.#zone === null) return -1
    return gatewayOf(this.#snapshot, this.#zone, topicId, partition)?.nodeId ?? -1
  }

  coordinator(groupId: string): Endpoint | null {
    const node = this.#zone === null ? null : gatewayForGroup(this.#snapshot, this.#zone, groupId)
    return node === null ? null : this.#endpoint(node)
  }

  /**
   * Whether `nodeId` is the one that answers for a group when a client asks every broker and adds the answers up
   * (PROTOCOL 45). A node that these clients are not told of answers for all.
   */
  answersFor(nodeId: number, groupId: string): boolean {
    const own = this.#snapshot.nodes.find((node) => node.nodeId === nodeId)
    if (this.#zone === null || own === undefined || !this.#isListed(own)) return true
    return gatewayForGroup(this.#snapshot, this.#zone, groupId)?.nodeId === nodeId
  }

  #isListed({ nodeId, zone, roles }: NodeInfo): boolean {
    return roles.gateway && (zone === this.#zone || nodeId === this.#left)
  }

  #endpoint(node: NodeInfo): Endpoint | null {
    const { listeners } = node
    const listener = listeners.find((each) => each.name === this.#listener.name) ??
      listeners.find((each) => each.zone === this.#listener.zone) ?? listeners[0]
    if (listener === undefined) return null
    return { nodeId: node.nodeId, host: listener.advertisedHost, port: listener.advertisedPort, rack: node.zone }
  }
}
