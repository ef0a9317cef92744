/** The clock that leaders of a node write down: its own, as far as it may be believed (leader-time-plan.ts). */
import type { Membership } from '#shared/cluster/membership.ts'
import type { Log } from '#shared/log/log.ts'
import type { Clock } from '#shared/runtime/runtime.ts'
import { type ClockReading, judgeClock } from './leader-time-plan.ts'

export type LeaderClockParts = {
  readonly nodeId: number
  readonly clock: Clock
  readonly membership: Membership
  readonly log: Log
  readonly settings: { readonly clockJumpFollow: boolean }
}

export class LeaderClock implements Clock {
  readonly #parts: LeaderClockParts
  #anchor: ClockReading | null = null
  #isBelieved = true

  constructor(parts: LeaderClockParts) {
    this.#parts = parts
  }

  monotonicMs(): number {
    return this.#parts.clock.monotonicMs()
  }

  nowMs(): number {
    const { clock, settings: { clockJumpFollow: operatorFollows } } = this.#parts
    const reading = { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() }
    const others = (): number[] => this.#others(reading.monotonicMs)
    const { timeMs, anchor, aheadMs } = judgeClock({ anchor: this.#anchor, reading, others, operatorFollows })
    this.#anchor = anchor
    if (aheadMs > 0 === this.#isBelieved) this.#tell(aheadMs, others().length)
    return Math.floor(timeMs)
  }

  /** A clock that was announced has gone on as ours has. */
  #others(monotonicMs: number): number[] {
    const { nodeId, membership } = this.#parts
    return [...membership.clocks()].flatMap(([id, { wallMs, heardMs }]) =>
      id === nodeId ? [] : wallMs + monotonicMs - heardMs)
  }

  #tell(aheadMs: number, otherClocks: number): void {
    const { log } = this.#parts
    this.#isBelieved = aheadMs === 0
    if (this.#isBelieved) log.info('the wall clock is believed again')
    else {
      const facts = { aheadMs: Math.round(aheadMs), otherClocks, setting: 'clockJumpFollow' }
      log.warn('the wall clock jumped ahead and is not followed: a start, the setting or two other nodes decide', facts)
    }
  }
}
