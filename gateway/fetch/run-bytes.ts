/**
 * Cuts runs to what a fetch asked for, on batch boundaries, and gives each batch its offset. Pure but for the header
 * patch.
 */
import { BATCH, baseOffsetAt, batchLengthAt, codecAt, patchBatch, recordSpanAt } from '#shared/records/batch-header.ts'

const SLICE_BYTES = 64 * 1_024 // a slice ends with the batch that reaches it: sockets take slices whole

export type RunBytes =
  { readonly buffers: readonly Uint8Array[]; readonly baseOffset: number; readonly endOffset: number }

/** `atLeastOne`: the first batch is taken whatever its size (KIP-74). */
export type TakeLimits = { readonly bytesMax: number; readonly atLeastOne: boolean; readonly zstdAllowed: boolean }

export type Taken = {
  readonly slices: readonly Uint8Array[] // follow each other in the run
  readonly start: number // of the first, in the bytes of the run
  readonly bytes: number
  readonly end: 'all' | 'full' | 'zstd not allowed' | 'not of the run' // why nothing more was taken
}

/**
 * Takes the batches of `run` from the one that holds `fetchOffset` on, as long as they fit. Base offset and leader
 * epoch are patched in place, once: cached buffers keep them.
 */
export function takeBatches(run: RunBytes, fetchOffset: number, limits: TakeLimits): Taken {
  const slices: Uint8Array[] = []
  let offset = run.baseOffset
  let bytes = 0
  let start = 0
  for (const buffer of run.buffers) {
    let from = -1 // start of the slice that grows now
    let at = 0
    while (at < buffer.byteLength) {
      const length = batchLengthAt(buffer, at)
      const span = length === -1 ? -1 : recordSpanAt(buffer, at)
      if (span < 1 || offset + span > run.endOffset) return NOT_OF_THE_RUN
      if (offset + span > fetchOffset) {
        const end = reasonToEnd(buffer, at, length, bytes, limits)
        if (end !== null) {
          if (from !== -1) slices.push(buffer.subarray(from, at))
          return { slices, start, bytes, end }
        }
        if (from !== -1 && at - from >= SLICE_BYTES) {
          slices.push(buffer.subarray(from, at))
          from = at
        }
        if (from === -1) from = at
        bytes += length
        if (baseOffsetAt(buffer, at) !== offset) patchBatch(buffer, at, offset)
      }
      offset += span
      at += length
      if (bytes === 0) start += length
    }
    if (from !== -1) slices.push(from === 0 ? buffer : buffer.subarray(from))
  }
  return offset === run.endOffset ? { slices, start, bytes, end: 'all' } : NOT_OF_THE_RUN
}

const NOT_OF_THE_RUN: Taken = { slices: [], start: 0, bytes: 0, end: 'not of the run' }

function reasonToEnd(
  buffer: Uint8Array, at: number, length: number, bytes: number, { bytesMax, atLeastOne, zstdAllowed }: TakeLimits
): 'full' | 'zstd not allowed' | null {
  if (bytes + length > bytesMax && !(atLeastOne && bytes === 0)) return 'full'
  return !zstdAllowed && codecAt(buffer, at) === BATCH.zstd ? 'zstd not allowed' : null
}
