/** Where the bytes that one node sends to another are counted. */
import type { Ledger, LedgerCell } from '#shared/ledger/ledger.ts'
import type { AnyCall } from './any-call.ts'

export type Cells = { readonly head: LedgerCell; readonly payload: LedgerCell | null }

export class CallCells {
  /** Of what belongs to no call. */
  readonly stream: LedgerCell
  readonly #ledger: Ledger
  readonly #from: string
  readonly #to: string
  readonly #cells = new Map<number, Cells>() // by call: as many as the code has

  constructor(ledger: Ledger, { from, to }: { readonly from: string; readonly to: string }) {
    this.#ledger = ledger
    this.#from = from
    this.#to = to
    this.stream = ledger.cell(from, to, 'stream')
  }

  of({ id, cause, payloadCause }: AnyCall): Cells {
    let cells = this.#cells.get(id)
    if (cells === undefined) {
      const head = this.#ledger.cell(this.#from, this.#to, cause)
      cells = { head, payload: payloadCause === null ? null : this.#ledger.cell(this.#from, this.#to, payloadCause) }
      this.#cells.set(id, cells)
    }
    return cells
  }
}
