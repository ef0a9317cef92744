/** Long polls that wait for news of partitions of one view, found by partition: news of others cost them nothing. */
import type { ShardView } from '../shard/shard-view.ts'

/** Takes the local ids of those of its partitions that have news. */
export type Wake = (localIds: readonly number[]) => void

export class ViewWaiters {
  readonly #byPartition = new Map<number, Set<Wake>>()

  constructor(view: ShardView) {
    view.onAdvance((localIds) => { this.#advance(localIds) })
  }

  /** Calls `wake` at each news of some of the partitions, once for all of a group; returns the way to stop. */
  wait(localIds: Iterable<number>, wake: Wake): () => void {
    const waited = [...localIds]
    for (const localId of waited) {
      const waiting = this.#byPartition.get(localId)
      if (waiting === undefined) this.#byPartition.set(localId, new Set([wake]))
      else waiting.add(wake)
    }
    return () => {
      for (const localId of waited) {
        const waiting = this.#byPartition.get(localId)
        waiting?.delete(wake)
        if (waiting?.size === 0) this.#byPartition.delete(localId)
      }
    }
  }

  /** Partitions that somebody waits for now. */
  get partitionCount(): number {
    return this.#byPartition.size
  }

  #advance(localIds: ReadonlySet<number>): void {
    if (this.#byPartition.size === 0) return
    const news = new Map<Wake, number[]>()
    for (const localId of localIds)
      for (const wake of this.#byPartition.get(localId) ?? []) {
        const known = news.get(wake)
        if (known === undefined) news.set(wake, [localId])
        else known.push(localId)
      }
    for (const [wake, changed] of news) wake(changed)
  }
}
