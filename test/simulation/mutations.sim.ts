/** Goal: the checker finds bugs. Method: put one in, and search seeds until a run breaks a rule that it must break. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ackBeforeDurable, forgetChunks, forgetProducers, skipGroups } from './mutation/mutations.ts'
import { runSimulation } from './simulation.ts'
import type { Seams } from './world/world.ts'

const MINUTES = 0.1
const SEEDS_MAX = 40

async function assertFound(rules: readonly string[], mutate: () => () => void, seams: Seams = {}): Promise<void> {
  const undo = mutate()
  try {
    for (let seed = 1; seed <= SEEDS_MAX; seed++) {
      const { violations } = await runSimulation({ seed, minutes: MINUTES, seams, finishMs: 10_000 })
      if (violations.some(({ rule }) => rules.includes(rule))) return
    }
  } finally {
    undo()
  }
  assert.fail(`no seed up to ${SEEDS_MAX} broke ${rules.join(', or ')}`)
}

const nothing = (): (() => void) => () => {}

test('simulation: finds an ack before the append is durable', () =>
  assertFound(['no acked record is lost'], nothing, { journal: ackBeforeDurable }))

// Both offsets name one batch, whose header can only show one of them: the other is a hole.
test('simulation: finds a leader that applies a chunk twice', () =>
  assertFound(['exactly once', 'offsets are dense'], forgetChunks))

test('simulation: finds a leader that forgets producers', () => assertFound(['exactly once'], forgetProducers))

test('simulation: finds a view that skips a group', () => assertFound(['readers skip nothing'], () => skipGroups(50)))
