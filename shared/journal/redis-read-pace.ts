/**
 * How many groups to ask Redis for at once: it counts entries, never bytes, and their size is not known before. The
 * next reply is aimed at a size by what the last one held, so its size is bounded by the count and the largest group.
 */
const FIRST_GUESS_BYTES = 16 * 1_024
const ENTRY_OVERHEAD_BYTES = 64 // of ids, lengths and header around a body

export type PaceGoal = { readonly replyBytes: number; readonly groupsMax: number }

export class ReadPace {
  readonly #replyBytes: number
  readonly #groupsMax: number
  #groupBytes = FIRST_GUESS_BYTES

  constructor(goal: PaceGoal) {
    this.#replyBytes = goal.replyBytes
    this.#groupsMax = goal.groupsMax
  }

  /** Groups for one reply of which no more than `bytesMax` are wanted; at least one. */
  count(bytesMax: number = this.#replyBytes): number {
    const count = Math.floor(Math.min(this.#replyBytes, bytesMax) / this.#groupBytes)
    return Math.max(1, Math.min(count, this.#groupsMax))
  }

  /** Learns from a reply. */
  took(groups: readonly { readonly body: Uint8Array }[]): void {
    if (groups.length === 0) return
    let bytes = 0
    for (const { body } of groups) bytes += body.byteLength + ENTRY_OVERHEAD_BYTES
    this.#groupBytes = bytes / groups.length
  }
}
