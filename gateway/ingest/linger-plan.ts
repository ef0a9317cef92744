/**
 * How long an open chunk waits for company. The first one after idle goes early: a client that waits for each answer
 * should not wait for others that do not come. But where batches keep coming, one just finds nothing on its way now and
 * then, and a chunk of its own would cost a PUT, and an entry at every leader, for nothing: a gateway that took more
 * than `idleBytesMax` in about the last linger is not idle.
 */
export type LingerSettings = {
  readonly lingerMs: number
  readonly idleLingerMs: number // of the first chunk after idle; 0: it goes with the turn's arrivals
  readonly idleBytesMax: number
}

export class LingerPlan {
  readonly #settings: LingerSettings
  #bytes = 0 // taken until #atMs, those of one linger ago counting 1/e
  #atMs = 0

  constructor(settings: LingerSettings) {
    this.#settings = settings
  }

  /** A chunk of so many bytes was sealed. */
  sealed(bytes: number, nowMs: number): void {
    this.#bytes = this.#recent(nowMs) + bytes
    this.#atMs = nowMs
  }

  /** Of a chunk opened now. `nothingInFlight`: no chunk is being written. */
  waitMs(nothingInFlight: boolean, nowMs: number): number {
    const { lingerMs, idleLingerMs, idleBytesMax } = this.#settings
    return nothingInFlight && this.#recent(nowMs) <= idleBytesMax ? idleLingerMs : lingerMs
  }

  #recent(nowMs: number): number {
    if (this.#bytes === 0) return 0
    return this.#bytes * Math.exp((this.#atMs - nowMs) / Math.max(1, this.#settings.lingerMs))
  }
}
