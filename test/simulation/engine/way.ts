/**
 * One direction of a connection. What is sent arrives late and in order. While the direction is cut nothing arrives: it
 * is tried again after longer and longer, as TCP does, and once that succeeds all that was held arrives, in order.
 */
import type { Rng } from '#shared/runtime/rng.ts'
import type { VirtualTime } from './virtual-time.ts'

export type WayParts = {
  readonly time: VirtualTime
  readonly rng: Rng
  readonly delayMs: () => number
  readonly isCut: () => boolean
}

export const RETRY_MS = { min: 200, max: 2_000 } as const

export class Way {
  readonly #parts: WayParts
  readonly #held: (() => void)[] = [] // no more than the sender may have on its way
  #arrivesMs = 0 // of what was sent last

  constructor(parts: WayParts) {
    this.#parts = parts
  }

  /** Whether nothing arrives now. */
  get isHeld(): boolean {
    return this.#held.length > 0 || this.#parts.isCut()
  }

  send(arrive: () => void): void {
    const { time, delayMs } = this.#parts
    this.#arrivesMs = Math.max(this.#arrivesMs, time.nowMs + delayMs())
    time.at(this.#arrivesMs, () => { this.pass(arrive) })
  }

  /** What takes no time of its own, unless it is held. */
  pass(arrive: () => void): void {
    if (!this.isHeld) return arrive()
    this.#held.push(arrive)
    if (this.#held.length === 1) this.#tryLater(RETRY_MS.min)
  }

  #tryLater(ms: number): void {
    const { time, rng, isCut } = this.#parts
    time.after(ms / 2 + rng.fraction() * ms / 2, () => {
      if (isCut()) return this.#tryLater(Math.min(2 * ms, RETRY_MS.max))
      while (this.#held.length > 0) this.#held.shift()!()
    })
  }
}
