/** Tests of the product by simulation: seeds that must show nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeds } from '#test/support/seeds.ts'
import { runSimulation } from '../simulation.ts'
import { placed, type Layout } from '../world/settings.ts'

const MINUTES: Readonly<Record<Layout['ground'], number>> = { remote: 0.1, local: 0.1, cluster: 0.15 } // leases run out
const FIRST: Readonly<Record<Layout['ground'], number>> = { remote: 3, local: 2, cluster: 1 }

/** Tests the first few seeds on one ground, and those that `found` something once. */
export function holdSeeds(
  ground: Layout['ground'], found: readonly number[], carrier: Layout['carrier'] = 'in-process'
): void {
  const minutes = MINUTES[ground]
  const shape = (drawn: Layout): Layout => placed(drawn, { ground, carrier })
  const place = `--ground ${ground} --carrier ${carrier}`
  const over = carrier === 'network' ? ' over sockets' : ''
  const first = FIRST[ground] + (carrier === 'network' ? 1 : 0) // the streams are the product's
  for (const seed of [...seeds(first), ...(process.env['TEST_SEEDS'] === undefined ? found : [])]) {
    test(`simulation: nothing that may never happen happens on ${ground} ground${over} with seed ${seed}`, async () => {
      const { violations, counts } = await runSimulation({ seed, minutes, shape })
      const told = violations.slice(0, 3).map(({ rule, what, atMs }) => `${rule}, at ${atMs} ms: ${what}`)
      const replay = `npm run sim -- --seed ${seed} --minutes ${minutes} ${place} --verbose`
      assert.deepEqual(told, [], `${violations.length} violations: ${replay}`)
      assert(counts.acked > 100, `only ${counts.acked} records were acked`)
      assert(counts.read > 100, `only ${counts.read} records were read on the way`)
    })
  }
}
