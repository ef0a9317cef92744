/** Time and chance of the process itself. */
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { Runtime } from '#shared/runtime/runtime.ts'

const RANDOM_INT_SPAN_MAX = 2 ** 48 - 1 // of crypto.randomInt; nobody draws from more
const TIMEOUT_MS_MAX = 2 ** 31 - 1 // a longer setTimeout would fire at once

function after(ms: number, fn: () => void): () => void {
  if (ms > TIMEOUT_MS_MAX) {
    let cancel = after(TIMEOUT_MS_MAX, () => { cancel = after(ms - TIMEOUT_MS_MAX, fn) })
    return () => { cancel() }
  }
  const timeout = setTimeout(fn, ms).unref()
  return () => { clearTimeout(timeout) }
}

export const nodeRuntime: Runtime = {
  clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
  timer: { after, soon: (fn) => { setImmediate(fn) } },
  chance: {
    below: (below) => randomInt(Math.min(below, RANDOM_INT_SPAN_MAX)),
    bytes: (count) => randomBytes(count),
    uuid: () => randomUUID()
  }
}
