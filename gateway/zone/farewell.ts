/**
 * Where the clients of a gateway go that stops: to others of its zone, else to another zone, whose gateways are told
 * who comes. Tells, and hears.
 */
import type { ClusterSnapshot, Membership, NodeInfo } from '#shared/cluster/membership.ts'
import { gatewaysOf, servingZone } from '#shared/cluster/ring.ts'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Log } from '#shared/log/log.ts'
import { guestsCall } from '#shared/rpc/guests.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { type GuestClient, type Guests, keyOf } from './guests.ts'

export type ConnectedClient = GuestClient & { readonly zone: string } // its own

export type FarewellParts = {
  readonly nodeId: number
  readonly zone: string
  readonly membership: Membership
  readonly transport: Transport
  readonly log: Log
  readonly guestsMax: number
  /** Of all connections. */
  readonly connected: () => readonly ConnectedClient[]
}

const DEADLINE_MS = 1_000
const CLIENT_ID_LENGTH_MAX = 256 // of a client told of; whose is longer is not sent back

/** Hears from gateways of other zones who comes from there. */
export function expectGuests({ transport, zone: ourZone, connected, log }: FarewellParts, guests: Guests): void {
  transport.serve(guestsCall, ({ zone, clients }, { fromNode }) => {
    const here = new Set(connected().filter((client) => client.zone === ourZone).map(keyOf))
    guests.expect(zone, clients, (client) => here.has(keyOf(client)))
    log.info('clients of a zone without gateway are expected', { zone, fromNode, clients: clients.length })
    return Promise.resolve({})
  })
}

/** Tells who comes; whether this gateway's clients may be sent away: to its own zone's, or where all know of them. */
export async function sayFarewell(parts: FarewellParts): Promise<boolean> {
  const { nodeId, zone, membership, transport, log, guestsMax, connected } = parts
  const after = without(membership.current(), nodeId)
  if (gatewaysOf(after, zone).some((node) => node.nodeId !== nodeId)) return true
  const serving = servingZone(after, zone)
  const hosts = serving === null || serving === zone ? [] : gatewaysOf(after, serving)
  if (hosts.length === 0) return false
  // Guests whose own zone serves again are on their way home: what is left of them here is an idle connection.
  const comes = (home: string): boolean => home === zone || gatewaysOf(after, home).length === 0
  const guests = Map.groupBy(connected().filter((client) => comes(client.zone)), (client) => client.zone)
  const requests =
    [...guests].map(([home, clients]) => ({ zone: home, clients: distinct(clients).slice(0, guestsMax) }))
  const told = await Promise.allSettled(hosts.flatMap((host) => requests.map(
    (request) => transport.call(host.nodeId, guestsCall, request, { deadlineMs: DEADLINE_MS })
  )))
  for (const outcome of told) {
    if (outcome.status === 'fulfilled') continue
    const reason: unknown = outcome.reason
    if (!(reason instanceof ZonewiseError)) throw reason
    log.info(
      'clients stay until this gateway closes: no other zone knows of them', { zone: serving, reason: explain(reason) }
    )
    return false
  }
  log.info('clients go to another zone: theirs has no other gateway', { zone: serving, gateways: hosts.length })
  return true
}

/** The cluster once a node stops. */
function without(snapshot: ClusterSnapshot, nodeId: number): ClusterSnapshot {
  const stop = (node: NodeInfo): NodeInfo =>
    (node.nodeId === nodeId ? { ...node, draining: true, stopping: true } : node)
  return { ...snapshot, nodes: snapshot.nodes.map(stop) }
}

function distinct(clients: readonly ConnectedClient[]): GuestClient[] {
  const short = clients.filter(({ clientId }) => clientId.length <= CLIENT_ID_LENGTH_MAX)
  return [...new Map(short.map(({ host, clientId }) => [keyOf({ host, clientId }), { host, clientId }])).values()]
}
