/**
 * How long batches took from being sent, and from their answer, until a reader had them; all ends are this one process.
 * A reader may have a batch before the answer that names its offset: it waits for that, and was not late.
 */
import { percentile } from './produce-load.ts'

/** `readMs` is by reader, until the time of sending is known. */
type Journey = { sentMs: number | null; ackedMs: number; readonly readMs: Map<number, number> }

export class Journeys {
  readonly #recordCount: number // of a batch
  readonly #journeys: Journey[][] // by partition and batch
  readonly #lagsMs: number[][] // by reader
  readonly #afterAckMs: number[][] // by reader

  constructor(partitions: number, recordCount: number, readers: number) {
    this.#recordCount = recordCount
    this.#journeys = Array.from({ length: partitions }, () => [])
    this.#lagsMs = Array.from({ length: readers }, () => [])
    this.#afterAckMs = Array.from({ length: readers }, () => [])
  }

  readonly onAck = (partition: number, baseOffset: number, sentMs: number): void => {
    const journey = this.#journey(partition, baseOffset)
    journey.sentMs = sentMs
    journey.ackedMs = performance.now()
    for (const [reader, readMs] of journey.readMs) this.#arrived(reader, readMs, sentMs, journey.ackedMs)
    journey.readMs.clear()
  }

  /** An answer brought `reader` the batches in [fromOffset, endOffset). */
  onRead(reader: number, partition: number, fromOffset: number, endOffset: number): void {
    const readMs = performance.now()
    for (let offset = fromOffset; offset < endOffset; offset += this.#recordCount) {
      const journey = this.#journey(partition, offset)
      if (journey.sentMs === null) journey.readMs.set(reader, readMs)
      else this.#arrived(reader, readMs, journey.sentMs, journey.ackedMs)
    }
  }

  batchesRead(reader: number): number {
    return this.#lagsMs[reader]!.length
  }

  /** From being sent. */
  percentilesMs(reader: number, shares: readonly number[]): number[] {
    return sharesOf(this.#lagsMs[reader]!, shares)
  }

  /** From the answer. */
  afterAckMs(reader: number, shares: readonly number[]): number[] {
    return sharesOf(this.#afterAckMs[reader]!, shares)
  }

  #arrived(reader: number, readMs: number, sentMs: number, ackedMs: number): void {
    this.#lagsMs[reader]!.push(readMs - sentMs)
    this.#afterAckMs[reader]!.push(Math.max(0, readMs - ackedMs))
  }

  #journey(partition: number, baseOffset: number): Journey {
    const list = this.#journeys[partition]!
    return (list[baseOffset / this.#recordCount] ??= { sentMs: null, ackedMs: NaN, readMs: new Map() })
  }
}

function sharesOf(ms: readonly number[], shares: readonly number[]): number[] {
  const ascending = ms.toSorted((a, b) => a - b)
  return shares.map((share) => percentile(ascending, share))
}
