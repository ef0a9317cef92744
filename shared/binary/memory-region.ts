/**
 * A large piece of memory, cut into blocks of whole pages: the first free run that has room is taken, and neighbours
 * that are free are one run again. Blocks of many sizes and ages share it without leaving the gaps that they leave in
 * the heap of the system, and without costing fresh pages again and again.
 */
import assert from 'node:assert/strict'

export const PAGE_BYTES = 16 * 1_024

export type Block = { readonly region: MemoryRegion; readonly firstPage: number; readonly pages: number; holds: number }

export class MemoryRegion {
  readonly memory: Buffer
  readonly onFree: (block: Block) => void
  readonly #blocks: (Block | undefined)[] // by page
  // Free runs, by their first page.
  readonly #runStarts: number[] = [0]
  readonly #runPages: number[]
  #usedPages = 0

  /** @param bytes a multiple of the page. @param onFree is told of each block whose last hold has ended */
  constructor(bytes: number, onFree: (block: Block) => void) {
    assert(bytes % PAGE_BYTES === 0)
    this.onFree = onFree
    this.memory = Buffer.allocUnsafeSlow(bytes)
    this.#runPages = [bytes / PAGE_BYTES]
    this.#blocks = Array.from({ length: bytes / PAGE_BYTES })
  }

  get bytes(): number {
    return this.memory.length
  }

  get isEmpty(): boolean {
    return this.#usedPages === 0
  }

  /** A block of `pages`, held once, or null: no run has room. */
  take(pages: number): Block | null {
    const run = this.#runPages.findIndex((free) => free >= pages)
    if (run === -1) return null
    const firstPage = this.#runStarts[run]!
    if (this.#runPages[run] === pages) this.#removeRun(run)
    else {
      this.#runStarts[run] = firstPage + pages
      this.#runPages[run]! -= pages
    }
    const block: Block = { region: this, firstPage, pages, holds: 1 }
    this.#blocks.fill(block, firstPage, firstPage + pages)
    this.#usedPages += pages
    return block
  }

  /** The block that a byte lies in. */
  blockAt(position: number): Block | undefined {
    return this.#blocks[Math.floor(position / PAGE_BYTES)]
  }

  bytesOf({ firstPage, pages }: Block): Buffer {
    return this.memory.subarray(firstPage * PAGE_BYTES, (firstPage + pages) * PAGE_BYTES)
  }

  free({ firstPage, pages }: Block): void {
    this.#blocks.fill(undefined, firstPage, firstPage + pages)
    this.#usedPages -= pages
    let run = this.#runStarts.findIndex((start) => start > firstPage)
    if (run === -1) run = this.#runStarts.length
    const joinsBefore = run > 0 && this.#runStarts[run - 1]! + this.#runPages[run - 1]! === firstPage
    const joinsBehind = this.#runStarts[run] === firstPage + pages
    if (joinsBefore) {
      this.#runPages[run - 1]! += pages + (joinsBehind ? this.#runPages[run]! : 0)
      if (joinsBehind) this.#removeRun(run)
    } else if (joinsBehind) {
      this.#runStarts[run] = firstPage
      this.#runPages[run]! += pages
    } else {
      this.#runStarts.splice(run, 0, firstPage)
      this.#runPages.splice(run, 0, pages)
    }
  }

  #removeRun(run: number): void {
    this.#runStarts.splice(run, 1)
    this.#runPages.splice(run, 1)
  }
}
