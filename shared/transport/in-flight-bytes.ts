/** Bytes of requests that are not answered, small and big ones apart: a big one must not keep small ones out. */
import { FRAME } from './frame.ts'

export class InFlightBytes {
  readonly #bytesMax: number // of each
  #small = 0
  #big = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get areSmallFull(): boolean {
    return this.#small >= this.#bytesMax
  }

  get areBigFull(): boolean {
    return this.#big >= this.#bytesMax
  }

  /** Whether one of so many bytes would have to wait: one may pass the bound. */
  isFull(bytes: number): boolean {
    return isBig(bytes) ? this.areBigFull : this.areSmallFull
  }

  add(bytes: number): void {
    if (isBig(bytes)) this.#big += bytes
    else this.#small += bytes
  }

  remove(bytes: number): void {
    if (isBig(bytes)) this.#big -= bytes
    else this.#small -= bytes
  }
}

/** Whether a message of so many bytes is cut into frames. */
export function isBig(bytes: number): boolean {
  return bytes > FRAME.dataBytesMax
}
