import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Rng } from '#shared/runtime/rng.ts'

test('rng: the same seed gives the same draws, for ever', () => {
  const rng = new Rng(42)
  const draws = [rng.below(1_000), rng.below(1_000), rng.below(2 ** 40), rng.uuid()]
  const again = new Rng(42)
  assert.deepEqual([again.below(1_000), again.below(1_000), again.below(2 ** 40), again.uuid()], draws)
  assert.notEqual(new Rng(43).uuid(), new Rng(42).uuid())
})

test('rng: draws are in range and spread', () => {
  const rng = new Rng(7)
  const counts: number[] = Array.from({ length: 10 }, () => 0)
  for (let i = 0; i < 10_000; i++) counts[rng.below(10)]! += 1
  for (const count of counts) assert(count > 850 && count < 1_150, String(count))
  assert.match(rng.uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})
