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
 * 5. Bytes of no pool, and empty ones, may be retained and released too: nothing happens, they are the collector's.
 *
 * A hold that is forgotten is memory lost for the life of the pool. One release too many lets others write over bytes
 * in use: where it is noticed it ends the process.
 */
import assert from 'node:assert/strict'
import { MemoryRegion, PAGE_BYTES, type Block } from './memory-region.ts'

const EMPTY = Buffer.alloc(0)
const REGION_BYTES = 32 * 2 ** 20 // of this size and above, the system maps memory of its own

export type MemoryPoolOptions = {
  readonly regionBytes?: number
  /** Writes over what is released, so that a reader of it is noticed: for tests and simulation. */
  readonly poison?: boolean
}

const regions = new WeakMap<ArrayBufferLike, MemoryRegion>() // of all pools, by their memory

/** Holds the block that `bytes` lie in once more. */
export function retain(bytes: Uint8Array): void {
  const block = blockOf(bytes)
  if (block !== null) block.holds += 1
}

/** Ends one hold of the block that `bytes` lie in. */
export function release(bytes: Uint8Array): void {
  const block = blockOf(bytes)
  if (block === null) return
  block.holds -= 1
  if (block.holds === 0) block.region.onFree(block)
}

export function retainAll(list: readonly Uint8Array[]): void {
  for (const bytes of list) retain(bytes)
}

export function releaseAll(list: readonly Uint8Array[]): void {
  for (const bytes of list) release(bytes)
}

/** What a block for `length` bytes occupies. */
export function blockBytes(length: number): number {
  return Math.max(1, Math.ceil(length / PAGE_BYTES)) * PAGE_BYTES
}

/** Null for bytes of no pool, and for empty ones: those may stand where the next block begins. */
function blockOf(bytes: Uint8Array): Block | null {
  const region = bytes.byteLength === 0 ? undefined : regions.get(bytes.buffer)
  if (region === undefined) return null
  const block = region.blockAt(bytes.byteOffset)
  assert(block !== undefined)
  return block
}

export class MemoryPool {
  readonly #regionBytes: number
  readonly #poison: boolean
  readonly #regions: MemoryRegion[] = [] // oldest first: the newest empty themselves
  #heldBytes = 0

  constructor({ regionBytes = REGION_BYTES, poison = false }: MemoryPoolOptions = {}) {
    this.#regionBytes = regionBytes
    this.#poison = poison
  }

  /** Bytes of all blocks that somebody holds, unused ends included. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Bytes that wait to be used again. */
  get freeBytes(): number {
    return this.#regions.reduce((sum, { bytes }) => sum + bytes, 0) - this.#heldBytes
  }

  /** `length` bytes of any content, held once by the caller. */
  take(length: number): Buffer {
    if (length === 0) return EMPTY
    const size = blockBytes(length)
    const pages = size / PAGE_BYTES
    const block = this.#find(pages) ?? this.#newRegion(Math.max(size, this.#regionBytes)).take(pages)
    assert(block !== null)
    this.#heldBytes += size
    return block.region.bytesOf(block).subarray(0, length)
  }

  #recycle(block: Block): void {
    const { region, pages } = block
    if (this.#poison) region.bytesOf(block).fill(0xee)
    region.free(block)
    this.#heldBytes -= pages * PAGE_BYTES
    if (region.isEmpty && this.freeBytes > this.#regionBytes) this.#dropRegion(region)
  }

  #find(pages: number): Block | null {
    for (const region of this.#regions) {
      const block = region.take(pages)
      if (block !== null) return block
    }
    return null
  }

  #newRegion(bytes: number): MemoryRegion {
    const region = new MemoryRegion(bytes, (block) => { this.#recycle(block) })
    regions.set(region.memory.buffer, region)
    this.#regions.push(region)
    return region
  }

  /** Gives a region back to the system: detached, it is freed without the collector. */
  #dropRegion(region: MemoryRegion): void {
    this.#regions.splice(this.#regions.indexOf(region), 1)
    ;(region.memory.buffer as ArrayBuffer).transfer(0)
  }
}
