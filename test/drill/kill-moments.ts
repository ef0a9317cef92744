/** When a server is killed: each moment waits for something that the server does, then the caller kills it. */
import { mkdirSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { Rng } from '#shared/runtime/rng.ts'
import type { Launched } from '#test/support/zonewise-process.ts'

/**
 * `starting`: some time after the process began; `recovering`: the journal's files just changed before it was ready;
 * `serving`: some time after it was ready; `snapshotting`: objects of a snapshot just appeared; `rolling`: a file of
 * the journal just got a name; `stopping`: some time after SIGTERM.
 */
export const MOMENTS = ['starting', 'recovering', 'serving', 'snapshotting', 'rolling', 'stopping'] as const
export type Moment = typeof MOMENTS[number]

const SERVING_MS_MAX = 1_500
const STOPPING_MS_MAX = 120
const EVENT_MS_MAX = 3_000 // where nothing happens the kill comes all the same

export type MomentParts = { readonly launched: Launched; readonly folder: string; readonly rng: Rng
  readonly startingMsMax: number; readonly untilReady: () => Promise<void> }

/** Resolves when it is time; the server may have ended by itself meanwhile. */
export async function awaitMoment(
  moment: Moment, { launched, folder, rng, startingMsMax, untilReady }: MomentParts
): Promise<void> {
  const [journal, snapshots] = [join(folder, 'data', 'journal'), join(folder, 'data', 'store', 'snapshots')]
  if (moment === 'starting') return pause(rng.below(startingMsMax))
  if (moment === 'recovering') return changes(journal, /./, 1 + rng.below(6))
  await untilReady()
  if (moment === 'snapshotting') return changes(snapshots, /\.(page-0|head)$/, 1 + rng.below(20))
  if (moment === 'rolling') return changes(journal, /^segment-/, 1 + rng.below(3))
  await pause(rng.below(SERVING_MS_MAX))
  if (moment === 'serving') return
  launched.child.kill('SIGTERM')
  await pause(rng.below(STOPPING_MS_MAX))
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}

/** Resolves at the n-th change of a name in `folder` that fits, or when nothing comes. */
function changes(folder: string, name: RegExp, count: number): Promise<void> {
  mkdirSync(folder, { recursive: true })
  return new Promise((resolve) => {
    let left = count
    const watcher = watch(folder, { recursive: true }, (_event, changed) => {
      if (changed !== null && name.test(changed) && --left === 0) finish()
    })
    const tooLate = setTimeout(() => { finish() }, EVENT_MS_MAX)
    const finish = (): void => {
      clearTimeout(tooLate)
      watcher.close()
      resolve()
    }
  })
}
