/**
 * Keeps what buffers occupy near what is in use. V8 plans its collections by the size of the JavaScript heap; ours is
 * small beside the buffers that its objects hold, so a node that reads hundreds of MB/s would keep a GB of dead ones.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Cancel, Clock, Timer } from '#shared/runtime/runtime.ts'

const LOOK_MS = 50
const FLOOR_BYTES = 256 * 2 ** 20 // below it nothing is worth a pause
const GROWTH = 1.5 // of what was in use after the last collection
const REST = 20 // times what a collection took: at most a twentieth of the time goes into it

export type Collector = {
  /** Bytes of all buffers, dead ones included. */
  bufferBytes(): number
  collect(): void
}

/** Watches until it is cancelled. */
export function keepBuffersFew(timer: Timer, clock: Clock, collector: Collector = processCollector()): Cancel {
  let limit = FLOOR_BYTES
  let restUntilMs = 0
  const look = (): void => {
    cancel = timer.after(LOOK_MS, look)
    const startMs = clock.monotonicMs()
    if (startMs < restUntilMs || collector.bufferBytes() <= limit) return
    collector.collect()
    const endMs = clock.monotonicMs()
    restUntilMs = endMs + REST * (endMs - startMs)
    limit = Math.max(FLOOR_BYTES, GROWTH * collector.bufferBytes())
  }
  let cancel = timer.after(LOOK_MS, look)
  return () => { cancel() }
}

function processCollector(): Collector {
  setFlagsFromString('--expose-gc') // contexts made from here on have it: the command line needs no flag
  const collect = runInNewContext('gc') as () => void
  return { bufferBytes: () => process.memoryUsage().arrayBuffers, collect }
}
