/**
 * Memory for received messages, shared by the streams of a node. Heads are small and carved out of slabs, so that a
 * call costs no allocation of its own; who keeps a view of one keeps its slab. Payload comes from the pool: one block a
 * message, held once.
 */
import type { MemoryPool } from '#shared/binary/memory-pool.ts'

const SLAB_BYTES = 2 ** 16
const CARVED_BYTES_MAX = SLAB_BYTES / 8

export class ReceiveMemory {
  readonly #pool: MemoryPool
  #slab = Buffer.alloc(0)
  #at = 0

  constructor(pool: MemoryPool) {
    this.#pool = pool
  }

  /** The bytes of `carve`'s last caller lie here. */
  get slab(): Buffer {
    return this.#slab
  }

  /** Whether `carve` may be asked for so much. */
  isSmall(length: number): boolean {
    return length <= CARVED_BYTES_MAX
  }

  /** Room for a head of `length` bytes in the `slab` of this moment; returns where it starts. */
  carve(length: number): number {
    if (this.#at + length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.#at = 0
    }
    const start = this.#at
    this.#at = start + length
    return start
  }

  /** A buffer for a head. */
  head(length: number): Buffer {
    if (!this.isSmall(length)) return Buffer.allocUnsafeSlow(length)
    const start = this.carve(length)
    return this.#slab.subarray(start, start + length)
  }

  /** A buffer for payload, held by the caller. */
  payload(length: number): Buffer {
    return this.#pool.take(length)
  }
}
