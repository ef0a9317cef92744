/** Membership inside one process: whoever composes the nodes sets each snapshot. */
import assert from 'node:assert/strict'
import { CLUSTER_VERSIONS, type VersionRange } from './cluster-version.ts'
import type { AnnouncedClock, ClusterSnapshot, Membership } from './membership.ts'

const NO_CLOCKS: ReadonlyMap<number, AnnouncedClock> = new Map()

export class StaticMembership implements Membership {
  #snapshot: ClusterSnapshot
  readonly #watchers = new Set<(snapshot: ClusterSnapshot) => void>()

  constructor(snapshot: ClusterSnapshot) {
    assertOrdered(snapshot)
    this.#snapshot = snapshot
  }

  current(): ClusterSnapshot {
    return this.#snapshot
  }

  /** One process, one software. */
  versions(): readonly VersionRange[] {
    return this.#snapshot.nodes.map(() => CLUSTER_VERSIONS)
  }

  clocks(): ReadonlyMap<number, AnnouncedClock> {
    return NO_CLOCKS
  }

  watch(fn: (snapshot: ClusterSnapshot) => void): () => void {
    const watcher = (snapshot: ClusterSnapshot): void => fn(snapshot) // one function may watch twice
    this.#watchers.add(watcher)
    return () => { this.#watchers.delete(watcher) }
  }

  /** Makes `snapshot` the current one; its version must be above the last one's. */
  set(snapshot: ClusterSnapshot): void {
    assert(snapshot.version > this.#snapshot.version)
    assertOrdered(snapshot)
    this.#snapshot = snapshot
    for (const watcher of this.#watchers) watcher(snapshot)
  }
}

function assertOrdered({ nodes }: ClusterSnapshot): void {
  for (let i = 1; i < nodes.length; i++) assert(nodes[i - 1]!.nodeId < nodes[i]!.nodeId)
}
