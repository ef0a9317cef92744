/**
 * Memory for request frames, shared by all connections of a node. Small frames are carved out of slabs, so that a
 * request costs no allocation of its own. Slabs of Produce frames are used again once everybody who holds bytes of them
 * has released them: memory fresh from the system costs a second of CPU per GB, and what waits for the garbage
 * collector is far more than what is in use. Who never releases only leaves the slab to the collector.
 */
const SLAB_BYTES = 2 ** 20
const CARVED_BYTES_MAX = SLAB_BYTES / 4 // a bigger one would waste too much of the slab it does not fit in
const LENT_SLAB_BYTES = 4 * SLAB_BYTES
const LENT_BYTES_MAX = LENT_SLAB_BYTES / 2
const FREE_SLABS_MAX = 16

type LentSlab = { readonly memory: Buffer; holders: number }

export class FrameArena {
  #slab = Buffer.alloc(0)
  #at = 0
  #lent: LentSlab | null = null
  #lentAt = 0
  readonly #free: LentSlab[] = []
  readonly #slabs = new WeakMap<ArrayBufferLike, LentSlab>() // of lent frames

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

  /** As `take`, held once by the caller: after the last release the bytes are other frames' bytes. */
  lend(length: number): Buffer {
    if (length > LENT_BYTES_MAX) return Buffer.allocUnsafeSlow(length)
    let slab = this.#lent
    if (slab === null || this.#lentAt + length > LENT_SLAB_BYTES) {
      this.#lent = null
      if (slab !== null) this.#drop(slab)
      slab = this.#free.pop() ?? this.#newSlab()
      slab.holders = 1 // the arena itself, while it carves
      this.#lent = slab
      this.#lentAt = 0
    }
    slab.holders += 1
    const start = this.#lentAt
    this.#lentAt = start + length
    return slab.memory.subarray(start, this.#lentAt)
  }

  /** Holds the frame that `bytes` are of once more. */
  retain(bytes: Uint8Array): void {
    const slab = this.#slabs.get(bytes.buffer)
    if (slab !== undefined) slab.holders += 1
  }

  /** Ends one hold; of bytes that were never lent it does nothing. */
  release(bytes: Uint8Array): void {
    const slab = this.#slabs.get(bytes.buffer)
    if (slab !== undefined) this.#drop(slab)
  }

  #newSlab(): LentSlab {
    const slab = { memory: Buffer.allocUnsafeSlow(LENT_SLAB_BYTES), holders: 0 }
    this.#slabs.set(slab.memory.buffer, slab)
    return slab
  }

  #drop(slab: LentSlab): void {
    slab.holders -= 1
    if (slab.holders === 0 && this.#free.length < FREE_SLABS_MAX) this.#free.push(slab)
  }
}
