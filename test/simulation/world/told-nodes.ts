/**
 * Nodes that are told who lives: the members are what the world says, and each node hears of a change at a time of its
 * own. Whether a node lives has nothing to do with it, so that two may take themselves for the leader.
 */
import { ZonewiseNode } from '#cli/node/node.ts'
import type { ClusterSnapshot, NodeInfo } from '#shared/cluster/membership.ts'
import { nextNodeEpoch } from '#shared/cluster/node-epoch.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import type { Trace } from '../engine/trace.ts'
import type { VirtualTime } from '../engine/virtual-time.ts'
import type { Faults } from './faults.ts'
import type { Ground } from './ground.ts'
import type { Machine, MachineParts, Running, RunningNode } from './machine.ts'
import { commonParts, listenersOf, type NodeMakerParts } from './node-maker.ts'
import type { NodeLayout } from './settings.ts'

export type ToldNodesParts = NodeMakerParts & {
  readonly ground: Ground
  readonly time: VirtualTime
  readonly trace: Trace
  readonly rng: Rng
  readonly faults: Faults
  readonly machines: () => readonly Machine[]
}

export class ToldNodes {
  readonly #parts: ToldNodesParts
  readonly #members = new Map<number, NodeInfo>() // as the registry has it
  #version = 1
  #clusterId = ''

  constructor(parts: ToldNodesParts) {
    this.#parts = parts
  }

  readonly begin: MachineParts['begin'] = async (running, layouts, onFatal) => {
    const { ground } = this.#parts
    const footing = await ground.open(running.life, onFatal)
    running.footing = footing
    this.#clusterId = footing.clusterId
    for (const layout of layouts) {
      const nodeEpoch = await nextNodeEpoch(footing.store, layout.nodeId)
      running.nodes.set(layout.nodeId, this.#make(layout, nodeEpoch, running, onFatal))
    }
    for (const { info } of running.nodes.values()) this.announce(info)
    await Promise.all([...running.nodes.values()].map(({ node }) => node.start()))
    await Promise.all([...running.nodes.values()].map(({ node, info }) => node.listen(info.listeners)))
  }

  isMember(nodeId: number): boolean {
    return this.#members.has(nodeId)
  }

  expel(nodeId: number): void {
    if (this.#members.delete(nodeId)) this.publish()
  }

  announce(info: NodeInfo): void {
    this.#members.set(info.nodeId, info)
    this.publish()
  }

  /** Tells all nodes of the members as they are. */
  publish(): void {
    const { trace, time, rng, faults, machines } = this.#parts
    const snapshot = this.#snapshot(this.#members)
    const names = snapshot.nodes.map(({ nodeId, nodeEpoch }) => `${nodeId}.${nodeEpoch}`)
    trace.add(`${time.nowMs} members ${names.join(' ')}`)
    for (const machine of machines()) {
      const { life } = machine
      for (const { told } of machine.nodes.values())
        time.after(rng.below(faults.newsMsMax + 1), () => {
          const isNews = told !== undefined && snapshot.version > told.current().version
          if (isNews && life?.alive === true) told.set(snapshot)
        })
    }
  }

  #snapshot(members: ReadonlyMap<number, NodeInfo>): ClusterSnapshot {
    const nodes = [...members.values()].sort((a, b) => a.nodeId - b.nodeId)
    return {
      version: this.#version++, clusterId: this.#clusterId, shardCount: this.#parts.layout.shardCount, nodes
    }
  }

  #make(layout: NodeLayout, nodeEpoch: number, { footing, life }: Running, onFatal: () => void): RunningNode {
    const { hub, seams } = this.#parts
    const { nodeId, zone, roles } = layout
    const info: NodeInfo = { nodeId, nodeEpoch, zone, roles, listeners: listenersOf(layout) }
    const told = new StaticMembership(this.#snapshot(new Map(this.#members).set(nodeId, info)))
    const common = commonParts(this.#parts, info, footing!, life)
    const transport = hub.attach({ nodeId, zone })
    const node = new ZonewiseNode({
      ...common, info, membership: told, transport: seams.transport?.(transport, life) ?? transport, onFatal
    })
    return { node, info, told, kill: () => node.kill() }
  }
}
