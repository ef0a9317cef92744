/** Seeded inputs of tests: what most tests draw, above the generator itself. */
import { Rng } from '#shared/runtime/rng.ts'

/** Lower-case letters, 1 to `lengthMax`. */
export function word(rng: Rng, lengthMax = 12): string {
  return Array.from({ length: 1 + rng.below(lengthMax) }, () => String.fromCharCode(97 + rng.below(26))).join('')
}

/** `list` in another order. */
export function shuffled<T>(rng: Rng, list: readonly T[]): T[] {
  const result = [...list]
  for (let i = result.length - 1; i > 0; i--) {
    const j = rng.below(i + 1)
    ;[result[i], result[j]] = [result[j]!, result[i]!]
  }
  return result
}
