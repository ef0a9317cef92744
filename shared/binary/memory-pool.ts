/**
 * Memory of payload, which passes by reference from sockets to the store, the caches and sockets again. It is owned by
 * counting: a block that nobody holds any more is used again at once. Left to the garbage collector, which plans by the
 * size of the JavaScript heap only, hundreds of MB of dead payload pile up.
 *
 * 1. A hold is of the whole block that bytes lie in; every view of the block stands for it.
 * 2. `take` gives a block with one hold, the caller's.
 * 3. Results that are documented as held come with one hold for each buffer of the list; who got them releases each
 *    once, on every path.
 * 4. Arguments are lent until the call returns, or its promise settles; who needs them longer retains.
 * 5. Bytes of no pool may be retained and released too: nothing happens, they are the collector's.
 *
 * A hold that is forgotten leaves the block to the collector. One release too many lets others write over bytes in use:
 * where it is noticed it ends the process.
 */
import assert from 'node:assert/strict'

const BLOCK_BYTES_MIN = 64
const STEPS = 4 // sizes between two powers of two: at most a fifth of a block is unused

export type MemoryPoolOptions = {
  readonly freeBytesMax: number // of blocks that wait to be used again; more is given back to the system
  /** Writes over what is released, so that a reader of it is noticed: for tests and simulation. */
  readonly poison?: boolean
}

type Block = { readonly memory: Buffer; readonly pool: MemoryPool; holds: number }

const blocks = new WeakMap<ArrayBufferLike, Block>()

/** Holds the block that `bytes` lie in once more. */
export function retain(bytes: Uint8Array): void {
  const block = blocks.get(bytes.buffer)
  if (block === undefined) return
  assert(block.holds > 0)
  block.holds += 1
}

/** Ends one hold of the block that `bytes` lie in. */
export function release(bytes: Uint8Array): void {
  const block = blocks.get(bytes.buffer)
  if (block === undefined) return
  assert(block.holds > 0)
  block.holds -= 1
  if (block.holds === 0) block.pool.recycle(block)
}

export function retainAll(list: readonly Uint8Array[]): void {
  for (const bytes of list) retain(bytes)
}

export function releaseAll(list: readonly Uint8Array[]): void {
  for (const bytes of list) release(bytes)
}

/** What a block for `length` bytes occupies. */
export function blockBytes(length: number): number {
  if (length <= BLOCK_BYTES_MIN) return BLOCK_BYTES_MIN
  const step = 2 ** Math.floor(Math.log2(length)) / STEPS
  return Math.ceil(length / step) * step
}

export class MemoryPool {
  readonly #freeBytesMax: number
  readonly #poison: boolean
  readonly #free = new Map<number, Block[]>() // by size, in order of last use
  #freeBytes = 0
  #heldBytes = 0

  constructor({ freeBytesMax, poison = false }: MemoryPoolOptions) {
    this.#freeBytesMax = freeBytesMax
    this.#poison = poison
  }

  /** Bytes of all blocks that somebody holds, unused ends included. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Bytes of blocks that wait to be used again. */
  get freeBytes(): number {
    return this.#freeBytes
  }

  /** `length` bytes of any content, held once by the caller. */
  take(length: number): Buffer {
    const size = blockBytes(length)
    const block = this.#reuse(size) ?? this.#newBlock(size)
    block.holds = 1
    this.#heldBytes += size
    return block.memory.subarray(0, length)
  }

  /** Takes a block back whose last hold has ended; only `release` calls it. */
  recycle(block: Block): void {
    const size = block.memory.length
    this.#heldBytes -= size
    if (this.#poison) block.memory.fill(0xee)
    const ofSize = this.#free.get(size) ?? []
    this.#free.delete(size)
    this.#free.set(size, ofSize)
    ofSize.push(block)
    this.#freeBytes += size
    while (this.#freeBytes > this.#freeBytesMax) this.#freeOldest()
  }

  #reuse(size: number): Block | undefined {
    const ofSize = this.#free.get(size)
    const block = ofSize?.pop()
    if (block === undefined) return undefined
    this.#freeBytes -= size
    this.#free.delete(size)
    if (ofSize!.length > 0) this.#free.set(size, ofSize!)
    return block
  }

  #newBlock(size: number): Block {
    const block = { memory: Buffer.allocUnsafeSlow(size), pool: this, holds: 0 }
    blocks.set(block.memory.buffer, block)
    return block
  }

  /** Gives a block of the size used longest ago back to the system: detached, it is freed without the collector. */
  #freeOldest(): void {
    for (const [size, ofSize] of this.#free) {
      const block = ofSize.shift()!
      if (ofSize.length === 0) this.#free.delete(size)
      this.#freeBytes -= size
      ;(block.memory.buffer as ArrayBuffer).transfer(0)
      return
    }
  }
}
