/** Seeds of a property test: the first `count` whole numbers, or those of TEST_SEEDS (`TEST_SEEDS=7,12`). */
export function seeds(count: number): readonly number[] {
  const chosen = process.env['TEST_SEEDS']
  if (chosen === undefined || chosen === '') return Array.from({ length: count }, (_, seed) => seed + 1)
  return chosen.split(',').map((text) => {
    const seed = Number(text)
    if (!Number.isSafeInteger(seed)) throw new Error(`TEST_SEEDS: "${text}" is no whole number`)
    return seed
  })
}
