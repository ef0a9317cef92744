/**
 * Goal: kill -9 at any moment loses nothing that was acknowledged, doubles nothing and leaves no hole; the server
 * is ready again within 10 s. Method: a few kills of a server under load, by moments drawn from a seed; `npm run
 * drill` does more.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runKillDrill } from '#test/drill/kill-drill.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'

const KILLS = 6
const SEED = 5 // draws each moment but one

test('kill drill: what was acknowledged is there once, at its offset, after every kill', async () => {
  const { violations, counts } = await runKillDrill({ folder: temporaryFolder(), kills: KILLS, seed: SEED })
  assert.deepEqual(violations, [])
  assert(counts.acked > 100 && counts.stored > 100, JSON.stringify(counts))
})
