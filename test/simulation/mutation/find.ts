/** Tests of the checker: bugs that it must find. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSimulation } from '../simulation.ts'
import type { Mutation } from './mutations.ts'

const MINUTES = 0.1
const FINISH_MS = 10_000
const SEEDS_MAX = 30

/** Puts one bug in after the other, and searches seeds until a run breaks a rule that it must break. */
export function findAll(mutations: Readonly<Record<string, Mutation>>): void {
  for (const [name, mutation] of Object.entries(mutations))
    test(`simulation: finds ${mutation.bug} (--plant ${name})`, () => find(mutation))
}

async function find({ rules, plant, seams = {}, shape, firstSeed = 1, minutes = MINUTES }: Mutation): Promise<void> {
  const undo = plant?.()
  try {
    for (let seed = firstSeed; seed < firstSeed + SEEDS_MAX; seed++) {
      const { violations } = await runSimulation({ seed, minutes, seams, shape, finishMs: FINISH_MS, stopAt: rules })
      if (violations.some(({ rule }) => rules.includes(rule))) return
    }
  } finally {
    undo?.()
  }
  assert.fail(`none of ${SEEDS_MAX} seeds from ${firstSeed} on broke ${rules.join(', or ')}`)
}
