/**
 * Nodes that find each other as those of a real cluster do: each announces itself in the registry, holds a lease there,
 * takes up what placement gives to it, and hands over what it takes away (cli/node/clustered-node.ts).
 */
import { ClusteredNode, claimLife } from '#cli/node/clustered-node.ts'
import { requirePeers } from '#cli/node/peer-check.ts'
import { StoreProbe } from '#cli/node/readiness.ts'
import { Waiting } from '#cli/node/waiting.ts'
import { CLUSTER_VERSIONS } from '#shared/cluster/cluster-version.ts'
import { RedisRegistry } from '#shared/cluster/redis-registry.ts'
import type { Membership } from '#shared/cluster/membership.ts'
import type { Transport } from '#shared/transport/transport.ts'
import type { Witness } from '../check/witness.ts'
import { type ClusterGround, PREFIX } from './cluster-ground.ts'
import type { MachineParts } from './machine.ts'
import { commonParts, listenersOf, type NodeMakerParts } from './node-maker.ts'
import { heldTransport } from './held-transport.ts'
import { LifeStreams, rpcOf } from './life-streams.ts'

export type LeasedNodesParts = NodeMakerParts & { readonly ground: ClusterGround; readonly witness: Witness }

const STOP_AWAY_MS = 5_000

/** How a machine with one such node begins a life. */
export function leasedNodes(parts: LeasedNodesParts): MachineParts['begin'] {
  const { ground, layout, hub, seams, logOf, witness, ledger, onBug } = parts
  const { carrier, shardCount, lease, transport: settings } = layout
  return async (running, [own], onFatal) => {
    const { life } = running
    const { runtime } = life
    const { nodeId, zone, roles } = own!
    const log = logOf(`n${nodeId}`, life)
    const waiting = new Waiting({ runtime, log, signal: new AbortController().signal })
    const footing = await ground.open(life, waiting, log)
    running.footing = { ...footing, clusterId: '' }
    const facts = await claimLife({
      own: { nodeId, zone, roles, listeners: [], ...(carrier === 'network' ? { rpc: rpcOf(nodeId) } : {}) },
      store: footing.store, journal: footing.journal, runtime, shardsWanted: shardCount, waiting
    })
    const { info, clusterId } = facts
    running.footing = { ...footing, clusterId }
    const common = commonParts(parts, info, running.footing, life)
    const registry = new RedisRegistry({ redis: footing.redis, prefix: PREFIX, timer: runtime.timer, log: common.log })
    const { network: host, memory } = common
    const streams = new LifeStreams({ host, runtime, settings })
    if (carrier === 'network') {
      await streams.listen(nodeId)
      await waiting.until('the registry in Redis', () => requirePeers({
        registry, own: info, clusterId, formats: CLUSTER_VERSIONS, dial: streams.dial, runtime, settings
      }))
    }
    const carrierWith = (membership: Membership): Transport => (carrier === 'in-process' ? hub.attach({ nodeId, zone })
      : streams.open({ info, membership, memory, ledger, log: common.log, onBug }))
    const transportWith = (membership: Membership): Transport => {
      const transport = witness.watch(heldTransport(carrierWith(membership), life), life)
      return seams.transport?.(transport, life) ?? transport
    }
    const clustered = await ClusteredNode.join({
      ...common, ...facts, registry, settings: lease, load: () => 0, waiting, onFatal, transportWith
    })
    const probe = new StoreProbe(footing.store, runtime)
    running.nodes.set(nodeId, {
      node: clustered.node, info,
      kill: () => { registry.close(); clustered.kill() },
      stop: () => clustered.stop({
        awayMs: STOP_AWAY_MS, storeAway: () => probe.look(),
        close: async () => {
          await clustered.leave()
          registry.close()
        }
      })
    })
    await clustered.serve(listenersOf(own!))
  }
}
