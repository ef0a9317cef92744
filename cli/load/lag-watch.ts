/** How long batches took from their acknowledgement until a reader had them; all ends are this one process. */
import { percentile } from './produce-load.ts'

export class LagWatch {
  readonly #recordCount: number // of a batch
  readonly #ackedMs: number[][] // by partition and batch
  readonly #lagsMs: number[] = [] // of the oldest batch of each answer

  constructor(partitions: number, recordCount: number) {
    this.#recordCount = recordCount
    this.#ackedMs = Array.from({ length: partitions }, () => [])
  }

  readonly onAck = (partition: number, baseOffset: number): void => {
    this.#ackedMs[partition]![baseOffset / this.#recordCount] = performance.now()
  }

  /** An answer brought [fromOffset, endOffset). What is read before its answer came back did not lag. */
  readonly onRead = (partition: number, fromOffset: number): void => {
    const ackedMs = this.#ackedMs[partition]![fromOffset / this.#recordCount]
    this.#lagsMs.push(ackedMs === undefined ? 0 : performance.now() - ackedMs)
  }

  get mostMs(): number {
    return this.#lagsMs.reduce((most, lag) => Math.max(most, lag), 0)
  }

  percentileMs(share: number): number {
    return percentile(this.#lagsMs.toSorted((a, b) => a - b), share)
  }
}
