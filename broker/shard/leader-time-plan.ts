/**
 * Which time a leader may write down. What ages by it (producers, offsets, retention) is gone for good after a jump
 * ahead that was none, so a wall clock is believed only as far as something else says the same: the monotonic clock
 * since it was believed last, two other live nodes, or the operator. A start is the operator's word, unless two nodes
 * contradict it: a folder that was idle for days is no jump. Going back needs no rule here, because a leader's time
 * never does. Where a clock is not believed, time goes on by the monotonic clock.
 */
export const CLOCK_JUMP_MS_MAX = 10 * 60 * 1_000
const CONFIRMING_NODES = 2
/** A clock may creep: no more than one jump's length in this time. */
const ANCHOR_MS = 60 * 60 * 1_000

export type ClockReading = { readonly wallMs: number; readonly monotonicMs: number }

/** `anchor`: the newest reading that later ones are held against; `aheadMs`: by what is not believed, 0 if all is. */
export type TimeVerdict = { readonly timeMs: number; readonly anchor: ClockReading; readonly aheadMs: number }

export type TimeEvidence = {
  readonly anchor: ClockReading | null // null: the first reading of this process
  readonly reading: ClockReading
  /** What the clocks of other live nodes show now; asked only where it matters. */
  readonly others: () => readonly number[]
  readonly operatorFollows: boolean // the operator says that this clock is right, whatever it does
}

export function judgeClock({ anchor, reading, others, operatorFollows }: TimeEvidence): TimeVerdict {
  if (operatorFollows) return believe(reading)
  if (anchor === null) return judgeFirst(reading, others())
  const passedMs = reading.monotonicMs - anchor.monotonicMs
  const expectedMs = anchor.wallMs + passedMs
  const aheadMs = reading.wallMs - expectedMs
  if (aheadMs <= CLOCK_JUMP_MS_MAX)
    return { timeMs: reading.wallMs, anchor: passedMs >= ANCHOR_MS ? reading : anchor, aheadMs: 0 }
  return isConfirmed(reading, others()) ? believe(reading) : { timeMs: expectedMs, anchor, aheadMs }
}

function judgeFirst(reading: ClockReading, others: readonly number[]): TimeVerdict {
  const newestMs = others.reduce((max, one) => Math.max(max, one), -Infinity)
  const aheadMs = reading.wallMs - newestMs
  const isContradicted = others.length >= CONFIRMING_NODES && aheadMs > CLOCK_JUMP_MS_MAX
  if (!isContradicted) return believe(reading)
  return { timeMs: newestMs, anchor: { wallMs: newestMs, monotonicMs: reading.monotonicMs }, aheadMs }
}

function isConfirmed({ wallMs }: ClockReading, others: readonly number[]): boolean {
  return others.filter((one) => Math.abs(one - wallMs) <= CLOCK_JUMP_MS_MAX).length >= CONFIRMING_NODES
}

function believe(reading: ClockReading): TimeVerdict {
  return { timeMs: reading.wallMs, anchor: reading, aheadMs: 0 }
}
