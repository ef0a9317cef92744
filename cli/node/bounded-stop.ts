/**
 * A graceful stop that does not wait for ever for what is away: what was acknowledged is durable in Redis and the store
 * already, and what a stop adds (shards handed over, snapshots, the entry taken off the registry) others do without.
 */
import type { Log } from '#shared/log/log.ts'
import { type Runtime, sleep } from '#shared/runtime/runtime.ts'

const LOOK_MS = 250

export type BoundedStopParts = {
  readonly stop: () => Promise<void>
  /** What is away now, in words, or null. Answers soon. */
  readonly away: () => Promise<string | null>
  /** Ends at once, as a crash would. */
  readonly kill: () => void
  readonly awayMs: number
  readonly runtime: Pick<Runtime, 'clock' | 'timer'>
  readonly log: Log
}

/** Resolves when `stop` has, or `awayMs` after the call where something is away then, or later when it goes away. */
export async function boundedStop({ stop, away, kill, awayMs, runtime, log }: BoundedStopParts): Promise<void> {
  const stopped = new AbortController()
  const inPeace = stop().finally(() => { stopped.abort() })
  const tooLate = async (): Promise<void> => {
    await sleep(runtime.timer, awayMs, stopped.signal)
    for (; ; await sleep(runtime.timer, LOOK_MS, stopped.signal)) {
      const what = await away()
      if (what === null || stopped.signal.aborted) continue
      log.warn('stopped without what is away: others take over, and find all that was acknowledged', { what, awayMs })
      kill()
      return
    }
  }
  const gaveUp = tooLate().catch((error: unknown) => {
    if (!stopped.signal.aborted) throw error // else it was woken
    return inPeace
  })
  await Promise.race([inPeace, gaveUp])
}
