/** Cuts runs to what a fetch asked for, on batch boundaries, and gives each batch its offset. Pure but for the header patch. */
import { baseOffsetAt, batchLengthAt, patchBatch, recordSpanAt } from '#shared/records/batch-header.ts'

export type RunBytes = { readonly buffers: readonly Uint8Array[]; readonly baseOffset: number; readonly endOffset: number }

/**
 * Slices of `run` from the batch that holds `fetchOffset` on, as long as they fit `bytesMax`; the first batch always
 * fits where `atLeastOne`. Base offset and leader epoch are patched in place, once: cached buffers keep them.
 * @returns null if the bytes are no batches of this run.
 */
export function takeBatches(
  run: RunBytes, fetchOffset: number, bytesMax: number, atLeastOne: boolean
): { readonly slices: Uint8Array[]; readonly bytes: number; readonly full: boolean } | null {
  const slices: Uint8Array[] = []
  let offset = run.baseOffset
  let bytes = 0
  for (const buffer of run.buffers) {
    let from = -1 // start of the slice that grows now
    let at = 0
    while (at < buffer.byteLength) {
      const length = batchLengthAt(buffer, at)
      if (length === -1) return null
      const span = recordSpanAt(buffer, at)
      if (offset + span > fetchOffset) {
        if (bytes + length > bytesMax && !(atLeastOne && bytes === 0)) {
          if (from !== -1) slices.push(buffer.subarray(from, at))
          return { slices, bytes, full: true }
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
  return offset === run.endOffset ? { slices, bytes, full: false } : null
}
