/** For each key a number that only rises, and what it was at any earlier event. */
type Step = { readonly at: number; readonly value: number }

export class Floors {
  readonly #steps = new Map<string, Step[]>()

  raise(key: string, value: number, at: number): void {
    const steps = this.#steps.get(key)
    if (steps === undefined) this.#steps.set(key, [{ at, value }])
    else if (value > steps.at(-1)!.value) steps.push({ at, value })
  }

  /** The value known before event `at`; `none` where there was none. */
  before(key: string, at: number, none = 0): number {
    const steps = this.#steps.get(key) ?? []
    let [low, high] = [0, steps.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (steps[middle]!.at < at) low = middle + 1
      else high = middle
    }
    return steps[low - 1]?.value ?? none
  }
}
