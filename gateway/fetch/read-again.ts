/** Has batches that were cut out of runs once more: an answer that its client is slow to read need not be kept. */
import { releaseAll } from '#shared/binary/memory-pool.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { chunkKey } from '#shared/object/chunk-ref.ts'
import { baseOffsetAt, batchLengthAt, recordSpanAt } from '#shared/records/batch-header.ts'
import type { Stored } from '../listener/output.ts'
import type { Fetcher, Run } from './fetcher.ts'
import { takeBatches, type Taken } from './run-bytes.ts'

export type TakenRun = { readonly run: Run; readonly taken: Pick<Taken, 'slices' | 'start'> }

/** How the chunk of an answer can be had again, or null: it is no slice of these runs. */
export function storedOf(
  chunk: Uint8Array, runs: readonly TakenRun[], fetcher: Fetcher, signal: AbortSignal
): Stored | null {
  for (const { run, taken } of runs) {
    const at = taken.slices.indexOf(chunk)
    if (at === -1) continue
    let position = run.position + taken.start
    for (const slice of taken.slices.slice(0, at)) position += slice.length
    return new StoredPart(partOf(run, chunk, position), fetcher, signal)
  }
  return null
}

/** A slice, whose batches have their offsets, as a run of its own. */
function partOf(run: Run, slice: Uint8Array, position: number): Run {
  const baseOffset = baseOffsetAt(slice, 0)
  let endOffset = baseOffset
  for (let at = 0; at < slice.length; at += batchLengthAt(slice, at)) endOffset += recordSpanAt(slice, at)
  return { ...run, position, length: slice.length, baseOffset, endOffset, lengthBefore: 0 }
}

class StoredPart implements Stored {
  readonly #part: Run
  readonly #fetcher: Fetcher
  readonly #signal: AbortSignal

  constructor(part: Run, fetcher: Fetcher, signal: AbortSignal) {
    this.#part = part
    this.#fetcher = fetcher
    this.#signal = signal
  }

  get length(): number {
    return this.#part.length
  }

  async load(take: (length: number) => Uint8Array): Promise<Uint8Array> {
    const [buffers] = await this.#fetcher.read([this.#part], this.#signal)
    try {
      const { baseOffset } = this.#part
      const limits = { bytesMax: Infinity, atLeastOne: true, zstdAllowed: true }
      const { slices, bytes } = takeBatches({ ...this.#part, buffers: buffers ?? [] }, baseOffset, limits)
      if (bytes !== this.length) throw this.#lost()
      const copy = take(bytes)
      let at = 0
      for (const slice of slices) {
        copy.set(slice, at)
        at += slice.length
      }
      return copy
    } finally {
      releaseAll(buffers ?? [])
    }
  }

  #lost(): ZonewiseError {
    const { source, chunkSeq, position, length } = this.#part
    const context = { key: chunkKey({ source, chunkSeq }), position, length }
    return new ZonewiseError('STORE_UNAVAILABLE', 'a part of an answer cannot be read again', context)
  }
}
