/**
 * Cuts runs to what a fetch asked for, on batch boundaries, and gives each batch its offset. Pure but for the header
 * patch.
 */
import { BATCH, baseOffsetAt, batchLengthAt, codecAt, patchBatch, recordSpanAt } from '#shared/records/batch-header.ts'

export type RunBytes =
  { readonly buffers: readonly Uint8Array[]; readonly baseOffset: number; readonly endOffset: number }

/** `atLeastOne`: the first batch is taken whatever its size (KIP-74). */
export type TakeLimits = { readonly bytesMax: number; readonly atLeastOne: boolean; readonly zstdAllowed: boolean }

export type Taken = {
  readonly slices: readonly Uint8Array[]
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
  for (const buffer of run.buffers) {
    let from = -1 // start of the slice that grows now
    let at = 0
    while (at < buffer.byteLength) {
      const length = batchLengthAt(buffer, at)
      const span = length === -1 ? -1 : recordSpanAt(buffer, at)
      if (span < 1 || offset + span > run.endOffset) return { slices: [], bytes: 0, end: 'not of the run' }
      if (offset + span > fetchOffset) {
        const end = reasonToEnd(buffer, at, length, bytes, limits)
        if (end !== null) {
          if (from !== -1) slices.push(buffer.subarray(from, at))
          return { slices, bytes, end }
        }
        if (from === -1) from = at
        bytes += length
        if (baseOffsetAt(buffer, at) !== offset) patchBatch(buffer, at, offset)
      }
      offset += span
      at += length
    }
    if (from !== -1) slices.push(from === 0 ? buffer : buffer.subarray(from))
  }
  return offset === run.endOffset ? { slices, bytes, end: 'all' } : { slices: [], bytes: 0, end: 'not of the run' }
}

function reasonToEnd(
  buffer: Uint8Array, at: number, length: number, bytes: number, { bytesMax, atLeastOne, zstdAllowed }: TakeLimits
): 'full' | 'zstd not allowed' | null {
  if (bytes + length > bytesMax && !(atLeastOne && bytes === 0)) return 'full'
  return !zstdAllowed && codecAt(buffer, at) === BATCH.zstd ? 'zstd not allowed' : null
}
