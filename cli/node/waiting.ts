/**
 * Steps of a start that need something outside: repeated until it is there, one line a change of the reason, and what
 * is missing is told to whoever asks meanwhile.
 */
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Log } from '#shared/log/log.ts'
import { sleep, type Runtime } from '#shared/runtime/runtime.ts'

const RETRY_MS = 1_000

export type WaitingParts = { readonly runtime: Runtime; readonly log: Log; readonly signal: AbortSignal }

export class Waiting {
  readonly #parts: WaitingParts
  #missing: string | null = null

  constructor(parts: WaitingParts) {
    this.#parts = parts
  }

  /** What the start waits for, in words. */
  get missing(): readonly string[] {
    return [this.#missing ?? 'the node is starting']
  }

  /**
   * Runs `step` until it succeeds; a failure that may pass is tried again. `what` is what it needs: "Redis".
   * @throws ZonewiseError what cannot pass by itself; STOPPING: the process was told to end
   */
  async until<T>(what: string, step: () => Promise<T>): Promise<T> {
    const { runtime, log, signal } = this.#parts
    for (let said = ''; ;) {
      if (signal.aborted) throw new ZonewiseError('STOPPING', 'told to stop while it started')
      this.#missing ??= `waits for ${what}`
      try {
        const result = await step()
        if (said !== '') log.info('there again', { what })
        this.#missing = null
        return result
      } catch (error) {
        if (!(error instanceof ZonewiseError) || !error.retriable || error.code === 'STOPPING') throw error
        const reason = explain(error)
        this.#missing = `waits for ${what}: ${reason}`
        if (reason !== said) log.warn('waiting to start', { what, reason })
        said = reason
      }
      await sleep(runtime.timer, RETRY_MS, signal).catch(() => {})
    }
  }
}
