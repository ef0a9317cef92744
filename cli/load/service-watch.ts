/** How long the producers of one zone went without an answer after they had lost a connection, and one line of each. */
import type { Place } from './raw-client.ts'

export class ServiceWatch {
  lostRequests = 0
  readonly #zone: string
  readonly #say: (line: string) => void
  #sinceMs: number | null = null
  #awayMs = 0

  constructor(zone: string, say: (line: string) => void) {
    this.#zone = zone
    this.#say = say
  }

  /** Several connections are lost with one gateway: that is said once. */
  lost({ host, port }: Place, requests: number): void {
    this.lostRequests += requests
    if (this.#sinceMs !== null) return
    this.#sinceMs = performance.now()
    this.#say(`${this.#zone}: the gateway at ${host}:${port} went away; trying those of its zone`)
  }

  /** Something was acknowledged. */
  served(): void {
    if (this.#sinceMs === null) return
    const awayMs = performance.now() - this.#sinceMs
    this.#sinceMs = null
    this.#awayMs += awayMs
    this.#say(`${this.#zone}: served again after ${(awayMs / 1_000).toFixed(1)} s`)
  }

  get awaySeconds(): number {
    return (this.#awayMs + (this.#sinceMs === null ? 0 : performance.now() - this.#sinceMs)) / 1_000
  }
}
