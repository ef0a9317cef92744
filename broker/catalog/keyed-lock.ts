/** One holder a key at a time, in the order of asking. Holds nothing for a key that nobody wants. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>()

  /** Runs `work` when all earlier holders of `key` are done; settles as it does. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key)
    const { promise: done, resolve } = Promise.withResolvers<void>()
    this.#tails.set(key, done)
    try {
      await before
      return await work()
    } finally {
      if (this.#tails.get(key) === done) this.#tails.delete(key)
      resolve()
    }
  }
}
