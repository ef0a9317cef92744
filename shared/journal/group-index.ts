/**
 * Where the groups of one shard are: 16 bytes a group, in pages of typed arrays. Groups are numbered by an ordinal
 * that never changes; positions follow from the ordinal, because seq is dense inside an epoch and each group is the
 * exact successor of the one before.
 */
import assert from 'node:assert/strict'
import { comparePositions, type JournalEnd, type Position, POSITION_NONE } from './journal.ts'

const PAGE_GROUPS = 512
const COLUMNS = 4 // crc, segment number, position in its file, body bytes

export type GroupPlace = { readonly segment: number; readonly filePosition: number; readonly bodyBytes: number }
type EpochRun = { readonly epoch: number; readonly firstSeq: number; readonly firstOrdinal: number }

export class GroupIndex {
  #base: JournalEnd = { position: POSITION_NONE, crc: 0 } // predecessor of the first group
  #runs: EpochRun[] = [] // ascending; the first holds `firstOrdinal`
  readonly #pages: Uint32Array[] = []
  #firstPage = 0 // page number of #pages[0]
  firstOrdinal = 0
  endOrdinal = 0 // exclusive

  get end(): JournalEnd {
    if (this.firstOrdinal === this.endOrdinal) return this.#base
    const last = this.endOrdinal - 1
    return { position: this.positionOf(last), crc: this.crcOf(last) }
  }

  /** Says what an empty index follows. */
  startAfter(base: JournalEnd): void {
    assert(this.firstOrdinal === this.endOrdinal)
    this.#base = base
  }

  /** Adds the successor of `end`. */
  push(position: Position, crc: number, place: GroupPlace): void {
    const { epoch, seq } = this.end.position
    const run = this.#runs.at(-1)
    if (run === undefined || position.epoch !== run.epoch) {
      assert(position.epoch > epoch || (run === undefined && position.epoch === epoch && position.seq === seq + 1))
      this.#runs.push({ epoch: position.epoch, firstSeq: position.seq, firstOrdinal: this.endOrdinal })
    } else {
      assert(position.seq === seq + 1)
    }
    const ordinal = this.endOrdinal++
    if (Math.floor(ordinal / PAGE_GROUPS) - this.#firstPage === this.#pages.length)
      this.#pages.push(new Uint32Array(PAGE_GROUPS * COLUMNS))
    this.#column(ordinal)[this.#row(ordinal)] = crc
    this.move(ordinal, place)
  }

  move(ordinal: number, { segment, filePosition, bodyBytes }: GroupPlace): void {
    const [column, row] = [this.#column(ordinal), this.#row(ordinal)]
    column[row + 1] = segment
    column[row + 2] = filePosition
    column[row + 3] = bodyBytes
  }

  positionOf(ordinal: number): Position {
    for (let at = this.#runs.length - 1; at >= 0; at--) {
      const { epoch, firstSeq, firstOrdinal } = this.#runs[at]!
      if (firstOrdinal <= ordinal) return { epoch, seq: firstSeq + ordinal - firstOrdinal }
    }
    throw new assert.AssertionError({ message: 'an ordinal that was trimmed' })
  }

  crcOf(ordinal: number): number {
    return this.#column(ordinal)[this.#row(ordinal)]!
  }

  placeOf(ordinal: number): GroupPlace {
    const [column, row] = [this.#column(ordinal), this.#row(ordinal)]
    return { segment: column[row + 1]!, filePosition: column[row + 2]!, bodyBytes: column[row + 3]! }
  }

  /** What the group follows. */
  predecessorOf(ordinal: number): JournalEnd {
    if (ordinal === this.firstOrdinal) return this.#base
    return { position: this.positionOf(ordinal - 1), crc: this.crcOf(ordinal - 1) }
  }

  /** The first ordinal above `position`; `endOrdinal`: there is none. */
  above(position: Position): number {
    let [low, high] = [this.firstOrdinal, this.endOrdinal]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (comparePositions(this.positionOf(middle), position) <= 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Forgets the groups below `ordinal`. */
  dropBelow(ordinal: number): void {
    if (ordinal <= this.firstOrdinal) return
    assert(ordinal <= this.endOrdinal)
    this.#base = { position: this.positionOf(ordinal - 1), crc: this.crcOf(ordinal - 1) }
    this.firstOrdinal = ordinal
    while (this.#runs.length > 1 && this.#runs[1]!.firstOrdinal <= ordinal) this.#runs.shift()
    const page = Math.floor(ordinal / PAGE_GROUPS)
    if (page === this.#firstPage) return
    this.#pages.splice(0, page - this.#firstPage)
    this.#firstPage = page
  }

  #column(ordinal: number): Uint32Array {
    assert(ordinal >= this.firstOrdinal && ordinal < this.endOrdinal)
    return this.#pages[Math.floor(ordinal / PAGE_GROUPS) - this.#firstPage]!
  }

  #row(ordinal: number): number {
    return (ordinal % PAGE_GROUPS) * COLUMNS
  }
}
