/**
 * A contiguous piece of a chunk, in the cache or on its way there. Batches are checked against their own CRC when they
 * are first asked for. Its memory is held by the cache and by whoever waits for it.
 */
import { release, retain } from '#shared/binary/memory-pool.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { batchCrcMatches, batchLengthAt } from '#shared/records/batch-header.ts'
import type { ByteRange } from '#shared/store/object-store.ts'

export class Extent implements ByteRange {
  readonly start: number
  readonly #bytes: Promise<Uint8Array>
  readonly #checked = new Map<number, number>() // start to end of ranges whose batches match
  #end: number // as asked for, until the bytes are here
  #readers = 0 // that wait
  #isDropped = false
  #arrived: Uint8Array | null = null

  /** @param read brings the bytes from `start` on, held: fewer than asked for where the chunk ends */
  constructor({ start, end }: ByteRange, read: Promise<Uint8Array>) {
    this.start = start
    this.#end = end
    this.#bytes = read.then((bytes) => {
      this.#arrived = bytes
      this.#end = start + bytes.byteLength
      return bytes
    })
  }

  get end(): number {
    return this.#end
  }

  /** Resolves when the bytes are here. @throws ZonewiseError of the store */
  async arrived(): Promise<void> {
    await this.#bytes
  }

  /** Ranges that were found good. */
  get checkedCount(): number {
    return this.#checked.size
  }

  covers({ start, end }: ByteRange): boolean {
    return this.start <= start && end <= this.#end
  }

  /**
   * The bytes of a range that this extent covers, held; null where a batch does not match its checksum, or the chunk
   * ends before the range. @throws ZonewiseError of the store
   */
  async read({ start, end }: ByteRange): Promise<Uint8Array | null> {
    this.#readers += 1
    try {
      const bytes = await this.#bytes
      const found = bytes.subarray(start - this.start, end - this.start)
      if (found.byteLength < end - start) return null
      if ((this.#checked.get(start) ?? 0) < end) {
        if (firstDamage(found) !== -1) return null
        this.#checked.set(start, end)
      }
      retain(found)
      return found
    } finally {
      this.#readers -= 1
      this.#letGo()
    }
  }

  /** The cache does not hold it any more; whoever waits still gets it. */
  drop(): void {
    if (this.#isDropped) return
    this.#isDropped = true
    if (this.#arrived === null) this.#bytes.then(() => { this.#letGo() }, () => {}) // readers tell what failed
    else this.#letGo()
  }

  #letGo(): void {
    if (!this.#isDropped || this.#readers > 0 || this.#arrived === null) return
    release(this.#arrived)
    this.#arrived = null
  }
}

/** Where the first batch of `bytes` starts that is not whole and right, or -1. */
export function firstDamage(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.byteLength;) {
    const length = batchLengthAt(bytes, at)
    if (length === -1 || !batchCrcMatches(bytes, at, length)) return at
    at += length
  }
  return -1
}

export function corrupt(message: string, key: string, position: number): ZonewiseError {
  return new ZonewiseError('OBJECT_CORRUPT', message, { key, position })
}
