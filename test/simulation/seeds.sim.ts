import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeds } from '#test/support/seeds.ts'
import { runSimulation } from './simulation.ts'

const MINUTES = 0.12

for (const seed of seeds(12)) {
  test(`simulation: nothing that may never happen happens with seed ${seed}`, async () => {
    const { violations, counts } = await runSimulation({ seed, minutes: MINUTES })
    assert.deepEqual(violations, [], `npm run sim -- --seed ${seed} --minutes ${MINUTES}`)
    assert(counts.acked > 200, `only ${counts.acked} records were acked`)
    assert(counts.read > counts.acked)
  })
}
