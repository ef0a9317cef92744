/**
 * Nodes that find each other as those of a real cluster do: each announces itself in the registry, holds a lease there,
 * takes up what placement gives to it, and hands over what it takes away (cli/node/clustered-node.ts).
 */
import { ClusteredNode, claimLife } from '#cli/node/clustered-node.ts'
import { StoreProbe } from '#cli/node/readiness.ts'
import { Waiting } from '#cli/node/waiting.ts'
import { RedisRegistry } from '#shared/cluster/redis-registry.ts'
import type { Membership } from '#shared/cluster/membership.ts'
import type { Transport } from '#shared/transport/transport.ts'
import type { Witness } from '../check/witness.ts'
import { type ClusterGround, PREFIX } from './cluster-ground.ts'
import type { MachineParts } from './machine.ts'
import { commonParts, listenersOf, type NodeMakerParts } from './node-maker.ts'
import { heldTransport } from './held-transport.ts'

export type LeasedNodesParts = NodeMakerParts & { readonly ground: ClusterGround; readonly witness: Witness }

const STOP_AWAY_MS = 5_000

/** How a machine with one such node begins a life. */
export function leasedNodes(parts: LeasedNodesParts): MachineParts['begin'] {
  const { ground, layout, hub, seams, logOf, witness } = parts
  return async (running, [own], onFatal) => {
    const { life } = running
    const { runtime } = life
    const { nodeId, zone, roles } = own!
    const log = logOf(`n${nodeId}`, life)
    const waiting = new Waiting({ runtime, log, signal: new AbortController().signal })
    const footing = await ground.open(life, waiting, log)
    running.footing = { ...footing, clusterId: '' }
    const facts = await claimLife({
      own: { nodeId, zone, roles, listeners: [] }, store: footing.store, journal: footing.journal, runtime,
      shardsWanted: layout.shardCount, waiting
    })
    running.footing = { ...footing, clusterId: facts.clusterId }
    const common = commonParts(parts, facts.info, running.footing, life)
    const registry = new RedisRegistry({ redis: footing.redis, prefix: PREFIX, timer: runtime.timer, log: common.log })
    const transportWith = (_membership: Membership): Transport => {
      const transport = witness.watch(heldTransport(hub.attach({ nodeId, zone }), life), life)
      return seams.transport?.(transport, life) ?? transport
    }
    const clustered = await ClusteredNode.join({
      ...common, ...facts, registry, settings: layout.lease, load: () => 0, waiting, onFatal, transportWith
    })
    const probe = new StoreProbe(footing.store, runtime)
    running.nodes.set(nodeId, {
      node: clustered.node, info: facts.info, host: common.network,
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
