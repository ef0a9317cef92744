/**
 * What a connection was shown just now, by partition. Whoever was away from it for longer may have been shown more by
 * another gateway, whose zone's reader knew more: its next answer comes behind a barrier, so that it is never sent
 * back. Holds no more than a connection can ask for in `2 * LATELY_MS`.
 */
export const LATELY_MS = 100

type Shown = Map<string, Set<number>> // partitions by topic id

export class FetchedLately {
  #newer: Shown = new Map()
  #older: Shown = new Map() // one turn ago
  #turnedMs = -Infinity

  /** Whether the partition was shown in the last `LATELY_MS`, or a while more. */
  has(topicId: string, partition: number, nowMs: number): boolean {
    this.#turn(nowMs)
    return this.#newer.get(topicId)?.has(partition) === true || this.#older.get(topicId)?.has(partition) === true
  }

  /** It is shown the partition now. */
  add(topicId: string, partition: number, nowMs: number): void {
    this.#turn(nowMs)
    const partitions = this.#newer.get(topicId)
    if (partitions === undefined) this.#newer.set(topicId, new Set([partition]))
    else partitions.add(partition)
  }

  #turn(nowMs: number): void {
    const sinceMs = nowMs - this.#turnedMs
    if (sinceMs < LATELY_MS) return
    this.#older = sinceMs < 2 * LATELY_MS ? this.#newer : new Map()
    this.#newer = new Map()
    this.#turnedMs = nowMs
  }
}
