/**
 * Goal: kill -9 at whatever moment loses nothing that was acknowledged, doubles nothing and leaves no hole.
 * Method: a few kills of a server under load, by moments drawn from a seed; `npm run drill` does more, and holds starts
 * to 10 s, which a busy machine may miss.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runKillDrill } from '#test/drill/kill-drill.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'

const KILLS = 6
const SEED = 5
const READY_MS_MAX = 60_000

test('kill drill: what was acknowledged is there once, at its offset, after every kill', async () => {
  const options = { folder: temporaryFolder(), kills: KILLS, seed: SEED, readyMsMax: READY_MS_MAX }
  const { violations, counts } = await runKillDrill(options)
  assert.deepEqual(violations, [])
  assert(counts.acked > 100 && counts.stored > 100, JSON.stringify(counts))
})
