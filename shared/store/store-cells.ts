/** Where the ledger counts the requests of a store: by what they do and what lies under the key. */
import type { Ledger, LedgerCell, Place } from '../ledger/ledger.ts'
import type { StoreAttempt, StoreCall } from './store-attempt.ts'

/** `counted` is the direction that requests of the kind are counted in: that of their payload. */
export type CellPair = { readonly sent: LedgerCell; readonly received: LedgerCell; readonly counted: LedgerCell }

export class StoreCells {
  readonly #chunkPut: CellPair
  readonly #chunkGet: CellPair
  readonly #otherPut: CellPair
  readonly #otherGet: CellPair
  readonly #list: CellPair

  constructor(ledger: Ledger, zone: Place) {
    const pair = (cause: 'chunk-put' | 'chunk-get' | 'snapshot' | 'list', direction: 'sent' | 'received'): CellPair => {
      const cells = { sent: ledger.cell(zone, 'store', cause), received: ledger.cell('store', zone, cause) }
      return { ...cells, counted: cells[direction] }
    }
    this.#chunkPut = pair('chunk-put', 'sent')
    this.#chunkGet = pair('chunk-get', 'received')
    this.#otherPut = pair('snapshot', 'sent')
    this.#otherGet = pair('snapshot', 'received')
    this.#list = pair('list', 'sent')
  }

  of(call: StoreCall, key: string): CellPair {
    if (call === 'list' || call === 'delete') return this.#list
    if (call === 'put') return isChunk(key) ? this.#chunkPut : this.#otherPut
    return isChunk(key) ? this.#chunkGet : this.#otherGet
  }

  /** Counts one request of a store that tells each of them. */
  readonly count = ({ call, key, sentBytes, receivedBytes }: StoreAttempt): void => {
    const { sent, received, counted } = this.of(call, key)
    sent.bytes += sentBytes
    received.bytes += receivedBytes
    counted.requests += 1
  }
}

export function isChunk(key: string): boolean {
  return key.startsWith('chunks/')
}
