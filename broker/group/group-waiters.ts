/**
 * Calls that wait for their group: JoinGroup and SyncGroup. The same call sent again shares the answer; a call is gone
 * when all its callers gave up.
 */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

type Waiter = { readonly settled: PromiseWithResolvers<unknown>; callers: number }

export class GroupWaiters<Answer> {
  readonly #waiters = new Map<string, Waiter>()

  /**
   * Waits for `answer(key)`. `onGone` is called if no caller is left to hear it.
   * @throws ZonewiseError RPC_UNAVAILABLE: the caller gave up
   */
  wait(key: string, signal: AbortSignal, onGone: () => void): Promise<Answer> {
    let waiter = this.#waiters.get(key)
    if (waiter === undefined) this.#waiters.set(key, (waiter = { settled: Promise.withResolvers(), callers: 0 }))
    waiter.callers += 1
    const held = waiter
    return new Promise<Answer>((resolve, reject) => {
      const onAbort = (): void => {
        reject(new ZonewiseError('RPC_UNAVAILABLE', 'the caller gave up'))
        held.callers -= 1
        if (held.callers > 0 || this.#waiters.get(key) !== held) return
        this.#waiters.delete(key)
        onGone()
      }
      if (signal.aborted) return onAbort()
      signal.addEventListener('abort', onAbort, { once: true })
      held.settled.promise.finally(() => { signal.removeEventListener('abort', onAbort) })
        .then((answer) => { resolve(answer as Answer) }, reject)
    })
  }

  answer(key: string, answer: Answer): void {
    this.#take(key)?.settled.resolve(answer)
  }

  refuse(key: string, error: Error): void {
    this.#take(key)?.settled.reject(error)
  }

  refuseAll(error: Error): void {
    for (const key of [...this.#waiters.keys()]) this.refuse(key, error)
  }

  #take(key: string): Waiter | undefined {
    const waiter = this.#waiters.get(key)
    this.#waiters.delete(key)
    return waiter
  }
}
