/**
 * Runs `work` one at a time. Each call resolves with a run that began after it, so that it has seen everything from
 * before the call; all that call while one run is under way share the next.
 */
export class Coalesced<T> {
  readonly #work: () => Promise<T>
  #running: Promise<T> | null = null
  #next: Promise<T> | null = null

  constructor(work: () => Promise<T>) {
    this.#work = work
  }

  run(): Promise<T> {
    if (this.#next !== null) return this.#next // it may be about to begin, behind one that has ended in this turn
    if (this.#running === null) return this.#start()
    return (this.#next = this.#running.then(() => this.#start(), () => this.#start()))
  }

  /** Resolves when the run under way, if there is one, has ended, whatever its outcome. */
  async ended(): Promise<void> {
    await this.#running?.then(() => {}, () => {})
  }

  #start(): Promise<T> {
    this.#next = null
    const running = this.#work()
    this.#running = running
    const ended = (): void => { if (this.#running === running) this.#running = null }
    running.then(ended, ended)
    return running
  }
}
