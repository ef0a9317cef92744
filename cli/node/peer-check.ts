/**
 * Whether the nodes that live would take this one: asked before it joins, so that a node of another version, cluster or
 * secret is told so itself, and leads nothing. Each is dialled as for calls, up to the point where both have proven
 * themselves.
 */
import { decodeAnnouncement, type Announcement } from '#shared/cluster/announcement.ts'
import type { VersionRange } from '#shared/cluster/cluster-version.ts'
import type { NodeInfo } from '#shared/cluster/membership.ts'
import type { Registry } from '#shared/cluster/registry.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { SocketHandlers } from '#shared/runtime/network.ts'
import { type Runtime, sleep } from '#shared/runtime/runtime.ts'
import type { TransportSettings } from '#shared/transport/config.ts'
import { PROTOCOL, type Refusal, REFUSALS } from '#shared/transport/handshake-messages.ts'
import { DiallingHandshake, type HandshakeEnd } from '#shared/transport/handshake.ts'
import type { Dial } from '#shared/transport/peer.ts'

export type PeerCheckParts = {
  readonly registry: Registry
  readonly own: Pick<NodeInfo, 'nodeId' | 'nodeEpoch' | 'zone'>
  readonly ignored?: number // a node that is not asked: this one, where `own` has another id
  readonly clusterId: string
  readonly formats: VersionRange
  readonly dial: Dial
  readonly runtime: Runtime
  readonly settings: TransportSettings
}

/** What one node says. `refusal`: null if it takes us, or cannot be asked now. */
export type PeerAnswer = { readonly peer: NodeInfo; readonly refusal: string | null; readonly isReached: boolean }

/** What an answer of a peer says of ourselves; the others are of the moment, or of the peer. */
const OURS: ReadonlySet<Refusal> = new Set(['version', 'cluster', 'secret', 'insecure'])

/** @throws ZonewiseError REGISTRY_UNAVAILABLE, REGISTRY_CORRUPT */
export async function askPeers(parts: PeerCheckParts): Promise<readonly PeerAnswer[]> {
  const { registry, own, ignored = own.nodeId } = parts
  const { entries } = await registry.read()
  const others = entries.map(decodeAnnouncement).filter(({ info }) => info.nodeId !== ignored)
  return Promise.all(others.map((other) => askPeer(parts, other)))
}

/** @throws ZonewiseError NODE_REFUSED: one of them would not take this node, and why; as askPeers */
export async function requirePeers(parts: PeerCheckParts): Promise<void> {
  for (const { peer: { nodeId }, refusal } of await askPeers(parts)) {
    if (refusal === null) continue
    throw new ZonewiseError('NODE_REFUSED', 'the cluster refuses this node', { by: nodeId, reason: refusal })
  }
}

async function askPeer(parts: PeerCheckParts, announced: Announcement): Promise<PeerAnswer> {
  const { info: peer, clusterId, formats, software } = announced
  const answer = (refusal: string | null, isReached = true): PeerAnswer => ({ peer, refusal, isReached })
  if (clusterId !== parts.clusterId) return answer(`it is of cluster ${clusterId}, this node of ${parts.clusterId}`)
  if (formats.min > parts.formats.max || formats.max < parts.formats.min) {
    const range = ({ min, max }: VersionRange): string => `${min} to ${max}`
    return answer(`it (version ${software}) writes formats ${range(formats)}, this node reads ${range(parts.formats)}`)
  }
  if (peer.rpc === undefined) return answer(null)
  const outcome = await shake(parts, peer)
  if (outcome === 'taken') return answer(null)
  if (outcome === 'not reached') return answer(null, false)
  return answer(OURS.has(outcome) ? REFUSALS[outcome].sentence : null)
}

type Outcome = Refusal | 'taken' | 'not reached'

async function shake({ own, clusterId, dial, runtime, settings }: PeerCheckParts, peer: NodeInfo): Promise<Outcome> {
  const over = Promise.withResolvers<Outcome>()
  const end: HandshakeEnd = { proven: () => { over.resolve('taken') }, refused: (refusal) => { over.resolve(refusal) } }
  let shaking: DiallingHandshake | null = null
  const early: Uint8Array[] = [] // a peer speaks second, but nobody relies on it
  const handlers: SocketHandlers = {
    data: (bytes) => { if (shaking === null) early.push(bytes.slice()); else shaking.data(bytes) },
    drain() {}, closed: () => { over.resolve('not reached') }
  }
  const waiting = new AbortController()
  const lateIs = (): Outcome => 'not reached'
  const late = sleep(runtime.timer, settings.rpcDialTimeoutMs, waiting.signal).then(lateIs, lateIs)
  try {
    const socket = await dial(peer.rpc!, handlers)
    shaking = new DiallingHandshake({
      ...own, clusterId, secret: settings.rpcSecret, isInsecure: settings.rpcInsecure, protocol: PROTOCOL,
      windowBytes: settings.rpcWindowBytes, messageBytesMax: settings.rpcMessageBytesMax,
      callsMax: settings.rpcCallsMax, callVersions: () => [], chance: runtime.chance
    }, socket, end, { nodeId: peer.nodeId, epochMin: () => 0 })
    shaking.start()
    for (const bytes of early) shaking.data(bytes)
    const outcome = await Promise.race([over.promise, late])
    socket.destroy()
    return outcome
  } catch (error) {
    if (error instanceof ZonewiseError) return 'not reached'
    throw error
  } finally {
    waiting.abort()
  }
}
