/**
 * Moves what places things: the ring of a zone's gateways, the zone's readers and owners of chunks, the leaders of
 * shards. One node at a time is drained, removed, killed or paused, so that others take its share, and comes back.
 */
import type { Rng } from '#shared/runtime/rng.ts'
import { pause } from '../kill-moments.ts'
import { type DrillCluster, ZONES } from './drill-cluster.ts'
import type { DrillNode } from './drill-node.ts'

const AWAY_MS = { min: 500, span: 4_000 } // others take a dead node's share after 3 s
const STILL_MS_MAX = 1_000
const OTHER_ZONE_PER_MILLE = 250

/** A node goes; what is returned brings it back. */
type Move = (node: DrillNode) => Promise<() => Promise<void>>

const MOVES: Readonly<Record<string, Move>> = {
  drain: async (node) => {
    const { nodeId } = node.options
    await node.drain(nodeId, true)
    return () => node.drain(nodeId, false)
  },
  remove: async (node) => {
    await node.stop()
    return () => add(node)
  },
  kill: async (node) => {
    await node.kill()
    return () => add(node)
  },
  pause: async (node) => {
    node.pause()
    return async () => { node.resume() }
  }
}

export type RingOptions = { readonly rng: Rng; readonly echo: (line: string) => void; readonly forMs: number }

/** Every move once before any comes again. Resolves when all nodes serve. */
export async function moveRing(cluster: DrillCluster, { rng, echo, forMs }: RingOptions): Promise<void> {
  const moves = Object.keys(MOVES)
  let left: string[] = []
  for (const untilMs = performance.now() + forMs; performance.now() < untilMs; await pause(rng.below(STILL_MS_MAX))) {
    if (left.length === 0) left = [...moves]
    const move = rng.pick(left)
    left.splice(left.indexOf(move), 1)
    const node = rng.pick(rng.below(1_000) < OTHER_ZONE_PER_MILLE ? cluster.nodes : cluster.inZone(ZONES[0]))
    echo(`ring: ${move} node ${node.options.nodeId}`)
    const back = await MOVES[move]!(node)
    await pause(AWAY_MS.min + rng.below(AWAY_MS.span))
    await back()
  }
}

async function add(node: DrillNode): Promise<void> {
  node.launch()
  await node.ready()
}
