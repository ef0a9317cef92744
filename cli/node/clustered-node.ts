/**
 * One node among others: its membership and lease, its gateway and broker, and how they come and go together. What it
 * stands on (journal, registry, store, transport) comes in as an argument, so that production and simulation join,
 * serve, hand over and stop in the same way.
 */
import { ClusterMembership, type ClusterMembershipParts } from '#shared/cluster/cluster-membership.ts'
import { CLUSTER_VERSIONS } from '#shared/cluster/cluster-version.ts'
import { knownZones } from '#shared/cluster/known-zones.ts'
import type { ListenerInfo, Membership, NodeInfo } from '#shared/cluster/membership.ts'
import { nextNodeEpoch } from '#shared/cluster/node-epoch.ts'
import type { Journal } from '#shared/journal/journal.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { version } from '../version.ts'
import { boundedStop } from './bounded-stop.ts'
import { agreeOnCluster, type ClusterFacts } from './cluster-facts.ts'
import { serveDrain } from './cluster-nodes.ts'
import { ZonewiseNode, type NodeParts } from './node.ts'
import type { Waiting } from './waiting.ts'

export type OwnFacts = ClusterFacts & { readonly info: NodeInfo; readonly zones: readonly string[] }

export type ClaimParts = {
  readonly own: Omit<NodeInfo, 'nodeEpoch'>
  readonly store: ObjectStore
  readonly journal: Journal
  readonly runtime: Runtime
  readonly shardsWanted: number // of a new cluster
  readonly waiting: Waiting
}

type Given = Omit<NodeParts, 'info' | 'membership' | 'leases' | 'transport' | 'zones'>

export type ClusteredNodeParts = Given & OwnFacts & {
  readonly registry: ClusterMembershipParts['registry']
  readonly settings: ClusterMembershipParts['settings']
  readonly load: () => number
  readonly transportWith: (membership: Membership) => Transport
  readonly waiting: Waiting
}

export type Stopping = {
  readonly awayMs: number
  /** What is wrong with the store now, in words, or null. Answers soon. */
  readonly storeAway: () => Promise<string | null>
  /** Takes the node off the registry and gives back what it stands on. */
  readonly close: () => Promise<void>
}

const HAND_OVER_GRACE_MS = 5_000

/** What the cluster is, and a new life of the node in it. @throws ZonewiseError that cannot pass by itself */
export async function claimLife(parts: ClaimParts): Promise<OwnFacts> {
  const { own, store, journal, runtime, shardsWanted, waiting } = parts
  const facts = await waiting.until('store and journal', () =>
    agreeOnCluster(store, journal, runtime.chance, shardsWanted))
  const nodeEpoch = await waiting.until('the object store', () => nextNodeEpoch(store, own.nodeId))
  const zones = await waiting.until('the object store', () => knownZones(store, own.zone))
  return { ...facts, zones, info: { ...own, nodeEpoch, draining: true } } // until it serves
}

export class ClusteredNode {
  readonly membership: ClusterMembership
  readonly transport: Transport
  readonly node: ZonewiseNode
  readonly #parts: ClusteredNodeParts

  private constructor(parts: ClusteredNodeParts, membership: ClusterMembership) {
    const { info, log } = parts
    this.#parts = parts
    this.membership = membership
    this.transport = parts.transportWith(membership)
    this.node = new ZonewiseNode({
      ...parts, membership, leases: membership, transport: this.transport, log: log.child({ node: info.nodeId })
    })
    serveDrain(this.transport, membership, log)
  }

  /** Announces the node, once an older life of it is gone. @throws as ClusterMembership.join */
  static async join(parts: ClusteredNodeParts): Promise<ClusteredNode> {
    const { info, onFatal, waiting } = parts
    const membership = new ClusterMembership({
      ...parts, own: info, software: version(), formats: CLUSTER_VERSIONS, onSuperseded: onFatal
    })
    await waiting.until('the registry in Redis', () => membership.join())
    return new ClusteredNode(parts, membership)
  }

  /** @returns the listeners as bound. @throws ZonewiseError; nothing serves then, the node is announced still */
  async serve(wanted: readonly ListenerInfo[]): Promise<readonly ListenerInfo[]> {
    try {
      await this.#parts.waiting.until('the catalog', () => this.node.start())
      const listeners = await this.node.listen(wanted)
      await this.membership.announce({ listeners, draining: false })
      return listeners
    } catch (error) {
      this.node.kill()
      throw error
    }
  }

  /** Hands over what it leads, lets clients move, and ends; not for ever where Redis or the store is away. */
  stop({ awayMs, storeAway, close }: Stopping): Promise<void> {
    const { runtime, log, brokerSettings: { handOverMs } } = this.#parts
    return boundedStop({
      runtime, log, awayMs,
      stop: async () => {
        const stopping = await this.node.sayFarewell()
        await this.membership.announce({ draining: true, stopping })
        const unlist = (): Promise<void> => this.membership.announce({ listeners: [] })
        await Promise.all([this.node.handedOver(handOverMs + HAND_OVER_GRACE_MS), this.node.clientsMoved(unlist)])
        await this.node.stopGateway()
        await this.node.stopBroker()
        await close()
      },
      away: async () => this.membership.isReached ? storeAway() : 'the registry in Redis does not answer',
      kill: () => { this.node.kill() }
    })
  }

  /** Takes the node off the registry. */
  leave(): Promise<void> {
    return this.membership.leave()
  }

  /** Ends at once, as a crash would: nothing is flushed, its lease runs out. */
  kill(): void {
    this.membership.stop()
    this.node.kill()
  }
}
