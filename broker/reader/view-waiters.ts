/** Long polls that wait for news of partitions of one view, found by partition: news of others cost them nothing. */
import type { ShardView } from '../shard/shard-view.ts'

export class ViewWaiters {
  readonly #byPartition = new Map<number, Set<() => void>>()

  constructor(view: ShardView) {
    view.onAdvance((localIds) => {
      if (this.#byPartition.size === 0) return
      const woken = new Set<() => void>()
      for (const localId of localIds) for (const wake of this.#byPartition.get(localId) ?? []) woken.add(wake)
      for (const wake of woken) wake()
    })
  }

  /** Calls `wake` at each news of one of the partitions; returns the way to stop. */
  wait(localIds: readonly number[], wake: () => void): () => void {
    for (const localId of localIds) {
      const waiting = this.#byPartition.get(localId)
      if (waiting === undefined) this.#byPartition.set(localId, new Set([wake]))
      else waiting.add(wake)
    }
    return () => {
      for (const localId of localIds) {
        const waiting = this.#byPartition.get(localId)
        waiting?.delete(wake)
        if (waiting?.size === 0) this.#byPartition.delete(localId)
      }
    }
  }
}
