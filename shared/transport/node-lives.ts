/** The newest life of each node that is known: from the membership, and from those who have proven who they are. */
import type { ClusterSnapshot } from '#shared/cluster/membership.ts'

export class NodeLives {
  readonly #proven = new Map<number, number>() // nodeEpoch by nodeId: as many as the cluster ever had nodes
  #members: ReadonlyMap<number, number>

  constructor(snapshot: ClusterSnapshot) {
    this.#members = membersOf(snapshot)
  }

  /** 0 where none is known. */
  newest(nodeId: number): number {
    return Math.max(this.#proven.get(nodeId) ?? 0, this.#members.get(nodeId) ?? 0)
  }

  /** A node has proven to be in this life. */
  prove(nodeId: number, nodeEpoch: number): void {
    this.#proven.set(nodeId, Math.max(nodeEpoch, this.#proven.get(nodeId) ?? 0))
  }

  follow(snapshot: ClusterSnapshot): void {
    this.#members = membersOf(snapshot)
  }
}

function membersOf({ nodes }: ClusterSnapshot): Map<number, number> {
  return new Map(nodes.map(({ nodeId, nodeEpoch }) => [nodeId, nodeEpoch]))
}
