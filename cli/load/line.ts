/** A connection of a load that is opened again when it was lost: at another gateway of the zone, or the same one. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type LoadClient, type OnAnswer, type Place, RawClient } from './raw-client.ts'

const AGAIN_MS = 100

export type LineOptions = {
  readonly places: readonly Place[] // gateways of one zone; the first is tried first
  /** `requests` were sent and get no answer. */
  readonly onLost: (place: Place, requests: number) => void
  /** Of every connection but the first. */
  readonly onAgain: (place: Place) => void
}

export class Line implements LoadClient {
  readonly #options: LineOptions
  #client: RawClient | null = null // null: lost
  #next = 0
  #openedMs = -Infinity
  #closed = false

  /** @throws what a socket says: the first connection is not tried again */
  static async open(options: LineOptions): Promise<Line> {
    const line = new Line(options)
    await line.#connect()
    return line
  }

  private constructor(options: LineOptions) {
    this.#options = options
  }

  get isOpen(): boolean {
    return this.#client !== null
  }

  get inFlight(): number {
    return this.#client?.inFlight ?? 0
  }

  /** Only while it is open. */
  send(frame: Uint8Array, onAnswer: OnAnswer): void {
    this.#client?.send(frame, onAnswer)
  }

  close(): void {
    this.#closed = true
    this.#client?.close()
    this.#client = null
  }

  async #connect(): Promise<Place> {
    const { places, onLost } = this.#options
    const place = places[this.#next % places.length]!
    const client: RawClient = await RawClient.open(place, () => {
      this.#client = null
      this.#next += 1
      onLost(place, client.inFlight)
      void this.#again()
    })
    if (this.#closed) client.close()
    else this.#client = client
    this.#openedMs = performance.now()
    return place
  }

  async #again(): Promise<void> {
    const wasRefused = performance.now() - this.#openedMs < AGAIN_MS // taken and closed at once
    if (wasRefused) await sleep(AGAIN_MS)
    while (!this.#closed) {
      try {
        const place = await this.#connect()
        if (this.isOpen) this.#options.onAgain(place)
        return
      } catch {
        this.#next += 1 // refused or silent: another one, after a while
        await sleep(AGAIN_MS)
      }
    }
  }
}
