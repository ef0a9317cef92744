/**
 * Which latency is unusual, and how many second tries are allowed. A window holds the newest latencies of calls of one
 * kind and size; the budget lets a bounded share of all requests be sent twice. Pure: time comes with each call.
 */
import assert from 'node:assert/strict'

const SAMPLES_MAX = 256
const SAMPLES_MIN = 48 // before it nothing is known, and nothing is unusual
const SORT_EVERY = 16
const SIZE_CLASSES = 6 // to 64 KiB, 256 KiB, 1 MiB, 4 MiB, 16 MiB, and above
const SMALLEST_CLASS_BYTES = 64 * 1024
const BURST = 8 // hedges saved up while nothing is slow

/** The newest latencies of one kind of call. */
export class LatencyWindow {
  readonly #samples = new Float64Array(SAMPLES_MAX)
  #count = 0
  #p99Ms: number | null = null

  record(ms: number): void {
    assert(ms >= 0)
    this.#samples[this.#count % SAMPLES_MAX] = ms
    this.#count += 1
    if (this.#count >= SAMPLES_MIN && this.#count % SORT_EVERY === 0) this.#p99Ms = this.#quantile(0.99)
  }

  /** null: too little is known. */
  get p99Ms(): number | null {
    return this.#p99Ms
  }

  #quantile(share: number): number {
    const sorted = this.#samples.slice(0, Math.min(this.#count, SAMPLES_MAX)).sort()
    return sorted[Math.ceil(sorted.length * share) - 1]!
  }
}

/** A window per size: a small PUT is not slow because a large one takes longer. */
export class LatencyWindows {
  readonly #windows = Array.from({ length: SIZE_CLASSES }, () => new LatencyWindow())

  of(bytes: number): LatencyWindow {
    let [sizeClass, limit] = [0, SMALLEST_CLASS_BYTES]
    for (; bytes > limit && sizeClass < SIZE_CLASSES - 1; sizeClass++) limit *= 4
    return this.#windows[sizeClass]!
  }
}

/** Earns `percentMax` hundredths of a hedge with each request; a hedge costs a whole one. */
export class HedgeBudget {
  readonly #share: number
  #hedges = 0

  constructor(percentMax: number) {
    this.#share = percentMax / 100
  }

  earn(): void {
    this.#hedges = Math.min(BURST, this.#hedges + this.#share)
  }

  /** false: too many were sent twice of late. */
  spend(): boolean {
    if (this.#hedges < 1) return false
    this.#hedges -= 1
    return true
  }
}
