/** Reads the answer to a GET: the whole object, undamaged as far as a checksum tells, or the very range asked for. */
import { crc32c } from '../../binary/crc32c.ts'
import type { ByteRange } from '../object-store.ts'
import type { HttpHeaders, HttpReply } from './http-exchange.ts'

export const WHOLE_OBJECT_BYTES_MAX = 2 ** 30 // of a GET without a range: bigger objects are read in ranges

/** An answer that is no answer to the question; `code` as a store would say it. */
export class BadAnswer extends Error {
  readonly code: 'ChecksumMismatch' | 'RangeIgnored' | 'WrongRange'

  constructor(code: BadAnswer['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** @throws BadAnswer */
export function readWhole({ headers, body }: HttpReply): Uint8Array {
  const expected = checksumOf(headers)
  if (expected === null) return body
  const sum = crc32c(body)
  if (sum === expected) return body
  throw new BadAnswer('ChecksumMismatch', `CRC-32C ${sum.toString(16)} instead of ${expected.toString(16)}`)
}

/** @throws BadAnswer */
export function readRange({ status, headers, body }: HttpReply, { start, end }: ByteRange): Uint8Array {
  if (status === 200) { // the server ignores ranges, or this one is the whole object
    if (start === 0) return body
    throw new BadAnswer('RangeIgnored', 'the whole object came instead of a range')
  }
  const said = typeof headers['content-range'] === 'string' ? headers['content-range'] : ''
  const [, first, last] = /^bytes (\d+)-(\d+)\//.exec(said) ?? []
  const right = Number(first) === start && Number(last) < end && Number(last) - start + 1 === body.byteLength
  if (right) return body
  throw new BadAnswer('WrongRange', `${body.byteLength} bytes as "${said}" instead of ${start} to ${end - 1}`)
}

/** The CRC-32C of the whole object, where the store tells it; one made of the sums of parts says nothing here. */
function checksumOf(headers: HttpHeaders): number | null {
  const text = headers['x-amz-checksum-crc32c']
  const kind = headers['x-amz-checksum-type']
  if (typeof text !== 'string' || text.includes('-') || (kind !== undefined && kind !== 'FULL_OBJECT')) return null
  const bytes = Buffer.from(text, 'base64')
  return bytes.byteLength === 4 ? bytes.readUInt32BE(0) : null
}
