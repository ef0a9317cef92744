/**
 * Memory for request frames, shared by all connections of a node. Small frames are carved out of slabs, so that a
 * request costs no allocation of its own. Slabs of Produce frames come from the pool and go back to it when nobody
 * holds bytes of them: memory fresh from the system costs a second of CPU per GB.
 */
import { release, retain, type MemoryPool } from '#shared/binary/memory-pool.ts'

const SLAB_BYTES = 2 ** 20
const CARVED_BYTES_MAX = SLAB_BYTES / 4 // a bigger one would waste too much of the slab it does not fit in
const LENT_SLAB_BYTES = 4 * SLAB_BYTES
const LENT_BYTES_MAX = LENT_SLAB_BYTES / 2

export class FrameArena {
  readonly #memory: MemoryPool
  #slab = Buffer.alloc(0)
  #at = 0
  #lent: Buffer | null = null // held by the arena while it is carved
  #lentAt = 0

  constructor(memory: MemoryPool) {
    this.#memory = memory
  }

  /** A buffer of `length` bytes of any content, the collector's: for what may be kept long and is small. */
  take(length: number): Buffer {
    if (length > CARVED_BYTES_MAX) return Buffer.allocUnsafeSlow(length)
    if (this.#at + length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.#at = 0
    }
    const start = this.#at
    this.#at = start + length
    return this.#slab.subarray(start, this.#at)
  }

  /** As `take`, but held by the caller. */
  lend(length: number): Buffer {
    if (length > LENT_BYTES_MAX) return this.#memory.take(length)
    if (this.#lent === null || this.#lentAt + length > LENT_SLAB_BYTES) {
      this.close()
      this.#lent = this.#memory.take(LENT_SLAB_BYTES)
    }
    const start = this.#lentAt
    this.#lentAt = start + length
    const frame = this.#lent.subarray(start, this.#lentAt)
    retain(frame)
    return frame
  }

  /** Memory of its own for a frame that is not complete, held by the caller. */
  room(length: number): Buffer {
    return this.#memory.take(length)
  }

  /** Lets go of the slab that is carved now. */
  close(): void {
    if (this.#lent !== null) release(this.#lent)
    this.#lent = null
    this.#lentAt = 0
  }
}
