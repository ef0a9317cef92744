/** Says every few seconds what the kernel and the ledger counted between zones, while there is traffic. */
import { explain } from '#shared/errors/zonewise-error.ts'
import { type Traffic, trafficText } from './zone-traffic.ts'

const EVERY_MS = 10_000
const WORTH_BYTES = 2 ** 20 // an idle cluster has less to say

export type TrafficSource = { traffic(): Promise<readonly Traffic[]> }

export class TrafficReport {
  readonly #source: TrafficSource
  readonly #say: (line: string) => void
  readonly #timer: NodeJS.Timeout
  #saidBytes = 0

  constructor(source: TrafficSource, say: (line: string) => void) {
    this.#source = source
    this.#say = say
    this.#timer = setInterval(() => { void this.#report() }, EVERY_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #report(): Promise<void> {
    try {
      const traffic = await this.#source.traffic()
      const bytes = traffic.reduce((sum, { kernelBytes }) => sum + kernelBytes, 0)
      if (bytes - this.#saidBytes < WORTH_BYTES) return
      this.#saidBytes = bytes
      this.#say(`\nBytes between zones since the start:\n${trafficText(traffic)}`)
    } catch (error) {
      this.#say(`the bytes between zones cannot be told now: ${explain(error)}`)
    }
  }
}
