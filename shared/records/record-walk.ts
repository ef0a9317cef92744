/**
 * The records inside a batch, for the few who must look at them: topics whose configs ask for it, and look-ups by time.
 * Nothing on the common path comes here. All numbers are varints in zigzag form, but for the attributes:
 *   length | attributes i8 | timestampDelta | offsetDelta | keyLength (-1: null) | key | valueLength (-1: null) |
 *   value | headerCount | headers
 */

/** `timestampDelta` is to the batch's baseTimestamp; `keyBytes` is -1 for a null key. False ends the walk. */
export type RecordVisitor = (timestampDelta: number, offsetDelta: number, keyBytes: number) => boolean

const VARINT_BYTES_MAX = 10

/**
 * Visits the records in `records` (a batch's bytes behind the header, unpacked), at most `recordCount`.
 * @returns false if they are not the `recordCount` whole records that the batch's header promises, and nothing else.
 */
export function walkRecords(records: Uint8Array, recordCount: number, visit: RecordVisitor): boolean {
  const cursor: Cursor = { bytes: records, at: 0, value: 0 }
  for (let record = 0; record < recordCount; record++) {
    if (!readVarint(cursor)) return false
    const end = cursor.at + cursor.value
    if (cursor.value < 1 || end > records.byteLength) return false
    cursor.at += 1 // attributes: none are known
    if (!readVarint(cursor)) return false
    const timestampDelta = cursor.value
    if (!readVarint(cursor)) return false
    const offsetDelta = cursor.value
    if (!readVarint(cursor)) return false
    const keyBytes = cursor.value
    if (cursor.at + Math.max(0, keyBytes) > end) return false
    if (!visit(timestampDelta, offsetDelta, keyBytes)) return true
    cursor.at = end
  }
  return cursor.at === records.byteLength
}

type Cursor = { readonly bytes: Uint8Array; at: number; value: number }

/** Exact below 2^53, as everything that a sane record holds. */
function readVarint(cursor: Cursor): boolean {
  const { bytes } = cursor
  let value = 0
  let scale = 1
  for (let i = 0; i < VARINT_BYTES_MAX; i++) {
    const byte = bytes[cursor.at]
    if (byte === undefined) return false
    cursor.at += 1
    value += (byte & 0x7f) * scale
    if (byte < 0x80) {
      cursor.value = value % 2 === 0 ? value / 2 : -(value + 1) / 2
      return true
    }
    scale *= 128
  }
  return false
}
