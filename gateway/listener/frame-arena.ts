/**
 * Memory for request frames, shared by all connections of a node. Small frames are carved out of slabs, so that a
 * request costs no allocation of its own; a slab is freed when the last frame in it is.
 */
const SLAB_BYTES = 2 ** 20
const CARVED_BYTES_MAX = SLAB_BYTES / 4 // a bigger one would waste too much of the slab it does not fit in

export class FrameArena {
  #slab = Buffer.alloc(0)
  #at = 0

  /** A buffer of `length` bytes of any content, owned by the caller. */
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
}
